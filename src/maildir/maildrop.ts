// A Maildir as a maildrop: locked for the session, its messages in a fixed order, changed by UPDATE alone. Opened by the
// mailbox process after it has checked the ticket; runs with the uid of the mail's owner.
import { type Failure, failureOf } from "./failure.ts";
import { sizesFromName } from "./filename.ts";
import { codeOf, type Files, systemFiles } from "./files.ts";
import {
  areSameFolders,
  FOLDER_NAMES,
  type FolderListing,
  type FolderStamps,
  listFolders,
  sameStamps,
  stampFolders,
} from "./folders.ts";
import { INDEX_FILE, readIndex, writeIndex } from "./index-file.ts";
import {
  acquireFlock,
  LOCK_FILE,
  type LockMode,
  type LockResult,
  type MaildropLock,
  noLock,
} from "./lock.ts";
import { makeFolder } from "./maildir-folders.ts";
import type { MaildropEvent } from "./maildrop-event.ts";
import { COUNT_BUFFER_BYTES, MessageFile, openRegularFile, readShortFile } from "./message.ts";
import { COUNTED, GUESSED, MessageList, UNKNOWN } from "./message-list.ts";
import { countOctets } from "./octets.ts";
import { QuickReads } from "./quick-reads.ts";
import { QuotaChange } from "./quota.ts";
import type { Snapshot, SnapshotCache } from "./snapshot-cache.ts";
import {
  forEachParallel,
  type MessagePlaces,
  markSeen,
  pathOf,
  syncFolder,
  twinsOf,
  whereverItStands,
} from "./update.ts";

export type { MaildropEvent };

export interface MaildropOptions {
  readonly onEvent?: (event: MaildropEvent) => void;
  /** The host's clock, in ms. */
  readonly now?: () => number;
  /** For tests: the file system, and whether it answers at once. */
  readonly files?: Files;
  readonly quickReads?: (path: string) => QuickReads;
  readonly lock?: LockMode;
  /** Remembers maildrops between sessions; none: each session lists anew. */
  readonly snapshots?: SnapshotCache | undefined;
  /** Moves retrieved messages to cur/ with flag S at UPDATE. */
  readonly markSeen?: boolean;
  /** How many messages are opened at a time where sizes are counted and messages removed. */
  readonly parallel?: number;
}

export type OpenResult =
  | { readonly kind: "open"; readonly maildrop: Maildrop }
  /** Another session has it. */
  | { readonly kind: "locked" }
  | Failure;

export type OpenMessageResult =
  | { readonly kind: "message"; readonly file: MessageFile }
  /** Another program removed it. */
  | { readonly kind: "gone" }
  | { readonly kind: "failed"; readonly code: string; readonly reason: string };

export interface UpdateRequest {
  /** Indexes of messages marked as deleted. */
  readonly deleted: ReadonlySet<number>;
  /** Indexes of messages that the client has got whole. */
  readonly retrieved: ReadonlySet<number>;
}

export interface UpdateResult {
  readonly removed: number;
  /** Marked ones that another program had removed. */
  readonly alreadyGone: number;
  readonly failed: readonly { readonly index: number; readonly code: string }[];
}

export class Maildrop {
  readonly path: string;
  /** Settles when nothing of this maildrop runs any more and its lock is free. */
  readonly closed: Promise<void>;
  readonly #options: Required<MaildropOptions>;
  readonly #lock: MaildropLock;
  readonly #list: MessageList;
  readonly #stamps: FolderStamps;
  /** As long as the folders have `#stamps`, the list is what is in them. */
  #isExact: boolean;
  /** Something is known that `dewey-pop3.index` does not say. */
  #isIndexStale: boolean;
  readonly #places: MessagePlaces;
  /** Found missing once: a base name never comes back. */
  readonly #gone = new Set<number>();
  /** Sizes as stored of messages that were opened, for `correctOctets`. */
  readonly #openedBytes = new Map<number, number>();
  #quickReads: QuickReads | undefined;
  #refinding: Promise<void> | undefined;
  #measuring: Promise<void> | undefined;
  #settleClosed: () => void = () => {};
  #isClosed = false;

