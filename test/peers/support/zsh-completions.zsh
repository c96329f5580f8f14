# What zsh offers a person who presses TAB. completions.test.ts runs it: zsh -f zsh-completions.zsh FOLDER LINE.
# A zsh of its own, on a pseudo-terminal (zsh/zpty), has compinit load the completions of FOLDER as it does at a login, is typed
# LINE, and pressed TAB. Writes what it offers, a candidate a line: the words that its completion system was given, by compadd.
zmodload zsh/zpty
folder=$1 line=$2 dump=$(mktemp -d)
trap 'zpty -d shell; rm -rf $dump' EXIT

zpty shell env TERM=dumb zsh -f -i
send() { zpty -w shell $1 }
send 'PS1= PS2= PROMPT_SP= ; unsetopt prompt_sp zle; stty -echo'
send "fpath=($folder \$fpath); autoload -Uz compinit; compinit -u -d $dump/zcompdump"
# compadd -O puts the words that match into an array, in place of offering them.
send 'compadd() { local -a found; builtin compadd -O found "$@"; print -rl -- "${found[@]}" >>'$dump'/found; builtin compadd "$@" }'
send 'asked() { _main_complete; print done >'$dump'/done }; zle -C asked complete-word asked; bindkey "^I" asked; setopt zle'
send "print started >$dump/started"
for ((i = 0; i < 300; i++)); do [[ -s $dump/started ]] && break; sleep 0.1; done
zpty -n -w shell "$line"$'\t'
for ((i = 0; i < 300; i++)); do [[ -s $dump/done ]] && break; zpty -r -t shell said; sleep 0.1; done
[[ -s $dump/done ]] || { print -u2 "zsh did not complete: $said"; exit 1 }
sort -u $dump/found
