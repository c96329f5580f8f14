// What a maildrop tells the log: flat objects, every field loggable as it is. Names are byte strings (latin1) that may
// hold anything. Made by the Maildir engine, logged by the mailbox process.
import type { EntryType } from "./files/files.ts";

export type MaildropEvent =
  /** A missing Maildir or folder of it was made. */
  | { readonly kind: "made-folder"; readonly path: string }
  /** A folder is missing and cannot be made; the session goes on without it. */
  | { readonly kind: "folder-not-made"; readonly path: string; readonly code: string }
  /** The lock file cannot be used (`code` says why): the folder itself is locked instead. */
  | { readonly kind: "lock-substitute"; readonly path: string; readonly code: string }
  /** Somebody removed the lock file of a session that lives: nothing is removed by its UPDATE. */
  | { readonly kind: "lock-lost"; readonly path: string }
  /** Entries of new/ and cur/ that are no regular files; the first few by name. */
  | {
      readonly kind: "ignored-entries";
      readonly count: number;
      readonly examples: readonly { readonly path: string; readonly type: EntryType }[];
    }
  /** A second file with the base name of a message is not served; removed at UPDATE only if it is the same file. */
  | { readonly kind: "duplicate"; readonly path: string; readonly uniqueId: string }
  /** Messages whose octets cannot be counted; LIST tells a guess. What stands behind the count is the first one's. */
  | {
      readonly kind: "not-measured";
      readonly count: number;
      readonly uniqueId: string;
      readonly code: string;
      readonly cause: string;
    }
  /** What LIST said was not what RETR sent; the next session knows better. */
  | {
      readonly kind: "size-corrected";
      readonly uniqueId: string;
      readonly toldOctets: number;
      readonly octets: number;
    }
  /** Retrieved messages that could not be moved to cur/ with flag S. `code` is the first one's. */
  | {
      readonly kind: "seen-not-marked";
      readonly count: number;
      readonly uniqueId: string;
      readonly code: string;
    }
  /** Files of deliveries that never ended were removed; `code`: why one of them could not be, or "". */
  | { readonly kind: "tmp-cleaned"; readonly path: string; readonly removed: number; readonly code: string }
  /** Messages older than `mail.expire` that cannot be removed. `code` is the first one's. */
  | { readonly kind: "not-expired"; readonly count: number; readonly uniqueId: string; readonly code: string }
  /** Messages kept longer than `mail.keep_deleted` that cannot be removed for good. `path`, `code`: the first one's. */
  | { readonly kind: "not-pruned"; readonly count: number; readonly path: string; readonly code: string }
  /** The index is no index of ours, or damaged: it is made anew. */
  | { readonly kind: "index-unusable"; readonly path: string; readonly reason: string }
  /** `dewey-pop3.inherited` cannot be read, or is damaged. */
  | { readonly kind: "inherited-unusable"; readonly path: string; readonly reason: string }
  /** Another server's list of sizes cannot be read: what it could have told is counted. */
  | { readonly kind: "told-sizes-unusable"; readonly path: string; readonly reason: string }
  /** The index cannot be written (full disk, read-only): sizes are counted again by the next process. */
  | { readonly kind: "index-not-written"; readonly path: string; readonly code: string }
  /** maildirsize was not told what was removed: the quota comes down when another program counts. */
  | { readonly kind: "quota-not-updated"; readonly path: string; readonly code: string }
  /** Removed names may come back after a power failure. */
  | { readonly kind: "not-synced"; readonly path: string; readonly code: string };
