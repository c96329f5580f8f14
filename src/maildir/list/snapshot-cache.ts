// What a mailbox process remembers of the maildrops that were opened last: as long as new/ and cur/ have not changed, a
// login costs two stat(2) calls, and where they have, sizes are still known. One for each process.
import type { QuickReads } from "../files/quick-reads.ts";
import type { FolderStamps } from "./folders.ts";
import type { MessageList } from "./message-list.ts";

export interface Snapshot {
  readonly list: MessageList;
  /** The folders' times when they were listed. */
  readonly stamps: FolderStamps;
  /** As long as the folders have these times, the list is exact; false: it only tells sizes. */
  readonly isExact: boolean;
  /** Whether the file system answers at once. */
  readonly quickReads: QuickReads;
  /** When the oldest message that is kept for an undo was removed; undefined while that is not known. */
  readonly oldestKeptMs: number | undefined;
  /** For locks that leave no file behind to tell it. */
  readonly tmpCleanedAtMs: number | undefined;
}

/** Some 100 bytes a message. */
const MAX_MESSAGES = 500_000;

export class SnapshotCache {
  readonly #maxMessages: number;
  /** By path, the least recently used first. */
  readonly #snapshots = new Map<string, Snapshot>();
  #messages = 0;

  constructor(maxMessages: number = MAX_MESSAGES) {
    this.#maxMessages = maxMessages;
  }

  /** Hands the snapshot out: a session changes it, and puts it back when it ends. */
  take(path: string): Snapshot | undefined {
    const snapshot = this.#snapshots.get(path);
    if (snapshot !== undefined) {
      this.#snapshots.delete(path);
      this.#messages -= snapshot.list.count;
    }
    return snapshot;
  }

  /** Without taking the snapshot. */
  quickReadsOf(path: string): QuickReads | undefined {
    return this.#snapshots.get(path)?.quickReads;
  }

  put(path: string, snapshot: Snapshot): void {
    this.take(path);
    if (snapshot.list.count > this.#maxMessages) return;
    this.#snapshots.set(path, snapshot);
    this.#messages += snapshot.list.count;
    for (const oldest of this.#snapshots.keys()) {
      if (this.#messages <= this.#maxMessages) break;
      this.take(oldest);
    }
  }
}
