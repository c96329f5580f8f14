// The messages of a maildrop in message number order, as columns: a list of 100,000 takes some 8 MB and few objects, so
// that a mailbox process can keep many. Made by Maildrop from a listing; outlives it in the snapshot cache.
import { baseName, compareDelivery, deliveryTimeUs, sizesFromName } from "../filename.ts";
import { digestOf, uniqueIdOf } from "../unique-id.ts";
import { byDelivery, type Columns, type Duplicate } from "./by-delivery.ts";
import type { Folder } from "./folders.ts";
import { COUNTED, MessageSizes, type SizeColumns, TOLD, UNKNOWN } from "./message-sizes.ts";

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

export class MessageList {
  readonly count: number;
  readonly duplicates: readonly Duplicate[];
  readonly sizes: MessageSizes;
  readonly #names: Buffer;
  readonly #begins: Uint32Array;
  readonly #lengths: Uint8Array;
  readonly #baseLengths: Uint8Array;
  readonly #folders: Uint8Array;
  // Few lists have any of these, and many lists are kept.
  /** Names that changed since. */
  #renamed: Map<number, string> | undefined;
  /** Unique-ids of another server, which the first messages have. */
  #inheritedIds: readonly string[] = [];
  /** Of later messages whose base name is an inherited unique-id. */
  #replacedIds: ReadonlyMap<number, string> | undefined;
  #inheritedStamp: InheritedStamp | undefined;
  #hasInherited = false;
  #isInDeliveryOrder = true;

  private constructor(
    { names, begins, lengths, baseLengths, folders }: Columns,
    duplicates: readonly Duplicate[],
    sizes: MessageSizes = MessageSizes.unknown(baseLengths.length),
  ) {
    this.count = baseLengths.length;
    this.duplicates = duplicates;
    this.sizes = sizes;
    this.#names = names;
    this.#begins = begins;
    this.#lengths = lengths;
    this.#baseLengths = baseLengths;
    this.#folders = folders;
  }

  /** Puts listed files in order of delivery. Of two with one base name the one listed later is served. */
  static fromListing(names: readonly string[], folders: readonly Folder[]): MessageList {
    const { columns, duplicates } = byDelivery(names, folders);
    return new MessageList(columns, duplicates);
  }

  /** Names that are in order already, as an index has them. */
  static fromColumns(columns: Columns, sizes: SizeColumns, isInDeliveryOrder = true): MessageList {
    const list = new MessageList(columns, [], new MessageSizes(sizes));
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

  /** Where the file stood when last seen. */
  name(index: number): string {
    return this.#renamed?.get(index) ?? this.#storedName(index);
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
    if (name !== this.name(index)) this.#rename(index, name);
  }

  #rename(index: number, name: string): void {
    this.#renamed ??= new Map();
    this.#renamed.set(index, name);
  }

  uniqueId(index: number): string {
    return this.#inheritedIds[index] ?? this.#replacedIds?.get(index) ?? uniqueIdOf(this.baseName(index));
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
      list.sizes.take(index, this.sizes, from);
      const renamed = this.#renamed?.get(from);
      if (renamed !== undefined) list.#rename(index, renamed);
    });
    list.#isInDeliveryOrder = false;
    return list;
  }

  /** Takes sizes from the names (`,W=`) where none is known. */
  learnFromNames(): void {
    if (this.sizes.unknownCount === 0 || !this.#names.includes(",W=", 0, "latin1")) return;
    for (let index = 0; index < this.count; index++) {
      if (this.sizes.knowledge(index) !== UNKNOWN) continue;
      const { octets } = sizesFromName(this.baseName(index));
      if (octets !== undefined) this.sizes.setOctets(index, TOLD, octets);
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
    if (older.sizes.knowledge(position) >= TOLD && this.sizes.knowledge(index) !== COUNTED)
      this.sizes.take(index, older.sizes, position);
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
