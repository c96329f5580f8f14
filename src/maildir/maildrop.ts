// A Maildir as a maildrop: locked for the session, its messages in a fixed order, changed by UPDATE alone. Opened by the
// mailbox process after it has checked the ticket; runs with the uid of the mail's owner.
import { type Failure, failureOf } from "./files/failure.ts";
import { systemFiles } from "./files/files.ts";
import { promptFiles } from "./files/prompt-files.ts";
import type { QuickReads } from "./files/quick-reads.ts";
import { type FolderStamps, listFolders } from "./list/folders.ts";
import { IndexWriter } from "./list/index-file.ts";
import { type Listed, listMessages } from "./list/list-messages.ts";
import type { MessageList } from "./list/message-list.ts";
import { type MessagePlaces, pathOf, whereverItStands } from "./list/message-places.ts";
import { UNKNOWN } from "./list/message-sizes.ts";
import { acquireLock } from "./lock/acquire-lock.ts";
import { LOCK_FILE, type MaildropLock } from "./lock/lock.ts";
import { type MaildropOptions, type MaildropSettings, maildropSettings } from "./maildrop-options.ts";
import { MessageFile, openRegularFile, readShortFile } from "./message.ts";
import { type Counted, changesSizes, type Presentation, presentedOctets } from "./presentation.ts";
import { type MeasureContext, measureMessages } from "./sizes/measure.ts";
import { CLEAN_EVERY_MS, cleanTmp } from "./update/tmp-files.ts";
import { type UpdateRequest, type UpdateResult, updateMaildir } from "./update/update.ts";

export type OpenResult =
  | { readonly kind: "open"; readonly maildrop: Maildrop }
  /** Another session has it. */
  | { readonly kind: "locked" }
  | Failure;

export type OpenMessageResult =
  | { readonly kind: "message"; readonly file: MessageFile }
  /** Another program removed it. */
  | { readonly kind: "gone" }
  | Failure;

export class Maildrop {
  readonly path: string;
  /** Settles when nothing of this maildrop runs any more and its lock is free. */
  readonly closed: Promise<void>;
  #settings: MaildropSettings;
  readonly #lock: MaildropLock;
  readonly #list: MessageList;
  readonly #stamps: FolderStamps;
  /** As long as the folders have `#stamps`, the list is what is in them. */
  #isExact: boolean;
  #oldestKeptMs: number | undefined;
  #tmpCleanedAtMs: number | undefined;
  #cleaning: Promise<void> | undefined;
  readonly #index: IndexWriter;
  readonly #places: MessagePlaces;
  /** Found missing once: a base name never comes back. */
  #gone: Set<number> | undefined;
  /** Sizes as stored of messages that were opened, for `correctOctets`. */
  #openedBytes: Map<number, number> | undefined;
  readonly #quickReads: QuickReads;
  /** 0 once told sizes are looked at, or believed. */
  #toldCheckMs: number;
  #refinding: Promise<void> | undefined;
  #measuring: Promise<void> | undefined;
  #onCounted: ((bytes: number) => void) | undefined;
  #settleClosed: () => void = () => {};
  #isClosed = false;

