// What `reason` says where it is one of a few words that others may rely on: the types of those who say it are made of these
// lists, and so is the table in etc/log-fields.md. A new reason takes an entry here. Pure.

/** `login refused`: the client is told the same for each. pop3-ctl why says it with these words. */
export const loginRefusals = {
  "unknown-user": "there was no such account",
  "wrong-password": "wrong password",
  "not-allowed": "the account may not log in from there (allow_nets, nologin)",
  locked: "the account is locked (pop3-passwd unlock)",
  "no-password": "the account has no password (pop3-passwd set)",
  "no-verifier": "SCRAM, and what is stored of the account's password is not for it",
} as const satisfies Readonly<Record<string, string>>;
export type LoginRefusal = keyof typeof loginRefusals;

/** `session ended` */
export const sessionEnds = {
  quit: "the client said QUIT, and what it had deleted was removed",
  disconnected: "the client went without QUIT, and nothing was removed",
  idle: "it asked for nothing for `limits.idle_time`",
  stalled: "it took nothing of what it had asked for, for `limits.stall_time`",
  "taken-over": "another session of the account has the maildrop now",
  kicked: "pop3-ctl kick",
  shutdown: "the server ends",
  "useless-commands": "more refused commands than `limits.useless_commands`",
  "read-failed": "a message could not be read",
  fault: "a fault of ours, which `err` of another line tells",
} as const satisfies Readonly<Record<string, string>>;
export type SessionEndReason = keyof typeof sessionEnds;

/** `ticket refused`: what a login process handed to a mailbox process was none of auth's. */
export const ticketRefusals = {
  malformed: "it is no ticket",
  forged: "its seal is not auth's",
  "not-ours": "it is for another mailbox process",
  expired: "it came too late, or is older than the process",
  used: "it came before",
} as const satisfies Readonly<Record<string, string>>;
export type TicketRefusal = keyof typeof ticketRefusals;
