// The messages of a maildrop in message number order, as columns: a list of 100,000 takes some 8 MB and few objects, so
// that a mailbox process can keep many. Made by Maildrop from a listing; outlives it in the snapshot cache.
import type { SurrogateKind } from "../../mime/surrogate.ts";
import { baseName, compareDelivery, deliveryTimeUs, sizesFromName } from "../filename.ts";
import type { Counted, Traits } from "../presentation.ts";
import { digestOf, uniqueIdOf } from "../unique-id.ts";
import type { Folder } from "./folders.ts";

/** How the octets of a message came to be known. */
export const UNKNOWN = 0;
/** A stand-in for a message that cannot be read; never stored. */
export const GUESSED = 1;
/** Told by a name's `,W=` or another server's list. */
export const TOLD = 2;
/** Told, and the same for every client: its headers were looked at. */
export const TOLD_FOR_ALL = 3;
/** Counted by us in a file of the size that `bytes` says. */
export const COUNTED = 4;
export type Knowledge = typeof UNKNOWN | typeof GUESSED | typeof TOLD | typeof TOLD_FOR_ALL | typeof COUNTED;

/** A second file with the base name of a message; it is not served. */
export interface Duplicate {
  readonly index: number;
  readonly folder: Folder;
  readonly name: string;
}

/** What a maildrop has from another server: its unique-ids and its order. */
export interface Inherited {
  /** Which `dewey-pop3.inherited` says the same; undefined where that is lost: it is to be written anew. */
  readonly stamp: InheritedStamp | undefined;
  /** Base name and unique-id, in order; entries of messages that are gone are normal. */
  readonly entries: Iterable<readonly [baseName: string, uniqueId: string]>;
}

export interface InheritedStamp {
  readonly mtimeNs: bigint;
  readonly bytes: number;
}

/** What a list is made of. */
export interface Columns {
  /** Holds all names; whatever else is in it does not matter. */
  readonly names: Buffer;
  /** Where each begins, and what it takes: 255 bytes at most. */
  readonly begins: Uint32Array;
  readonly lengths: Uint8Array;
  readonly baseLengths: Uint8Array;
  readonly folders: Uint8Array;
}

/** What is known of their sizes; unknown ones have 0. */
export interface Sizes {
  readonly octets: Float64Array;
  readonly bytes: Float64Array;
  readonly knowledge: Uint8Array;
  readonly traits: Map<number, Traits>;
}

export class MessageList {
  readonly count: number;
  readonly duplicates: readonly Duplicate[];
  readonly #names: Buffer;
  readonly #begins: Uint32Array;
  readonly #lengths: Uint8Array;
  readonly #baseLengths: Uint8Array;
  readonly #folders: Uint8Array;
  readonly #octets: Float64Array;
  readonly #bytes: Float64Array;
  readonly #knowledge: Uint8Array;
  /** Of counted messages, few of which have any. */
  readonly #traits: Map<number, Traits>;
  /** Names that changed since. */
  readonly #renamed = new Map<number, string>();
  /** Unique-ids of another server, which the first messages have. */
  #inheritedIds: readonly string[] = [];
  /** Of later messages whose base name is an inherited unique-id. */
  #replacedIds: ReadonlyMap<number, string> = new Map();
  #inheritedStamp: InheritedStamp | undefined;
  #hasInherited = false;
  #isInDeliveryOrder = true;
  #unknownCount = 0;
  #toldCount = 0;
  #totalOctets = 0;

  private constructor(
    { names, begins, lengths, baseLengths, folders }: Columns,
    duplicates: readonly Duplicate[],
    { octets, bytes, knowledge, traits }: Sizes = unknownSizes(baseLengths.length),
  ) {
    const count = baseLengths.length;
    this.count = count;
    this.duplicates = duplicates;
    this.#names = names;
    this.#begins = begins;
    this.#lengths = lengths;
    this.#baseLengths = baseLengths;
    this.#folders = folders;
    this.#octets = octets;
    this.#bytes = bytes;
    this.#knowledge = knowledge;
    this.#traits = traits;
    for (let index = 0; index < count; index++) {
      this.#totalOctets += octets[index]!;
      if (knowledge[index] === UNKNOWN) this.#unknownCount++;
      else if (knowledge[index] === TOLD) this.#toldCount++;
    }
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
    const begins = new Uint32Array(sortedNames.length);
    const lengths = new Uint8Array(sortedNames.length);
    const baseLengths = new Uint8Array(sortedNames.length);
    let end = 0;
    sortedNames.forEach((name, index) => {
      const colon = name.indexOf(":");
      baseLengths[index] = colon === -1 ? name.length : colon;
      begins[index] = end;
      lengths[index] = name.length;
      end += name.length;
    });
    // Copied: a buffer of its own, not a part of the pool that short ones come from.
    const bytes = Buffer.allocUnsafeSlow(end);
    bytes.write(sortedNames.join(""), "latin1");
    const columns = { names: bytes, begins, lengths, baseLengths, folders: Uint8Array.from(sortedFolders) };
    return new MessageList(columns, duplicates);
  }

