# Completions of pop3-ctl, made by "pop3-ctl completion". Not to be edited.
_pop3_ctl() {
  local current=${COMP_WORDS[COMP_CWORD]} command= words= word i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    case $word in
      --config | --interval | --count | --sessions | --last | --since | --old | --accounts | --from | --format | --dovecot-config | --wait | --to | --login | --name | --root) ((i++)); continue ;;
      -*) continue ;;
    esac
    case "${command:+$command }$word" in
      "who" | "kick" | "reload" | "throttle" | "throttle list" | "throttle clear" | "stats" | "top" | "log" | "log follow" | "trace" | "why" | "mailbox" | "mailbox list" | "mailbox show" | "mailbox status" | "mailbox undelete" | "warm" | "rehearse" | "import-uidl" | "export-uidl" | "completion" | "doctor" | "setup") command="${command:+$command }$word" ;;
    esac
  done
  if [[ ${COMP_WORDS[COMP_CWORD-1]} == --config ]]; then
    COMPREPLY=($(compgen -f -- "$current"))
    return
  fi
  case $command in
    "") words="who kick reload throttle stats top log trace why mailbox warm rehearse import-uidl export-uidl completion doctor setup --config --json --help" ;;
    "who") words="--config --json --help" ;;
    "kick") words="--config --json --help" ;;
    "reload") words="--config --json --help" ;;
    "throttle") words="list clear --config --json --help" ;;
    "throttle list") words="--config --json --help" ;;
    "throttle clear") words="--config --json --help" ;;
    "stats") words="--config --json --help" ;;
    "top") words="--interval --count --config --json --help" ;;
    "log") words="follow --config --json --help" ;;
    "log follow") words="--config --json --help" ;;
    "trace") words="--sessions --config --json --help" ;;
    "why") words="--config --json --help" ;;
    "mailbox") words="list show status undelete --config --json --help" ;;
    "mailbox list") words="--last --config --json --help" ;;
    "mailbox show") words="--config --json --help" ;;
    "mailbox status") words="--config --json --help" ;;
    "mailbox undelete") words="--since --config --json --help" ;;
    "warm") words="--all --config --json --help" ;;
    "rehearse") words="--old --tls --insecure --accounts --config --json --help" ;;
    "import-uidl") words="--all --from --format --dovecot-config --dry-run --replace --forget --wait --config --json --help" ;;
    "export-uidl") words="--all --to --dovecot-config --dry-run --wait --config --json --help" ;;
    "completion") words="--config --json --help" ;;
    "doctor") words="--login --config --json --help" ;;
    "setup") words="--yes --name --root --config --json --help" ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F _pop3_ctl pop3-ctl
