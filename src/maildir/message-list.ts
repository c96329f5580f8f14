// The messages of a maildrop in message number order, as columns: a list of 100,000 takes some 8 MB and few objects, so
// that a mailbox process can keep many. Made by Maildrop from a listing; outlives it in the snapshot cache.
import { baseName, compareDelivery, deliveryTimeUs, sizesFromName } from "./filename.ts";
import type { Folder } from "./folders.ts";
import type { CountedOctets } from "./message.ts";
import { digestOf, uniqueIdOf } from "./unique-id.ts";

/** How the octets of a message came to be known. */
export const UNKNOWN = 0;
/** A stand-in for a message that cannot be read; never stored. */
export const GUESSED = 1;
/** Told by a name's `,W=` or another server's list. */
export const TOLD = 2;
/** Counted by us in a file of the size that `bytes` says. */
export const COUNTED = 3;
export type Knowledge = typeof UNKNOWN | typeof GUESSED | typeof TOLD | typeof COUNTED;

/** A second file with the base name of a message; it is not served. */
export interface Duplicate {
  readonly index: number;
  readonly folder: Folder;
  readonly name: string;
}

/** What a list is made of. */
export interface Columns {
  /** All names, one after the other. */
  readonly names: Buffer;
  /** Where each begins; where the last one ends stands behind it. */
  readonly offsets: Uint32Array;
  readonly baseLengths: Uint8Array;
  readonly folders: Uint8Array;
}

export class MessageList {
  readonly count: number;
  readonly duplicates: readonly Duplicate[];
  readonly #names: Buffer;
  readonly #offsets: Uint32Array;
  readonly #baseLengths: Uint8Array;
  readonly #folders: Uint8Array;
  readonly #octets: Float64Array;
  readonly #bytes: Float64Array;
  readonly #knowledge: Uint8Array;
  /** Names that changed since. */
  readonly #renamed = new Map<number, string>();
  /** Unique-ids that are not made from the base name. */
  #inheritedIds: Map<number, string> | undefined;
  #replacedIds: Map<number, string> | undefined;
  #unknownCount: number;

  private constructor({ names, offsets, baseLengths, folders }: Columns, duplicates: readonly Duplicate[]) {
    const count = baseLengths.length;
    this.count = count;
    this.duplicates = duplicates;
    this.#names = names;
    this.#offsets = offsets;
    this.#baseLengths = baseLengths;
    this.#folders = folders;
    this.#octets = new Float64Array(count);
    this.#bytes = new Float64Array(count);
    this.#knowledge = new Uint8Array(count);
    this.#unknownCount = count;
  }

  /** Puts listed files in order of delivery. Of two with one base name the one listed later is served. */
  static fromListing(names: readonly string[], folders: readonly Folder[]): MessageList {
    const times = Float64Array.from(names, deliveryTimeUs);
    // An array, because its sort is quick on what is almost in order, as a listing mostly is.
    const order = Array.from(names, (_, position) => position).sort(
      (a, b) => compareDelivery(times[a]!, names[a]!, times[b]!, names[b]!) || a - b,
    );
    const sortedNames: string[] = [];
    const sortedFolders: Folder[] = [];
    const duplicates: Duplicate[] = [];
    let previousBase: string | undefined;
    for (const position of order) {
      const name = names[position]!;
      const base = baseName(name);
      if (base === previousBase) {
        const index = sortedNames.length - 1;
        duplicates.push({ index, folder: sortedFolders.pop()!, name: sortedNames.pop()! });
      }
      sortedNames.push(name);
      sortedFolders.push(folders[position]!);
      previousBase = base;
    }
    const offsets = new Uint32Array(sortedNames.length + 1);
    const baseLengths = new Uint8Array(sortedNames.length);
    let offset = 0;
    sortedNames.forEach((name, index) => {
      const colon = name.indexOf(":");
      baseLengths[index] = colon === -1 ? name.length : colon;
      offset += name.length;
      offsets[index + 1] = offset;
    });
    // Copied: a buffer of its own, not a part of the pool that short ones come from.
    const bytes = Buffer.allocUnsafeSlow(offset);
    bytes.write(sortedNames.join(""), "latin1");
    const columns = { names: bytes, offsets, baseLengths, folders: Uint8Array.from(sortedFolders) };
    return new MessageList(columns, duplicates);
  }

  /** Names that are in order of delivery already, as an index has them. */
  static fromColumns(columns: Columns): MessageList {
    return new MessageList(columns, []);
  }

  /** A name with a line end in it: such things are. */
  get hasLineEnds(): boolean {
    return this.#names.includes("\n");
  }

  /** Messages whose size nobody knows yet. */
  get unknownCount(): number {
    return this.#unknownCount;
  }

  /** Where the file stood when last seen. */
  name(index: number): string {
    return (
      this.#renamed.get(index) ??
      this.#names.toString("latin1", this.#offsets[index]!, this.#offsets[index + 1]!)
    );
  }

  folder(index: number): Folder {
    return this.#folders[index] as Folder;
  }

  baseName(index: number): string {
    const begin = this.#offsets[index]!;
    return this.#names.toString("latin1", begin, begin + this.#baseLengths[index]!);
  }