  private constructor(
    path: string,
    options: Required<MaildropOptions>,
    lock: MaildropLock,
    { list, stamps, isExact, isIndexStale }: Listed,
  ) {
    this.path = path;
    this.#options = options;
    this.#lock = lock;
    this.#list = list;
    this.#stamps = stamps;
    this.#isExact = isExact;
    this.#isIndexStale = isIndexStale;
    this.#places = {
      maildir: path,
      place: (index) => ({ folder: list.folder(index), name: list.name(index) }),
      refind: (index) => this.#refind(index),
      moved: (index, { folder, name }) => {
        this.#isExact = false;
        list.setPlace(index, folder, name);
      },
    };
    this.closed = new Promise((resolve) => {
      this.#settleClosed = resolve;
    });
  }

  /** Locks and lists the Maildir at an absolute path; makes it where it is missing. Reads no message. */
  static async open(path: string, options: MaildropOptions = {}): Promise<OpenResult> {
    const settings = { ...DEFAULTS, ...options };
    // A session of this process that is over may still be writing its index, under its lock.
    await closing.get(path);
    let lock: MaildropLock | undefined;
    try {
      const acquired = await acquireLock(path, settings);
      if (acquired.kind === "locked") return acquired;
      lock = acquired.lock;
      const listed = await listMessages(path, settings);
      return { kind: "open", maildrop: new Maildrop(path, settings, lock, listed) };
    } catch (error) {
      await lock?.release();
      const at = (error as NodeJS.ErrnoException).path;
      return failureOf(settings.files, "open maildrop", typeof at === "string" ? at : path, error);
    }
  }

  get count(): number {
    return this.#list.count;
  }

  /** False while sizes are unknown: `measure` counts them. */
  get measured(): boolean {
    return this.#list.unknownCount === 0;
  }

  /** Octets as sent; 0 while unknown. @param index from 0, in message number order */
  octets(index: number): number {
    return this.#list.octets(index);
  }

  uniqueId(index: number): string {
    return this.#list.uniqueId(index);
  }

  /** Counts all unknown sizes. Never rejects: what cannot be read gets a guess. `close` ends it early. */
  measure(): Promise<void> {
    if (this.measured || this.#isClosed) return Promise.resolve();
    this.#measuring ??= this.#measure().finally(() => {
      this.#measuring = undefined;
    });
    return this.#measuring;
  }

  /** Opens a message's file, wherever other programs have put it. The caller closes it. */
  async openMessage(index: number): Promise<OpenMessageResult> {
    const { files } = this.#options;
    let result: OpenMessageResult | undefined;
    const found = await whereverItStands(this.#places, index, async (path) => {
      const opened = await openRegularFile(files, path);
      if (opened.kind === "not-a-file") {
        result = { kind: "failed", code: "EFTYPE", reason: `${path} is not a regular file any more` };
        return;
      }
      this.#openedBytes.set(index, opened.bytes);
      const counted = this.#list.counted(index);
      result = { kind: "message", file: new MessageFile(files, opened.fd, opened.bytes, counted) };
    });
    if (found.kind === "already-gone") return { kind: "gone" };
    if (found.kind === "failed") {
      const path = String(pathOf(this.path, this.#places.place(index)));
      const { reason } = await failureOf(files, "open message", path, found);
      return { kind: "failed", code: found.code, reason };
    }
    return result!;
  }

  /**
   * A short message's bytes at once, where that keeps nobody waiting (see `QuickReads`). Undefined sends the caller to
   * `openMessage`: whatever is unusual about the message is dealt with there.
   *
   * @param buffer takes the bytes; at least MAX_QUICK_BYTES
   */
  readMessageNow(index: number, buffer: Uint8Array): Uint8Array | undefined {
    this.#quickReads ??= this.#options.quickReads(this.path);
    if (this.#options.files !== systemFiles || !this.#quickReads.allows()) return undefined;
    const begin = performance.now();
    const read = readShortFile(pathOf(this.path, this.#places.place(index)), buffer);
    this.#quickReads.took(performance.now() - begin);
    if (read !== undefined) this.#openedBytes.set(index, read.length);
    return read;
  }

  /** What RETR really sent. Call it after each: a size that was only told becomes a counted one. */
  correctOctets(index: number, octets: number): void {
    const knowledge = this.#list.knowledge(index);
    const told = this.#list.octets(index);
    const bytes = this.#openedBytes.get(index);
    if (bytes === undefined) return;
    if (knowledge === COUNTED && told === octets && this.#list.bytes(index) === bytes) return;
    if (knowledge !== UNKNOWN && told !== octets) {
      const uniqueId = this.uniqueId(index);
      this.#options.onEvent({ kind: "size-corrected", uniqueId, toldOctets: told, octets });
    }
    this.#list.setOctets(index, COUNTED, octets, bytes);
    this.#isIndexStale = true;
  }

  /**
   * The UPDATE state: removes marked messages, moves retrieved ones to cur/ with flag S. A message that fails does not
   * keep the others from being removed. The lock stays: `close` frees it.
   */
  async update({ deleted, retrieved }: UpdateRequest): Promise<UpdateResult> {
    if (this.#isClosed) throw new Error("maildrop is closed");
    const { files, parallel } = this.#options;
    const failed: { index: number; code: string }[] = [];
    const changedFolders = new Set<string>();
    const quota = deleted.size > 0 ? await QuotaChange.open(files, this.path) : undefined;
    let removed = 0;
    let alreadyGone = 0;
    await forEachParallel(deleted, parallel, async (index) => {
      const removal = await whereverItStands(this.#places, index, async (path, { folder, name }) => {
        const bytes = await quota?.bytesOf(name, path);
        const duplicates = this.#list.duplicates.filter((duplicate) => duplicate.index === index);
        // The twins first: a failure in between leaves the message as it was.
        for (const twin of await twinsOf(files, this.path, path, duplicates)) await files.unlink(twin);
        await files.unlink(path);
        this.#isExact = false;
        quota?.removed(name, bytes ?? 0);
        changedFolders.add(`${this.path}/${FOLDER_NAMES[folder]}`);
      });
      if (removal.kind === "removed") removed++;
      else if (removal.kind === "already-gone") alreadyGone++;
      else failed.push({ index, code: removal.code });
    });
    const quotaCode = await quota?.finish();
    if (quotaCode !== undefined) {
      this.#options.onEvent({ kind: "quota-not-updated", path: this.path, code: quotaCode });
    }
    await this.#markSeen([...retrieved].filter((index) => !deleted.has(index)));
    await forEachParallel(changedFolders, parallel, async (path) => {
      const code = await syncFolder(files, path);
      if (code !== undefined) this.#options.onEvent({ kind: "not-synced", path, code });
    });
    return { removed, alreadyGone, failed: failed.sort((a, b) => a.index - b.index) };
  }

  /** Ends the session without UPDATE, or after it. Again is harmless. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const work = this.#finish();
    if (work === undefined) {
      this.#settleClosed();
      return;
    }
    const done = work.then(() => {
      if (closing.get(this.path) === done) closing.delete(this.path);
      this.#settleClosed();
    });
    closing.set(this.path, done);
  }

  /** Undefined when all was done at once. */
  #finish(): Promise<void> | undefined {
    if (this.#measuring === undefined && !this.#isIndexStale) {
      this.#keepSnapshot();
      return this.#lock.release();
    }
    return this.#finishLater();
  }

  async #finishLater(): Promise<void> {
    await this.#measuring;
    if (this.#isIndexStale) {
      const { files, now, onEvent } = this.#options;
      const unique = `${Math.floor(now() / 1000)}.P${process.pid}Q${++indexesWritten}`;
      const code = await writeIndex(files, this.path, this.#list, unique);
      if (code !== undefined) onEvent({ kind: "index-not-written", path: this.path, code });
    }
    this.#keepSnapshot();
    await this.#lock.release();
  }

  #keepSnapshot(): void {
    const { snapshots } = this.#options;
    snapshots?.put(this.path, { list: this.#list, stamps: this.#stamps, isExact: this.#isExact });
  }

  async #measure(): Promise<void> {
    const { parallel, onEvent } = this.#options;
    const failures: { index: number; code: string }[] = [];
    const buffers: Buffer[] = [];
    await forEachParallel(this.#unknown(), parallel, async (index) => {
      if (this.#isClosed) return;
      const buffer = buffers.pop() ?? takeBuffer();
      const code = await this.#measureMessage(index, buffer);
      buffers.push(buffer);
      if (code !== undefined) failures.push({ index, code });
    });
    buffers.forEach(giveBackBuffer);
    const [first] = failures;
    if (first === undefined) return;
    const uniqueId = this.uniqueId(first.index);
    onEvent({ kind: "not-measured", count: failures.length, uniqueId, code: first.code });
  }

  *#unknown(): Generator<number> {
    for (let index = 0; index < this.count; index++) {
      if (this.#list.knowledge(index) === UNKNOWN) yield index;
    }
  }

  /** Returns the errno's name when the octets had to be guessed. */
  async #measureMessage(index: number, buffer: Buffer): Promise<string | undefined> {
    const { files } = this.#options;
    const found = await whereverItStands(this.#places, index, async (path) => {
      const opened = await openRegularFile(files, path);
      if (opened.kind === "not-a-file") throw Object.assign(new Error("not a file"), { code: "EFTYPE" });
      try {
        const counted = await countOctets(files, opened.fd, buffer, opened.bytes, () => this.#isClosed);
        if (counted !== undefined && this.#list.knowledge(index) !== COUNTED) {
          this.#list.setOctets(index, COUNTED, counted.octets, counted.bytes);
          this.#isIndexStale = true;
        }
      } finally {
        files.close(opened.fd);
      }
    });
    if (found.kind === "removed") return undefined;
    // LIST needs a number; RETR will say what is wrong.
    this.#list.setOctets(index, GUESSED, sizesFromName(this.#list.baseName(index)).bytes ?? 0);
    return found.kind === "failed" ? found.code : undefined;
  }

  async #markSeen(indexes: readonly number[]): Promise<void> {
    const { files, parallel, onEvent } = this.#options;
    if (!this.#options.markSeen) return;
    const failures: { index: number; code: string }[] = [];
    await forEachParallel(indexes, parallel, async (index) => {
      const code = await markSeen(files, this.#places, index);
      if (code !== undefined) failures.push({ index, code });
    });
    const [first] = failures;
    if (first === undefined) return;
    const uniqueId = this.uniqueId(first.index);
    onEvent({ kind: "seen-not-marked", count: failures.length, uniqueId, code: first.code });
  }

  /** Lists again: one reading finds all that were moved. */
  async #refind(index: number): Promise<boolean> {
    if (this.#gone.has(index)) return false;
    this.#refinding ??= this.#relocate().finally(() => {
      this.#refinding = undefined;
    });
    await this.#refinding;
    return !this.#gone.has(index);
  }

  async #relocate(): Promise<void> {
    const { files, now } = this.#options;
    const { names, folders } = await listFolders(files, this.path, now);
    for (const index of this.#list.relocate(names, folders)) this.#gone.add(index);
  }
}

/** Sessions of this process that are over but for their background work, by path. */
const closing = new Map<string, Promise<void>>();

const DEFAULTS: Required<MaildropOptions> = {
  onEvent: () => {},
  now: Date.now,
  files: systemFiles,
  quickReads: QuickReads.at,
  lock: "flock",
  snapshots: undefined,
  markSeen: true,
  parallel: 8,
};

const MAX_EXAMPLES = 5;

async function acquireLock(
  path: string,
  { files, lock, onEvent }: Required<MaildropOptions>,
): Promise<LockResult> {
  const acquire = async (): Promise<LockResult> => {
    switch (lock) {
      case "flock":
        return acquireFlock(files, path);
      case "dotlock":
      case "none":
        return { kind: "acquired", lock: noLock };
      default:
        return lock satisfies never;
    }
  };
  let result: LockResult;
  try {
    result = await acquire();
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
    for (const made of await makeFolder(files, path)) onEvent({ kind: "made-folder", path: made });
    result = await acquire();
  }
  if (result.kind === "acquired" && result.substitute !== undefined) {
    onEvent({ kind: "lock-substitute", path: `${path}/${LOCK_FILE}`, code: result.substitute });
  }
  return result;
}

interface Listed extends Snapshot {
  readonly isIndexStale: boolean;
}

/** The messages, by the cheapest way that is exact: from memory, or listed anew with the sizes that are known. */
async function listMessages(path: string, settings: Required<MaildropOptions>): Promise<Listed> {
  const { files, now, onEvent, snapshots } = settings;
  const stamps = await stampFolders(files, path);
  const remembered = snapshots?.take(path);
  const snapshot = remembered && areSameFolders(remembered.stamps, stamps) ? remembered : undefined;
  if (snapshot?.isExact && sameStamps(snapshot.stamps, stamps)) return { ...snapshot, isIndexStale: false };
  await makeMissingFolders(
    path,
    stamps.map((stamp) => stamp !== undefined),
    settings,
  );
  const listing = await listFolders(files, path, now);
  const list = MessageList.fromListing(listing.names, listing.folders);
  tellOddities(path, listing, list, onEvent);
  let isIndexStale = false;
  if (snapshot !== undefined) list.learnFrom(snapshot.list);
  // For a few new messages the whole index is not worth reading: they are not in it, or soon counted.
  if (list.unknownCount > (snapshot === undefined ? 0 : FEW_MESSAGES)) {
    const index = await readIndex(files, path, 2 * list.count + SPARE_ENTRIES);
    if (index.kind === "index") list.learnFrom(index.list);
    if (index.kind === "unusable") {
      isIndexStale = list.count > 0;
      onEvent({ kind: "index-unusable", path: `${path}/${INDEX_FILE}`, reason: index.reason });
    }
  }
  list.learnFromNames();
  return { list, stamps: listing.stamps, isExact: listing.isExact, isIndexStale };
}

const FEW_MESSAGES = 100;
/** An index may have as many entries more than the maildrop has messages, and once again as many as it has. */
const SPARE_ENTRIES = 10_000;
let indexesWritten = 0;

async function makeMissingFolders(
  path: string,
  isThere: readonly boolean[],
  { files, onEvent }: Required<MaildropOptions>,
): Promise<void> {
  let firstError: unknown;
  let missing = 0;
  for (const [folder, name] of [...FOLDER_NAMES, "tmp"].entries()) {
    if (isThere[folder] === true) continue;
    const folderPath = `${path}/${name}`;
    try {
      for (const made of await makeFolder(files, folderPath)) onEvent({ kind: "made-folder", path: made });
    } catch (error) {
      firstError ??= error;
      if (folder < FOLDER_NAMES.length) missing++;
      onEvent({ kind: "folder-not-made", path: folderPath, code: codeOf(error) });
    }
  }
  if (missing === FOLDER_NAMES.length) throw firstError;
}

function tellOddities(
  path: string,
  { ignored, isStable }: FolderListing,
  list: MessageList,
  onEvent: (event: MaildropEvent) => void,
): void {
  const pathTo = (folder: number, name: string) => `${path}/${FOLDER_NAMES[folder]}/${name}`;
  if (ignored.length > 0) {
    const examples = ignored
      .slice(0, MAX_EXAMPLES)
      .map(({ folder, name, type }) => ({ path: pathTo(folder, name), type }));
    onEvent({ kind: "ignored-entries", count: ignored.length, examples });
  }
  if (!isStable) return;
  for (const { index, folder, name } of list.duplicates.slice(0, MAX_EXAMPLES)) {
    onEvent({ kind: "duplicate", path: pathTo(folder, name), uniqueId: list.uniqueId(index) });
  }
}

const MAX_POOLED = 16;
const pool: Buffer[] = [];

function takeBuffer(): Buffer {
  return pool.pop() ?? Buffer.allocUnsafeSlow(COUNT_BUFFER_BYTES);
}

function giveBackBuffer(buffer: Buffer): void {
  if (pool.length < MAX_POOLED) pool.push(buffer);
}