  /** Names that are in order already, as an index has them. */
  static fromColumns(columns: Columns, sizes: Sizes, isInDeliveryOrder = true): MessageList {
    const list = new MessageList(columns, [], sizes);
    list.#isInDeliveryOrder = isInDeliveryOrder;
    return list;
  }

  /** Whether unique-ids were taken over from another server, though their messages may be gone. */
  get hasInherited(): boolean {
    return this.#hasInherited;
  }

  get inheritedStamp(): InheritedStamp | undefined {
    return this.#inheritedStamp;
  }

  /** The first so many messages have inherited unique-ids. */
  get inheritedCount(): number {
    return this.#inheritedIds.length;
  }

  /** False where another server had another order. */
  get isInDeliveryOrder(): boolean {
    return this.#isInDeliveryOrder;
  }

  /** A name with a line end in it: such things are. */
  get hasLineEnds(): boolean {
    for (let index = 0; index < this.count; index++) if (this.#storedName(index).includes("\n")) return true;
    return false;
  }

  /** Messages whose size nobody knows yet. */
  get unknownCount(): number {
    return this.#unknownCount;
  }

  /** Messages whose size somebody has told, and whose headers nobody has looked at. */
  get toldCount(): number {
    return this.#toldCount;
  }

  /** Where the file stood when last seen. */
  name(index: number): string {
    return this.#renamed.get(index) ?? this.#storedName(index);
  }

  #storedName(index: number): string {
    const begin = this.#begins[index]!;
    return this.#names.toString("latin1", begin, begin + this.#lengths[index]!);
  }

  folder(index: number): Folder {
    return this.#folders[index] as Folder;
  }

  baseName(index: number): string {
    const begin = this.#begins[index]!;
    return this.#names.toString("latin1", begin, begin + this.#baseLengths[index]!);
  }

  /** Another program, or UPDATE, renamed the file; its base name is the same. */
  setPlace(index: number, folder: Folder, name: string): void {
    this.#folders[index] = folder;
    if (name !== this.name(index)) this.#renamed.set(index, name);
  }

  uniqueId(index: number): string {
    return this.#inheritedIds[index] ?? this.#replacedIds.get(index) ?? uniqueIdOf(this.baseName(index));
  }

