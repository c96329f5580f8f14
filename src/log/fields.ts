// Every field that a line of the log may have: its type, and what it says. log.ts holds every call to this table, and
// etc/log-fields.md is written from it: what is here is what others may rely on. A new field takes an entry here.

export interface LogField {
  readonly type: "string" | "number" | "boolean" | "strings" | "object";
  readonly help: string;
}

/** Every line has these. */
export const lineFields = {
  level: { type: "string", help: "debug, info, warn, error, fatal" },
  time: { type: "string", help: "when, in UTC" },
  process: {
    type: "string",
    help: "which kind of process says it: master, auth, login, mailbox, combined, metrics",
  },
  pid: { type: "number", help: "its process id" },
  msg: { type: "string", help: "what happened; the same words for the same thing" },
} as const satisfies Readonly<Record<string, LogField>>;

export const logFields = {
  session: {
    type: "string",
    help: "the connection's id, the same from its first line before login to `session ended`",
  },
  account: { type: "string", help: "whose maildrop it is: who has logged in" },
  user: { type: "string", help: "the name that somebody wants to log in as, as they sent it" },
  address: { type: "string", help: "the client's IP address; behind a proxy the one that the proxy told" },
  network: { type: "string", help: "the client's address, or its /64 of IPv6" },
  service: {
    type: "string",
    help: "who asks for the password: `pop3`, or what the MTA calls itself, such as `smtp`",
  },
  mechanism: { type: "string", help: "the SASL mechanism; USER and PASS are PLAIN" },
  mechanisms: { type: "string", help: "the SASL mechanisms that are offered" },
  method: { type: "string", help: "what nginx calls a mechanism" },
  device: { type: "string", help: "which of the account's device passwords it was" },
  reason: {
    type: "string",
    help: "why: a refused login, which the client is not told; a session's end; anything that was not done",
  },
  tls: { type: "string", help: "TLS version and cipher; left out where there is none" },
  messages: { type: "number", help: "in the maildrop when it was opened" },
  retrieved: { type: "number", help: "messages that the session sent whole" },
  deleted: { type: "number", help: "messages that its QUIT removed" },
  expired: {
    type: "number",
    help: "messages that its QUIT removed because they were older than `mail.expire`",
  },
  octets: { type: "number", help: "of messages, as sent" },
  toldOctets: { type: "number", help: "what LIST said instead" },
  durationMs: { type: "number", help: "how long the session was" },
  idleMs: { type: "number", help: "how long it had asked for nothing" },
  failedLogins: { type: "number", help: "on this connection" },
  holder: { type: "string", help: "who has the maildrop: address, since when" },
  maildir: { type: "string", help: "path of the Maildir" },
  uniqueId: { type: "string", help: "the message's unique-id" },
  count: { type: "number", help: "of how many messages or entries this is true" },
  removed: { type: "number", help: "files that were removed" },
  examples: { type: "object", help: "the first of them: path, type" },
  path: { type: "string", help: "the file or folder" },
  file: { type: "string", help: "the certificate, key or revocation list" },
  folder: { type: "string", help: "of the Postfix maps" },
  line: { type: "number", help: "in the passwd file" },
  firstLine: { type: "number", help: "where the user stands first" },
  accounts: { type: "number", help: "how many" },
  first: { type: "strings", help: "the first few of them" },
  map: { type: "string", help: "which map the MTA asked for" },
  code: { type: "string", help: "of the system's error, such as `EACCES`" },
  cause: { type: "string", help: "what the system or a library says of it" },
  err: { type: "object", help: "a fault of ours: type, message, stack" },
  limit: { type: "string", help: "the config's key" },
  refused: { type: "number", help: "clients that were turned away at it since the line before" },
  openFiles: { type: "number", help: "that a process may have (`LimitNOFILE`)" },
  maxSessionsHere: { type: "number", help: "connections that fit into it" },
  sessions: { type: "number", help: "`limits.sessions`" },
  uid: { type: "number", help: "whose mail a mailbox process serves" },
  gid: { type: "number", help: "the same" },
  running: { type: "number", help: "mailbox processes of system users" },
  maxProcesses: { type: "number", help: "`mail.max_user_processes`" },
  listener: { type: "string", help: "which socket: `pop3`, `pop3s`, each also with `proxy`" },
  listen: { type: "strings", help: "where POP3 and POP3S are served" },
  metrics: { type: "strings", help: "where metrics are served" },
  processes: { type: "string", help: "`server.processes`" },
  children: { type: "number", help: "processes that master started" },
  child: { type: "string", help: "which of master's children: `mailbox 0`" },
  childPid: { type: "number", help: "its process id" },
  retiringPid: { type: "number", help: "process id of the one that it takes over from" },
  rssBytes: { type: "number", help: "memory that it takes" },
  how: { type: "string", help: "how it ended: `exit 1`, `SIGKILL`" },
  restartInMs: { type: "number", help: "when it is started again" },
  retryInMs: { type: "number", help: "when it is tried again" },
  patienceMs: { type: "number", help: "how long it was given" },
  clientPid: { type: "number", help: "process id that a client of auth's told" },
  authPid: { type: "number", help: "auth's process id" },
  pendingRequests: { type: "number", help: "logins that waited for auth" },
  question: { type: "string", help: "what pop3-ctl asked" },
  store: { type: "string", help: "host and port of auth.throttle_store" },
  backEnd: { type: "string", help: "address of another host of the cluster" },
  configFile: { type: "string", help: "what was read" },
  key: { type: "string", help: "the config's key" },
  fault: { type: "string", help: "what is wrong with the config, with its line" },
  signal: { type: "string", help: "that ends the server" },
  names: { type: "strings", help: "that the certificate holds" },
  keyType: { type: "string", help: "of the certificate" },
  notAfter: { type: "string", help: "until when it is valid" },
  daysLeft: { type: "number", help: "until then" },
} as const satisfies Readonly<Record<string, LogField>>;

interface Types {
  readonly string: string;
  readonly number: number;
  readonly boolean: boolean;
  readonly strings: readonly string[];
  /** Whatever can be JSON. */
  readonly object: unknown;
}

export type LogFields = {
  readonly [Name in keyof typeof logFields]?: Types[(typeof logFields)[Name]["type"]] | undefined;
};