  /** Another program, or UPDATE, renamed the file; its base name is the same. */
  setPlace(index: number, folder: Folder, name: string): void {
    this.#folders[index] = folder;
    if (name !== this.name(index)) this.#renamed.set(index, name);
  }

  uniqueId(index: number): string {
    return (
      this.#inheritedIds?.get(index) ?? this.#replacedIds?.get(index) ?? uniqueIdOf(this.baseName(index))
    );
  }

  /** The unique-id that another server gave the message before, if it did. */
  inheritedId(index: number): string | undefined {
    return this.#inheritedIds?.get(index);
  }

  /**
   * Takes over unique-ids of another server. What would be there twice is made from the base name instead: of two
   * messages with one inherited id the later one's, and that of a message whose own id another one inherited.
   */
  setInheritedIds(ids: ReadonlyMap<number, string>): void {
    this.#inheritedIds = undefined;
    this.#replacedIds = undefined;
    if (ids.size === 0) return;
    const inherited = new Map<number, string>();
    const taken = new Set<string>();
    for (const [index, id] of [...ids].sort(([a], [b]) => a - b)) {
      if (taken.has(id)) continue;
      taken.add(id);
      inherited.set(index, id);
    }
    const replaced = new Map<number, string>();
    for (let index = 0; index < this.count; index++) {
      if (!inherited.has(index) && taken.has(this.uniqueId(index))) {
        replaced.set(index, digestOf(this.baseName(index)));
      }
    }
    this.#inheritedIds = inherited;
    this.#replacedIds = replaced;
  }

  knowledge(index: number): Knowledge {
    return this.#knowledge[index] as Knowledge;
  }

  /** Octets as sent; 0 while unknown. */
  octets(index: number): number {
    return this.#octets[index]!;
  }

  /** Size as stored of the file that the octets were counted in; 0 while they were not. */
  bytes(index: number): number {
    return this.#bytes[index]!;
  }

  counted(index: number): CountedOctets | undefined {
    return this.#knowledge[index] === COUNTED
      ? { octets: this.#octets[index]!, bytes: this.#bytes[index]! }
      : undefined;
  }

  setOctets(index: number, knowledge: Knowledge, octets: number, bytes = 0): void {
    if (this.#knowledge[index] === UNKNOWN) this.#unknownCount--;
    if (knowledge === UNKNOWN) this.#unknownCount++;
    this.#knowledge[index] = knowledge;
    this.#octets[index] = octets;
    this.#bytes[index] = bytes;
  }

  /** Takes sizes from the names (`,W=`) where none is known. */
  learnFromNames(): void {
    if (this.#unknownCount === 0 || !this.#names.includes(",W=", 0, "latin1")) return;
    for (let index = 0; index < this.count; index++) {
      if (this.#knowledge[index] !== UNKNOWN) continue;
      const { octets } = sizesFromName(this.baseName(index));
      if (octets !== undefined) this.setOctets(index, TOLD, octets);
    }
  }

  /** Takes over what an older list of the same maildrop knows about the messages that are in both. */
  learnFrom(older: MessageList): void {
    const ids = new Map<number, string>();
    let position = 0;
    let olderTimeUs = 0;
    for (let index = 0; index < this.count; index++) {
      // Mostly the next one is the same; only where it is not, their order is worth working out.
      const isNext = position < older.count && this.#hasBaseOf(index, older, position);
      const base = isNext ? "" : this.baseName(index);
      const timeUs = isNext ? 0 : deliveryTimeUs(base);
      let order = isNext ? 0 : -1;
      if (!isNext && position < older.count) olderTimeUs = deliveryTimeUs(older.baseName(position));
      while (!isNext && position < older.count) {
        order = compareDelivery(olderTimeUs, older.baseName(position), timeUs, base);
        if (order >= 0) break;
        position++;
        if (position < older.count) olderTimeUs = deliveryTimeUs(older.baseName(position));
      }
      if (position === older.count) break;
      if (order !== 0) continue;
      const knowledge = older.knowledge(position);
      if (knowledge >= TOLD && this.knowledge(index) !== COUNTED)
        this.setOctets(index, knowledge, older.octets(position), older.bytes(position));
      const id = older.inheritedId(position);
      if (id !== undefined) ids.set(index, id);
      position++;
    }
    this.setInheritedIds(ids);
  }

  /** Whether two messages have one base name; without making strings of them. */
  #hasBaseOf(index: number, other: MessageList, otherIndex: number): boolean {
    const length = this.#baseLengths[index]!;
    if (other.#baseLengths[otherIndex] !== length) return false;
    const begin = this.#offsets[index]!;
    const otherBegin = other.#offsets[otherIndex]!;
    // From the end: names of one time differ there.
    for (let i = length - 1; i >= 0; i--) {
      if (this.#names[begin + i] !== other.#names[otherBegin + i]) return false;
    }
    return true;
  }

  /** Finds files again that another program renamed. @returns messages that are not among these names */
  relocate(names: readonly string[], folders: readonly Folder[]): ReadonlySet<number> {
    const places = new Map<string, number>();
    names.forEach((name, position) => {
      places.set(baseName(name), position);
    });
    const missing = new Set<number>();
    for (let index = 0; index < this.count; index++) {
      const position = places.get(this.baseName(index));
      if (position === undefined) missing.add(index);
      else this.setPlace(index, folders[position]!, names[position]!);
    }
    return missing;
  }
}
