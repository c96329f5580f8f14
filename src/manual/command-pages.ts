// What the manual pages of the three commands say beyond their --help. Pure.
import { ctlProgram } from "../bin/ctl/program.ts";
import { passwdProgram } from "../bin/passwd/program.ts";
import { serverProgram } from "../bin/server/program.ts";
import type { PageText } from "./command-page.ts";

const CONFIG = ["/etc/dewey-pop3/config.toml", "The configuration, dewey-pop3.toml(5)."] as const;
const PASSWD = ["/etc/dewey-pop3/passwd", "The accounts, where auth.passwd_file says no other."] as const;

export function commandPages(): readonly PageText[] {
  return [
    {
      command: serverProgram(async () => {}),
      number: 8,
      summary: "POP3 server for Maildirs",
      more: [
        "It serves the standard Maildirs that Postfix or Exim deliver into, where they stand, checks passwords against one passwd file, and locks " +
          "each maildrop for its session. Started as root it opens the listening sockets and gives each of its processes a user of its own: " +
          "strangers talk to one that can see neither passwords nor mail.",
        'The line "ready" in the log says that every listener is open and every process serves; systemd is told so, too.',
      ],
      sections: [
        {
          title: "SIGNALS",
          items: [
            [
              "SIGTERM",
              "Stops accepting, lets running commands finish (limits.drain_time), closes sessions without deleting anything, and ends.",
            ],
            ["SIGINT", "The same."],
            [
              "SIGHUP",
              "Reads configuration and certificates again; a fault is logged and the old ones stay.",
            ],
          ],
        },
      ],
      exitStatus: [
        ["0", "Ended by a signal, or, with `--check`, the configuration is sound."],
        ["1", "The server could not start, or its certificates are faulty; standard error says why."],
        ["2", "Wrong usage."],
        [
          "78",
          "The configuration is faulty; standard error names file, line and key. systemd does not start it again by itself.",
        ],
      ],
      files: [
        CONFIG,
        PASSWD,
        [
          "dewey-pop3.lock, dewey-pop3.index",
          "In each Maildir: the session's lock, and what is known of its messages. They may be removed while no session has the maildrop.",
        ],
        [
          "dewey-pop3.inherited",
          "In a Maildir whose unique-ids another server gave (`pop3-ctl import-uidl`). Never to be removed together with the index.",
        ],
      ],
      seeAlso: [
        ["dewey-pop3.toml", 5],
        ["pop3-passwd", 8],
        ["pop3-ctl", 8],
        ["systemctl", 1],
      ],
    },
    {
      command: passwdProgram(),
      number: 8,
      summary: "accounts of the POP3 server dewey-pop3",
      more: [
        "The file has one account a line, in the form of Dovecot's passwd-file and Exim's lsearch: user:{SCHEME}hash:uid:gid:gecos:home:shell:extra " +
          "fields. It is changed under a lock and replaced as a whole: comments, order, owner and mode stay, and the next login sees the change.",
      ],
      exitStatus: [
        ["0", "Done; for `verify` the password is right, for `audit` nothing was found."],
        ["1", "Refused, with one line on standard error that says why."],
        ["2", "A mistake in the command line."],
        ["130", "Interrupted at the prompt."],
      ],
      files: [
        PASSWD,
        [
          "/etc/dewey-pop3/passwd.devices",
          "The passwords of devices, beside the passwd file; passwd.devices-used has their last use.",
        ],
        CONFIG,
      ],
      seeAlso: [
        ["pop3-server", 8],
        ["pop3-ctl", 8],
        ["dewey-pop3.toml", 5],
        ["crypt", 5],
      ],
    },
    {
      command: ctlProgram(),
      number: 8,
      summary: "run the POP3 server dewey-pop3, and look into maildrops",
      more: [
        "It asks the running server over a socket in server.runtime_dir that is for root, or whoever started the server, alone. `mailbox` and what " +
          "else reads mail does so in a process of the mail's owner.",
      ],
      exitStatus: [
        ["0", "Done; `doctor`: all is well."],
        ["1", "Refused, with one line on standard error that says why; `doctor`: warnings."],
        ["2", "A mistake in the command line; `doctor`: errors."],
      ],
      files: [CONFIG],
      seeAlso: [
        ["pop3-server", 8],
        ["pop3-passwd", 8],
        ["dewey-pop3.toml", 5],
      ],
    },
  ];
}
