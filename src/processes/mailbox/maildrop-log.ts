// What a maildrop tells, as lines of the log. Used by the mailbox process.
import type { Log } from "../../log/log.ts";
import type { MaildropEvent } from "../../maildir/maildrop-event.ts";

type Level = "info" | "warn" | "error";

const lines = {
  "made-folder": ["info", "made a missing folder of the Maildir"],
  "folder-not-made": ["warn", "a folder of the Maildir is missing and cannot be made"],
  "lock-substitute": ["warn", "the lock file cannot be used, the folder is locked instead"],
  "lock-lost": ["error", "somebody removed the lock file of a running session, nothing is deleted"],
  "ignored-entries": ["warn", "entries of the Maildir that are no regular files are ignored"],
  duplicate: ["warn", "two files with one base name, one is not served"],
  "not-measured": ["error", "messages cannot be read, their sizes are guessed"],
  "size-corrected": ["warn", "a message's size was not what LIST said, the next session knows"],
  "seen-not-marked": ["warn", "retrieved messages cannot be marked as seen"],
  "tmp-cleaned": ["info", "removed files of deliveries that never ended from tmp"],
  "not-expired": ["error", "messages older than mail.expire cannot be removed"],
  "not-pruned": ["warn", "messages kept longer than mail.keep_deleted cannot be removed"],
  "index-unusable": ["warn", "the index of a Maildir cannot be used, it is made anew"],
  "inherited-unusable": ["error", "the frozen unique-ids of another server cannot be read"],
  "told-sizes-unusable": ["info", "another server's list of sizes cannot be used, sizes are counted"],
  "index-not-written": ["warn", "the index of a Maildir cannot be written, the session does without"],
  "quota-not-updated": ["warn", "maildirsize cannot be written, the quota is not told what was removed"],
  "not-synced": ["warn", "a folder cannot be synced, removed messages may come back after a power failure"],
} satisfies Record<MaildropEvent["kind"], readonly [Level, string]>;

/** @param log carries the session's id, account and address */
export function logMaildropEvent(log: Log, { kind, ...details }: MaildropEvent): void {
  const [level, message] = lines[kind];
  log[level](details, message);
}
