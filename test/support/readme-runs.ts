// Which test runs which code block of README.md and of the guides: `by` takes it with readmeBlock("name").

interface Run {
  readonly file: string;
  /** How the block begins: none other in the file does. */
  readonly begins: string;
  /** The test, below test/. */
  readonly by: string;
}

const readme = (by: string, begins: string): Run => ({ file: "README.md", begins, by });
const guide = (file: string, by: string, begins: string): Run => ({ file: `etc/${file}.md`, begins, by });

export const readmeRuns = {
  // Typed as they stand on a host of the test's own, as root, with systemd.
  start: readme("peers/readme-install.test.ts", "npm ci && npm start"),
  package: readme("peers/readme-postfix.test.ts", "npm ci && npm run package"),
  accounts: readme("peers/readme-postfix.test.ts", "pop3-passwd add mrose@example.org"),
  "postfix commands": readme("peers/readme-postfix.test.ts", "useradd"),
  "exim commands": readme("peers/readme-exim.test.ts", "sed -i"),
  checkout: guide("INSTALL", "peers/readme-install.test.ts", "npm ci && npm run build"),
  npm: guide("INSTALL", "peers/readme-install.test.ts", "npm pack"),
  "man and completions": guide("INSTALL", "peers/readme-install.test.ts", "install -D -m 644 -t /usr/local"),
  "moving in": readme("peers/readme-moving.test.ts", "pop3-ctl import-config"),
  rehearsal: readme("peers/readme-moving.test.ts", "$ pop3-ctl rehearse"),
  mbox: guide("MOVING", "peers/readme-moving.test.ts", "doveadm"),
  mb2md: guide("MOVING", "peers/readme-moving.test.ts", "mb2md"),

  // What setup writes on those hosts has to be so.
  "postfix config": readme("peers/readme-postfix.test.ts", "[mail]\nmaildir"),
  "main.cf": readme("peers/readme-postfix.test.ts", "smtpd_sasl_type"),
  "exim config": readme("peers/readme-exim.test.ts", "[mta]\nsasl_socket = {"),
  "tls config": readme("peers/readme-postfix.test.ts", '[server]\nlisten = ["*:110"]'),

  // Typed in the demonstration of `npm start`; times, ids and ports are compared by their shape.
  dialogue: readme("server/readme.test.ts", "S: +OK"),
  who: readme("server/readme.test.ts", "$ pop3-ctl who"),
  why: readme("server/readme.test.ts", "$ pop3-ctl why"),
  trace: readme("server/readme.test.ts", "$ pop3-ctl trace"),
  "mailbox list": readme("server/readme.test.ts", "$ pop3-ctl mailbox"),
  "log line": readme("server/readme.test.ts", "{"),

  // A server starts with them.
  metrics: readme("server/readme-config.test.ts", "[metrics]"),
  "system users": guide("INSTALL", "server/readme-config.test.ts", "[accounts]"),
  "behind nginx": guide("SCALING", "server/readme-config.test.ts", "[server]\nlisten = []\n\n[mail]"),
  "host behind nginx": guide(
    "SCALING",
    "server/readme-config.test.ts",
    "[server]\nlisten = []\nlisten_proxy",
  ),

  haproxy: guide("SCALING", "peers/haproxy.test.ts", "listen pop3s"),
  library: readme("support/library-example.ts", "import { createServer }"),

  // Not run here: what runs these very tests types the first. The picture has the names of the processes that there are; the bench takes minutes, and its workloads are known.
  tests: readme("readme.test.ts", "npm ci && npm test"),
  picture: readme("readme.test.ts", "         POP3, POP3S"),
  bench: guide("SCALING", "readme.test.ts", "npm run bench"),
} as const satisfies Record<string, Run>;

export type BlockName = keyof typeof readmeRuns;
