// What a Maildir is opened with, and what holds where nothing is said. Given by the mailbox process; tests replace the
// file system and the clock.
import { type Files, systemFiles } from "./files/files.ts";
import { QuickReads } from "./files/quick-reads.ts";
import { sharedFiles } from "./files/shared-files.ts";
import type { SnapshotCache } from "./list/snapshot-cache.ts";
import type { LockMode } from "./lock/lock.ts";
import type { MaildropEvent } from "./maildrop-event.ts";
import { AS_STORED, type Presentation } from "./presentation.ts";

export interface MaildropOptions {
  readonly onEvent?: (event: MaildropEvent) => void;
  /** The host's clock, in ms. */
  readonly now?: () => number;
  /** For tests: the file system, and whether it answers at once. */
  readonly files?: Files;
  readonly quickReads?: (path: string) => QuickReads;
  readonly lock?: LockMode;
  /** `mail.shared_storage`: other hosts change the same Maildir. */
  readonly sharedStorage?: boolean;
  /** Changes nothing in the Maildir, not even the index. Without UPDATE, and with the lock "none". */
  readonly readOnly?: boolean;
  /** Remembers maildrops between sessions; none: each session lists anew. */
  readonly snapshots?: SnapshotCache | undefined;
  /** How the client is sent messages that not every client can take as they are. */
  readonly presentation?: Presentation;
  /**
   * How long `measure` looks at messages whose size others have told, since those know nothing of headers in UTF-8. What is
   * not looked at by then is believed until RETR, and the next session goes on there. 0: all are believed.
   */
  readonly toldCheckMs?: number;
  /** Moves retrieved messages to cur/ with flag S at UPDATE. */
  readonly markSeen?: boolean;
  /** Removed messages are kept for so long; 0: they are removed at once. */
  readonly keepDeletedMs?: number;
  /** UPDATE removes what is older; undefined: nothing. */
  readonly expireMs?: number | undefined;
  /** How many messages are opened at a time where sizes are counted and messages removed. */
  readonly parallel?: number;
  /** How many sizes are counted before the index is written meanwhile: seconds on a quick disk, a minute on a slow one. */
  readonly indexedAfter?: number;
}

export type MaildropSettings = Required<MaildropOptions>;

/** With what holds where nothing is said. */
export function maildropSettings(options: MaildropOptions): MaildropSettings {
  const settings = { ...DEFAULTS, ...options };
  return settings.sharedStorage ? { ...settings, files: sharedFiles(settings.files) } : settings;
}

const DEFAULTS: MaildropSettings = {
  onEvent: () => {},
  now: Date.now,
  files: systemFiles,
  quickReads: QuickReads.at,
  lock: "flock",
  sharedStorage: false,
  readOnly: false,
  snapshots: undefined,
  presentation: AS_STORED,
  toldCheckMs: 0,
  markSeen: true,
  keepDeletedMs: 0,
  expireMs: undefined,
  parallel: 8,
  indexedAfter: 10_000,
};