  *inheritedEntries(): Generator<readonly [baseName: string, uniqueId: string], void> {
    for (const [index, id] of this.#inheritedIds.entries()) yield [this.baseName(index), id];
  }

  /** `dewey-pop3.inherited` was written. */
  setInheritedStamp(stamp: InheritedStamp): void {
    this.#inheritedStamp = stamp;
  }

  /** These messages with another server's unique-ids and order; what it did not know comes behind, by delivery. */
  withInherited({ stamp, entries }: Inherited): MessageList {
    const positions = new Map<string, number>();
    for (let index = 0; index < this.count; index++) positions.set(this.baseName(index), index);
    const ids = new Set<string>();
    const order: number[] = [];
    for (const [base, id] of entries) {
      const index = positions.get(base);
      if (index === undefined || ids.has(id)) continue;
      positions.delete(base);
      ids.add(id);
      order.push(index);
    }
    for (const index of positions.values()) order.push(index);
    const list = this.#inOrder(order);
    list.adoptIds([...ids], stamp);
    return list;
  }

  /** The first messages' unique-ids, in their order, no two the same. What would be there twice gets a digest. */
  adoptIds(ids: readonly string[], stamp: InheritedStamp | undefined): void {
    const taken = new Set(ids);
    const replaced = new Map<number, string>();
    this.#inheritedIds = ids;
    for (let index = ids.length; index < this.count; index++) {
      const base = this.baseName(index);
      let id = uniqueIdOf(base);
      if (!taken.has(id)) continue;
      while (taken.has(id)) id = digestOf(`${id}\0${base}`);
      taken.add(id);
      replaced.set(index, id);
    }
    this.#replacedIds = replaced;
    this.#inheritedStamp = stamp;
    this.#hasInherited = true;
  }

  #inOrder(order: readonly number[]): MessageList {
    if (order.every((from, index) => from === index)) return this;
    const duplicatesOf = new Map(order.map((from, index) => [from, index]));
    const columns = {
      names: this.#names,
      begins: Uint32Array.from(order, (from) => this.#begins[from]!),
      lengths: Uint8Array.from(order, (from) => this.#lengths[from]!),
      baseLengths: Uint8Array.from(order, (from) => this.#baseLengths[from]!),
      folders: Uint8Array.from(order, (from) => this.#folders[from]!),
    };
    const duplicates = this.duplicates.map((duplicate) => {
      return { ...duplicate, index: duplicatesOf.get(duplicate.index)! };
    });
    const list = new MessageList(columns, duplicates);
    order.forEach((from, index) => {
      list.#takeSize(index, this, from);
      const renamed = this.#renamed.get(from);
      if (renamed !== undefined) list.#renamed.set(index, renamed);
    });
    list.#isInDeliveryOrder = false;
    return list;
  }

  knowledge(index: number): Knowledge {
    return this.#knowledge[index] as Knowledge;
  }

  /** Octets as sent; 0 while unknown. */
  octets(index: number): number {
    return this.#octets[index]!;
  }

  /** Of all messages together, as sent. */
  get totalOctets(): number {
    return this.#totalOctets;
  }

  /** Size as stored of the file that the octets were counted in; 0 while they were not. */
  bytes(index: number): number {
    return this.#bytes[index]!;
  }

  counted(index: number): Counted | undefined {
    return this.#knowledge[index] === COUNTED
      ? { octets: this.#octets[index]!, bytes: this.#bytes[index]!, traits: this.traits(index) }
      : undefined;
  }

  traits(index: number): Traits | undefined {
    return this.#traits.size === 0 ? undefined : this.#traits.get(index);
  }

  /** The messages that have any. */
  get withTraits(): Iterable<readonly [index: number, traits: Traits]> {
    return this.#traits;
  }

  setCounted(index: number, { octets, bytes, traits }: Counted): void {
    this.setOctets(index, COUNTED, octets, bytes);
    if (traits !== undefined) this.setTraits(index, traits);
  }

  /** Of a counted message. */
  setTraits(index: number, traits: Traits): void {
    this.#traits.set(index, traits);
  }

  /** What was counted for another kind of surrogate is worth nothing: `mail.utf8_headers` has changed. */
  forgetOtherSurrogates(kind: SurrogateKind): void {
    for (const [index, { surrogate }] of [...this.#traits]) {
      if (surrogate !== undefined && surrogate.kind !== kind) this.setOctets(index, UNKNOWN, 0);
    }
  }

  setOctets(index: number, knowledge: Knowledge, octets: number, bytes = 0): void {
    const before = this.#knowledge[index];
    if (before === UNKNOWN) this.#unknownCount--;
    else if (before === TOLD) this.#toldCount--;
    if (knowledge === UNKNOWN) this.#unknownCount++;
    else if (knowledge === TOLD) this.#toldCount++;
    if (this.#traits.size > 0) this.#traits.delete(index);
    this.#knowledge[index] = knowledge;
    this.#totalOctets += octets - this.#octets[index]!;
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

  /** Takes over what an older list of the same maildrop knows about sizes of the messages that are in both. */
  learnFrom(older: MessageList): void {
    if (!this.#isInDeliveryOrder || !older.isInDeliveryOrder) {
      this.#learnByName(older);
      return;
    }
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
      this.#learnSize(index, older, position);
      position++;
    }
  }

  #learnByName(older: MessageList): void {
    const positions = new Map<string, number>();
    for (let position = 0; position < older.count; position++)
      positions.set(older.baseName(position), position);
    for (let index = 0; index < this.count; index++) {
      const position = positions.get(this.baseName(index));
      if (position !== undefined) this.#learnSize(index, older, position);
    }
  }

  #learnSize(index: number, older: MessageList, position: number): void {
    if (older.knowledge(position) >= TOLD && this.knowledge(index) !== COUNTED)
      this.#takeSize(index, older, position);
  }

  #takeSize(index: number, from: MessageList, position: number): void {
    this.setOctets(index, from.knowledge(position), from.octets(position), from.bytes(position));
    const traits = from.traits(position);
    if (traits !== undefined) this.setTraits(index, traits);
  }

  /** Whether two messages have one base name; without making strings of them. */
  #hasBaseOf(index: number, other: MessageList, otherIndex: number): boolean {
    const length = this.#baseLengths[index]!;
    if (other.#baseLengths[otherIndex] !== length) return false;
    const begin = this.#begins[index]!;
    const otherBegin = other.#begins[otherIndex]!;
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

function unknownSizes(count: number): Sizes {
  return {
    octets: new Float64Array(count),
    bytes: new Float64Array(count),
    knowledge: new Uint8Array(count),
    traits: new Map(),
  };
}
