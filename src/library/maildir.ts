// A Maildir as a maildrop, for the library's user: with one memory of known maildrops for the whole program.
import { SnapshotCache } from "../maildir/list/snapshot-cache.ts";
import { Maildrop } from "../maildir/maildrop.ts";
import { TOLD_CHECK_MS } from "../processes/mailbox/presentation-for.ts";
import type { SessionMaildrop } from "../processes/mailbox/session-maildrop.ts";

export interface MaildirOptions {
  /** How a session has the Maildir to itself; default "flock", the kernel's. */
  readonly lock?: "flock" | "dotlock" | "none";
  /** Moves retrieved messages to cur/ with flag S at QUIT; default true. */
  readonly markSeen?: boolean;
  /** Removed messages are kept in .dewey-deleted/ for so long, ms; default 0. */
  readonly keepDeletedMs?: number;
}

export type OpenedMaildir =
  | { readonly kind: "open"; readonly maildrop: SessionMaildrop }
  /** Another session has it. */
  | { readonly kind: "locked" }
  /** `reason` names path and cause, for the log. */
  | { readonly kind: "failed"; readonly code: string; readonly reason: string; readonly permanent: boolean };

/** Locks and lists the Maildir at an absolute path, and makes it where it is missing. `close` frees it. */
export function openMaildir(path: string, options: MaildirOptions = {}): Promise<OpenedMaildir> {
  // How its messages are presented, the session says.
  return Maildrop.open(path, { ...options, toldCheckMs: TOLD_CHECK_MS, snapshots });
}

const snapshots = new SnapshotCache();
