// What `import { … } from "dewey-pop3"` gives: small, and kept stable. README shows it in use.
export { type MaildirOptions, type OpenedMaildir, openMaildir } from "./library/maildir.ts";
export type { OnLog } from "./library/on-log.ts";
export { type OwnMaildrop, type OwnMessage, octetsAsSent, type Stored } from "./library/own-maildrop.ts";
export { type PasswdAccount, PasswdAccounts } from "./library/passwd.ts";
export {
  type LoginResult,
  type OwnLogin,
  type PasswdLogin,
  type Pop3Client,
  type Pop3Options,
  type Pop3Session,
  type SessionOptions,
  servePop3,
} from "./library/serve-pop3.ts";
export type { Workaround } from "./mime/workarounds.ts";
export type {
  MessageContent,
  OpenedMessage,
  SessionMaildrop as Maildrop,
} from "./processes/mailbox/session-maildrop.ts";