  private constructor(
    path: string,
    settings: MaildropSettings,
    lock: MaildropLock,
    { list, stamps, isExact, isIndexStale, oldestKeptMs, tmpCleanedAtMs }: Listed,
    quickReads: QuickReads | undefined,
  ) {
    this.path = path;
    this.#settings = settings;
    this.#lock = lock;
    this.#list = list;
    this.present(settings.presentation);
    this.#toldCheckMs = settings.toldCheckMs;
    this.#stamps = stamps;
    this.#isExact = isExact;
    this.#oldestKeptMs = oldestKeptMs;
    this.#tmpCleanedAtMs = lock.changedAtMs ?? tmpCleanedAtMs;
    this.#index = new IndexWriter(path, list, settings, isIndexStale);
    this.#quickReads = quickReads ?? settings.quickReads(path);
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
    const { now, readOnly } = settings;
    if (!readOnly && now() - (this.#tmpCleanedAtMs ?? 0) >= CLEAN_EVERY_MS) this.#cleaning = this.#cleanTmp();
  }

  /** Locks and lists the Maildir at an absolute path; makes it where it is missing. Reads no message. */
  static async open(path: string, options: MaildropOptions = {}): Promise<OpenResult> {
    const settings = maildropSettings(options);
    // A session of this process that is over may still be writing its index, under its lock.
    await closing.get(path);
    let lock: MaildropLock | undefined;
    // Known from the last session here, which is what makes it likely that the kernel remembers, too.
    const quickReads = settings.snapshots?.quickReadsOf(path);
    const opening = quickReads === undefined ? settings : promptSettings(settings, quickReads);
    try {
      const acquired = await acquireLock(path, opening);
      if (acquired.kind === "locked") return acquired;
      lock = acquired.lock;
      const listed = await listMessages(path, opening);
      if (listed.kind === "failed") {
        await lock.release();
        return listed;
      }
      return { kind: "open", maildrop: new Maildrop(path, settings, lock, listed, quickReads) };
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
    return this.uncountedCount === 0;
  }

  get presentation(): Presentation {
    return this.#settings.presentation;
  }

  /** For a client whose choices were not known when it was opened: before anything is asked of it. */
  present(presentation: Presentation): void {
    const { surrogate, utf8Headers } = presentation;
    if (utf8Headers === "surrogate") this.#list.sizes.forgetOtherSurrogates(surrogate);
    this.#settings = { ...this.#settings, presentation };
  }

  /** Octets as sent to this client; 0 while unknown. @param index from 0, in message number order */
  octets(index: number): number {
    const octets = this.#list.sizes.octets(index);
    const traits = this.#list.sizes.traits(index);
    return traits === undefined ? octets : presentedOctets({ octets, traits }, this.presentation);
  }

  /** Of all messages together, to this client. Kept, not added up: of 100,000 messages few differ from client to client. */
  get totalOctets(): number {
    let total = this.#list.sizes.totalOctets;
    for (const [index, traits] of this.#list.sizes.withTraits) {
      const octets = this.#list.sizes.octets(index);
      total += presentedOctets({ octets, traits }, this.presentation) - octets;
    }
    return total;
  }

  /** What was counted in the file that `readMessageNow` has just read, if it was that. */
  counted(index: number): Counted | undefined {
    const counted = this.#list.sizes.counted(index);
    return counted?.bytes === this.#openedBytes?.get(index) ? counted : undefined;
  }

  uniqueId(index: number): string {
    return this.#list.uniqueId(index);
  }

  /** Messages that `measure` would count or look at. */
  get uncountedCount(): number {
    const isToldChecked = this.#toldCheckMs > 0 && changesSizes(this.presentation);
    return this.#list.sizes.unknownCount + (isToldChecked ? this.#list.sizes.toldCount : 0);
  }

  /**
   * Counts all unknown sizes. Never rejects: what cannot be read gets a guess. `close` ends it early.
   *
   * @param onCounted told the size as stored after each message
   */
  measure(onCounted?: (bytes: number) => void): Promise<void> {
    this.#onCounted = onCounted;
    if (this.measured || this.#isClosed) return Promise.resolve();
    this.#measuring ??= measureMessages(this.#measureContext()).finally(() => {
      this.#measuring = undefined;
      if (!this.#isClosed) this.#toldCheckMs = 0;
    });
    return this.#measuring;
  }

  /** Opens a message's file, wherever other programs have put it. The caller closes it. */
  async openMessage(index: number): Promise<OpenMessageResult> {
    const { files } = this.#settings;
    let result: OpenMessageResult | undefined;
    const found = await whereverItStands(this.#places, index, async (path) => {
      const opened = await openRegularFile(files, path);
      if (opened.kind === "not-a-file") {
        const reason = `cannot open message ${path}: not a regular file any more`;
        result = { kind: "failed", code: "EFTYPE", reason, permanent: true };
        return;
      }
      this.#opened(index, opened.bytes);
      const counted = this.#list.sizes.counted(index);
      result = { kind: "message", file: new MessageFile(files, opened.fd, opened.bytes, counted) };
    });
    if (found.kind === "already-gone") return { kind: "gone" };
    if (found.kind === "failed") {
      const path = String(pathOf(this.path, this.#places.place(index)));
      return failureOf(files, "open message", path, found);
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
    const read = this.#readNow(index, buffer);
    if (read !== undefined) this.#opened(index, read.length);
    return read;
  }

  #opened(index: number, bytes: number): void {
    this.#openedBytes ??= new Map();
    this.#openedBytes.set(index, bytes);
  }

  #readNow(index: number, buffer: Uint8Array): Uint8Array | undefined {
    if (this.#settings.files !== systemFiles || !this.#quickReads.allows()) return undefined;
    const begin = performance.now();
    const read = readShortFile(pathOf(this.path, this.#places.place(index)), buffer);
    this.#quickReads.took(performance.now() - begin);
    return read;
  }

  /** What was counted while the message was sent. Call it after each RETR: a size that was only told becomes a counted one. */
  correctOctets(index: number, counted: Omit<Counted, "bytes">): void {
    const bytes = this.#openedBytes?.get(index);
    if (bytes === undefined) return;
    const before = this.#list.sizes.counted(index);
    const told = this.octets(index);
    const isUnknown = this.#list.sizes.knowledge(index) === UNKNOWN;
    this.#list.sizes.setCounted(index, { ...counted, bytes });
    const octets = this.octets(index);
    if (before?.bytes === bytes && before.octets === counted.octets && told === octets) return;
    if (!isUnknown && told !== octets) {
      const uniqueId = this.uniqueId(index);
      this.#settings.onEvent({ kind: "size-corrected", uniqueId, toldOctets: told, octets });
    }
    this.#index.learned();
  }

  /**
   * The UPDATE state: removes marked messages, moves retrieved ones to cur/ with flag S. The lock stays: `close` frees
   * it. Where somebody broke the lock, nothing is removed: another session may have given these messages out.
   */
  async update(request: UpdateRequest): Promise<UpdateResult> {
    if (this.#isClosed) throw new Error("maildrop is closed");
    if (!(await this.#lock.isHeld())) {
      this.#settings.onEvent({ kind: "lock-lost", path: `${this.path}/${LOCK_FILE}` });
      const failed = [...request.deleted].map((index) => ({ index, code: "ENOLCK" }));
      return { removed: 0, alreadyGone: 0, failed, expired: 0 };
    }
    const context = {
      list: this.#list,
      places: this.#places,
      settings: promptSettings(this.#settings, this.#quickReads),
      oldestKeptMs: this.#oldestKeptMs,
      onRemoved: () => {
        this.#isExact = false;
      },
      onPruned: (oldestKeptMs: number) => {
        this.#oldestKeptMs = oldestKeptMs;
      },
    };
    const result = await updateMaildir(context, request);
    const { removed, alreadyGone, expired } = result;
    if (removed + alreadyGone + expired === this.count && !this.#list.hasInherited) this.#index.emptied();
    return result;
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
    if (this.#measuring === undefined && this.#cleaning === undefined && !this.#index.isBusy) {
      this.#keepSnapshot();
      return this.#lock.release();
    }
    return this.#finishLater();
  }

  async #finishLater(): Promise<void> {
    await this.#measuring;
    await this.#cleaning;
    await this.#index.finish(this.#isExact ? this.#stamps : undefined);
    this.#keepSnapshot();
    await this.#lock.release();
  }

  #keepSnapshot(): void {
    const { snapshots } = this.#settings;
    snapshots?.put(this.path, {
      list: this.#list,
      stamps: this.#stamps,
      isExact: this.#isExact,
      quickReads: this.#quickReads,
      oldestKeptMs: this.#oldestKeptMs,
      tmpCleanedAtMs: this.#tmpCleanedAtMs,
    });
  }

  async #cleanTmp(): Promise<void> {
    const { files, now, onEvent } = this.#settings;
    const { removed, code, isDone } = await cleanTmp(files, this.path, now());
    if (removed > 0 || code !== "") onEvent({ kind: "tmp-cleaned", path: this.path, removed, code });
    if (isDone) {
      this.#tmpCleanedAtMs = now();
      // Where the lock file is another's, each process remembers for itself.
      await this.#lock.touch(now()).catch(() => {});
    }
    this.#cleaning = undefined;
  }

  #measureContext(): MeasureContext {
    return {
      list: this.#list,
      places: this.#places,
      settings: this.#settings,
      toldCheckMs: changesSizes(this.presentation) ? this.#toldCheckMs : 0,
      readNow: (index, buffer) => this.#readNow(index, buffer),
      shouldStop: () => this.#isClosed,
      onCounted: (bytes) => {
        this.#index.counted();
        this.#onCounted?.(bytes);
      },
    };
  }

  /** Lists again: one reading finds all that were moved. */
  async #refind(index: number): Promise<boolean> {
    if (this.#gone?.has(index)) return false;
    this.#refinding ??= this.#relocate().finally(() => {
      this.#refinding = undefined;
    });
    await this.#refinding;
    return this.#gone?.has(index) !== true;
  }

  async #relocate(): Promise<void> {
    const { names, folders } = await listFolders(this.path, this.#settings);
    this.#gone = new Set([...(this.#gone ?? []), ...this.#list.relocate(names, folders)]);
    // The list was not what is in the folders: perhaps because the index that it came from lied.
    this.#isExact = false;
    this.#index.learned();
  }
}

/** Those of tests have files of their own. */
function promptSettings(settings: MaildropSettings, quickReads: QuickReads): MaildropSettings {
  return settings.files === systemFiles ? { ...settings, files: promptFiles(quickReads) } : settings;
}

/** Sessions of this process that are over but for their background work, by path. */
const closing = new Map<string, Promise<void>>();
