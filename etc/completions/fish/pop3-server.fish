# Completions of pop3-server, made from its commands and options. Not to be edited.
complete -c pop3-server -l config -r -F -d 'configuration'
complete -c pop3-server -l check -f -d 'check the configuration, name every fault, and exit: 0 when it is sound'
