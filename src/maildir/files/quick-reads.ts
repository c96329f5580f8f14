// Whether a message may be read without leaving the thread: several times cheaper while the file is in the page cache,
// and a wait for everybody else in the process when it is not. Decided for each Maildir by its file system, and by how
// long the last such read took. Used by Maildrop in the mailbox process.
import { statfs } from "node:fs";

/** Messages of this length and longer ones are read in chunks, by the thread pool. */
export const MAX_QUICK_BYTES = 64 * 1024;

/** A read that took this long, in ms, came from the disk, or on a busy host another process came in between. */
const SLOW_MS = 2;

/** Of the second it cannot be said so soon: from a disk that is cold one slow read follows the other. */
const SOON_READS = 16;

/** After a slow read the next messages are most likely cold, too. */
const PAUSE_READS = 64;

// statfs(2), linux/magic.h: file systems that answer from this host's memory or disk. Network file systems and FUSE may
// keep a call waiting for as long as they like, and so may one that is not listed here.
const LOCAL_FILE_SYSTEMS: ReadonlySet<number> = new Set([
  0xef53, // ext2, ext3, ext4
  0x58465342, // XFS
  0x9123683e, // btrfs
  0x2fc12fc1, // ZFS
  0xf2f52010, // F2FS
  0xca451a4e, // bcachefs
  0x01021994, // tmpfs
  0x794c7630, // overlayfs
]);

export class QuickReads {
  #isLocal: boolean;
  #pauseReads = 0;
  #sinceSlow = SOON_READS;

  /** @param isLocal whether the Maildir's file system answers at once, as `QuickReads.at` finds out */
  constructor(isLocal: boolean) {
    this.#isLocal = isLocal;
  }

  /** Asks for the file system of a path, in the background: until it is known, no read is quick. */
  static at(path: string): QuickReads {
    const quickReads = new QuickReads(false);
    statfs(path, (error, stats) => {
      quickReads.#isLocal = error === null && LOCAL_FILE_SYSTEMS.has(stats.type);
    });
    return quickReads;
  }

  /** Whether the next message may be read at once. */
  allows(): boolean {
    if (!this.#isLocal) return false;
    if (this.#pauseReads === 0) return true;
    this.#pauseReads--;
    return false;
  }

  /** @param durationMs what a read took, opening included */
  took(durationMs: number): void {
    if (durationMs <= SLOW_MS) {
      this.#sinceSlow++;
      return;
    }
    if (this.#sinceSlow < SOON_READS) this.#pauseReads = PAUSE_READS;
    this.#sinceSlow = 0;
  }
}
