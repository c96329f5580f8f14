# What zsh offers a person who presses TAB. completions.test.ts runs it: zsh -f zsh-completions.zsh FOLDER LINE.
# A zsh of its own, on a pseudo-terminal (zsh/zpty), has compinit load the completions of FOLDER as it does at a login, is typed
# LINE, and pressed TAB. Writes what it offers, a candidate a line: the words that its completion system was given, by compadd.
zmodload zsh/zpty
folder=$1 line=$2 home=$(mktemp -d)
trap 'zpty -d shell; rm -rf $home' EXIT

# Read at its start, not typed: what comes before a shell has begun to read may be lost.
cat >$home/.zshrc <<END
PS1= PS2=; unsetopt prompt_sp
fpath=($folder \$fpath); autoload -Uz compinit; compinit -u -d $home/zcompdump
# compadd -O puts the words that match into an array, in place of offering them.
compadd() { local -a found; builtin compadd -O found "\$@"; print -rl -- "\${found[@]}" >>$home/found; builtin compadd "\$@" }
asked() { _main_complete; print done >$home/done }; zle -C asked complete-word asked; bindkey '^I' asked
END
zpty shell env TERM=dumb ZDOTDIR=$home zsh -d -i
# For the same reason typed anew, after ^U, until it is seen.
for ((try = 0; try < 20; try++)); do
  zpty -n -w shell $'\C-u'"$line"$'\t'
  for ((i = 0; i < 20; i++)); do [[ -s $home/done ]] && break 2; zpty -r -t shell said; sleep 0.1; done
done
[[ -s $home/done ]] || { print -u2 "zsh did not complete: $said"; exit 1 }
sort -u $home/found
