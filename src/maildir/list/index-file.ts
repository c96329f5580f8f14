// Reads and writes `dewey-pop3.index` in the Maildir. Used by Maildrop in the mailbox process, as the mail's owner, under
// the maildrop's lock: nobody else writes it.
import type { Files } from "../files/files.ts";
import { readWholeFile } from "../files/read-whole-file.ts";
import { replaceFile } from "../files/replace-file.ts";
import type { MaildropSettings } from "../maildrop-options.ts";
import { type FolderStamps, sameStamps } from "./folders.ts";
import { formatIndex, MAX_HEADER_OCTETS, parseIndex, parseStamps } from "./index-format.ts";
import { writeInherited } from "./inherited-file.ts";
import type { MessageList } from "./message-list.ts";

export const INDEX_FILE = "dewey-pop3.index";

/** What an entry takes: two sizes, an inherited unique-id and a name of 255 bytes at most. */
const MAX_ENTRY_BYTES = 400;

export type ReadIndex =
  | { readonly kind: "index"; readonly list: MessageList; readonly stamps: FolderStamps | undefined }
  | { readonly kind: "missing" }
  /** It is made anew. `reason`: "damaged", "another version's", an errno's name … `hadInherited`: see `parseIndex` */
  | { readonly kind: "unusable"; readonly reason: string; readonly hadInherited: boolean };

/**
 * @param maxEntries an index with far more entries than the maildrop has messages is not read: its owner may have made
 * it to fill our memory
 */
export async function readIndex(files: Files, maildir: string, maxEntries: number): Promise<ReadIndex> {
  const read = await readWholeFile(files, `${maildir}/${INDEX_FILE}`, maxEntries * MAX_ENTRY_BYTES);
  if (read.kind === "octets") return parseIndex(read.octets);
  return read.kind === "missing" ? read : { ...read, hadInherited: false };
}

/**
 * The messages as the index lists them, if it was written for folders of these very times: no folder need be read.
 * Undefined for whatever other reason there is none; `readIndex` tells it.
 */
export async function readListing(
  files: Files,
  maildir: string,
  stamps: FolderStamps,
): Promise<MessageList | undefined> {
  const path = `${maildir}/${INDEX_FILE}`;
  const begin = await readWholeFile(files, path, MAX_LISTING_BYTES, MAX_HEADER_OCTETS);
  const told = begin.kind === "octets" ? parseStamps(begin.octets) : undefined;
  if (told === undefined || !sameStamps(told, stamps)) return undefined;
  const read = await readWholeFile(files, path, MAX_LISTING_BYTES);
  const index = read.kind === "octets" ? parseIndex(read.octets) : read;
  // The file may have been replaced meanwhile.
  if (index.kind !== "index" || index.stamps === undefined) return undefined;
  return sameStamps(index.stamps, stamps) ? index.list : undefined;
}

/** Some 500,000 entries: more than one process remembers. */
const MAX_LISTING_BYTES = 64 * 1024 * 1024;

/** Writes a maildrop's index: at the session's end if anything changed, and meanwhile while many sizes are counted. */
export class IndexWriter {
  readonly #maildir: string;
  readonly #list: MessageList;
  readonly #settings: MaildropSettings;
  #isStale: boolean;
  /** Written meanwhile: it does not tell the folders' times, without which the next process lists them. */
  #isProvisional = false;
  #countedSince = 0;
  #hasFailed = false;
  #writing: Promise<void> | undefined;

  /** @param isStale something is known that the index does not say */
  constructor(maildir: string, list: MessageList, settings: MaildropSettings, isStale: boolean) {
    this.#maildir = maildir;
    this.#list = list;
    this.#settings = settings;
    this.#isStale = isStale;
  }

  /** True when `finish` has something to do. */
  get isBusy(): boolean {
    return this.#isStale || this.#isProvisional || this.#writing !== undefined;
  }

  /** A size is known better than before. */
  learned(): void {
    this.#isStale = true;
  }

  /** No message is left: what is known of them is worth nothing any more. */
  emptied(): void {
    this.#isStale = false;
    this.#isProvisional = false;
  }

  /** A size was counted: every now and then all of them are written, so that a killed process has not counted in vain. */
  counted(): void {
    this.#isStale = true;
    if (++this.#countedSince < this.#settings.indexedAfter) return;
    // The session's end writes it in any case.
    if (this.#list.sizes.unknownCount + this.#list.sizes.toldCount === 0) return;
    if (this.#hasFailed || this.#writing !== undefined) return;
    this.#writing = this.#write().finally(() => {
      this.#writing = undefined;
    });
  }

  /** @param stamps of the folders, when the list is all that is in them */
  async finish(stamps: FolderStamps | undefined): Promise<void> {
    await this.#writing;
    const isDue = this.#isStale || (this.#isProvisional && stamps !== undefined);
    if (isDue && !this.#hasFailed) await this.#write(stamps);
  }

  async #write(stamps?: FolderStamps): Promise<void> {
    const { files, now, onEvent, readOnly } = this.#settings;
    if (readOnly) return;
    this.#isStale = false;
    this.#isProvisional = stamps === undefined;
    this.#countedSince = 0;
    const code =
      (await this.#backUpInherited()) ??
      (await replaceFile(files, this.#maildir, INDEX_FILE, formatIndex(this.#list, stamps), now()));
    if (code === undefined) return;
    this.#hasFailed = true;
    onEvent({ kind: "index-not-written", path: this.#maildir, code });
  }

  /** Unique-ids of another server stand in two files: no index is written while there is only one. */
  async #backUpInherited(): Promise<string | undefined> {
    if (!this.#list.hasInherited || this.#list.inheritedStamp !== undefined) return undefined;
    const { files, now } = this.#settings;
    const written = await writeInherited(files, this.#maildir, this.#list.inheritedEntries(), now());
    if (typeof written === "string") return written;
    this.#list.setInheritedStamp(written);
    return undefined;
  }
}
