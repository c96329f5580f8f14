// The text of `dewey-pop3.index`: octets as sent by base name, so that opening a known maildrop reads no message. Pure.
// It belongs to the mail's owner, who may write anything into it: whatever does not fit is worth nothing and is made anew.
import { crc32 } from "node:zlib";
import type { SurrogateKind } from "../../mime/surrogate.ts";
import { isPlausible } from "../filename.ts";
import type { Traits } from "../presentation.ts";
import { isUniqueId } from "../unique-id.ts";
import { CUR, type FolderStamp, type FolderStamps, NEW } from "./folders.ts";
import { type InheritedStamp, MessageList } from "./message-list.ts";
import { COUNTED, type Knowledge, TOLD, TOLD_FOR_ALL, UNKNOWN } from "./message-sizes.ts";

// dewey-pop3.index 1
// listing 64768 2301 1276533073000000000 1276533073000000000 1276530000000000000 64768 2302 …
// 2481 2433 k n 1276533073.M242911P3632.kurkku,S=2433
// …
// end 1 5d41402a
//
// The second line tells the times of new/ and cur/ (dev, ino, mtime, ctime, birth time in ns) for which the entries are all
// that is in them; "sizes" alone, when they are not. An entry: octets as sent, bytes as stored (0 when not known), how that is
// known, n(ew) or c(ur), name; in order of delivery. The last line has the number of entries and the CRC-32 of all before it.
//
// Known: t(old by a name or another server's list), a (told, and since its headers were looked at, for a(ll) clients), u(nknown),
// or counted by us and k(nown to be the same for every client); d or w, with headers in UTF-8: then follow the octets of what
// other clients get, which is d(owngraded) or w(rapped). K, D and W: no empty line ends the headers. c: counted by a version
// that did not look at headers, which is worth as much as told.
//
// 2481 2433 d 2533 n 1276533073.M242911P3632.kurkku,S=2433
//
// A maildrop with unique-ids of another server has version 2: the third line tells of which dewey-pop3.inherited they are
// (mtime in ns, bytes) and whether the entries are in order of d(elivery) or o(ther); each entry has ":" and the
// inherited unique-id before its name, or a bare ":". Those that have one come first.
//
// inherited 1276533073000000000 81 d
// 2481 2433 k n :000061b94c0907b0 1276533073.M242911P3632.kurkku,S=2433
const HEADER = "dewey-pop3.index 1\n";
const INHERITED_HEADER = "dewey-pop3.index 2\n";

export type ParsedIndex =
  /** `stamps`: as long as the folders have them, the list is what is in them. */
  | { readonly kind: "index"; readonly list: MessageList; readonly stamps: FolderStamps | undefined }
  /** `reason`: for the log. `hadInherited`: it told unique-ids of another server. */
  | { readonly kind: "unusable"; readonly reason: string; readonly hadInherited: boolean };

/**
 * The index in pieces, so that writing a large one keeps nobody waiting. Entries whose name would not survive the format
 * are left out: they are counted each time.
 *
 * @param stamps of the folders, when the list is all that is in them
 */
export function* formatIndex(list: MessageList, stamps?: FolderStamps): Generator<Buffer, void> {
  let checksum = 0;
  let count = 0;
  const isListing = stamps !== undefined && list.duplicates.length === 0 && !list.hasLineEnds;
  const { hasInherited, inheritedCount } = list;
  let text = `${hasInherited ? INHERITED_HEADER : HEADER}${isListing ? formatStamps(stamps) : "sizes"}\n`;
  if (hasInherited) {
    const { mtimeNs, bytes } = list.inheritedStamp ?? NO_STAMP;
    text += `inherited ${mtimeNs} ${bytes} ${list.isInDeliveryOrder ? "d" : "o"}\n`;
  }
  for (let index = 0; index < list.count; index++) {
    if (text.length > PIECE_OCTETS) {
      const piece = Buffer.from(text, "latin1");
      checksum = crc32(piece, checksum);
      text = "";
      yield piece;
    }
    const counted = list.sizes.counted(index);
    const knowledge = list.sizes.knowledge(index);
    const isTold = knowledge === TOLD || knowledge === TOLD_FOR_ALL;
    const isInherited = index < inheritedCount;
    if (counted === undefined && !isTold && !isListing && !isInherited) continue;
    const name = list.name(index);
    if (name.includes("\n")) continue;
    const sizes =
      counted !== undefined || isTold ? `${list.sizes.octets(index)} ${list.sizes.bytes(index)}` : "0 0";
    const kind = counted !== undefined ? formatTraits(counted.traits) : (TOLD_LETTERS.get(knowledge) ?? "u");
    const id = !hasInherited ? "" : `:${isInherited ? list.uniqueId(index) : ""} `;
    text += `${sizes} ${kind} ${list.folder(index) === NEW ? "n" : "c"} ${id}${name}\n`;
    count++;
  }
  const last = Buffer.from(text, "latin1");
  checksum = crc32(last, checksum);
  yield Buffer.concat([last, Buffer.from(`end ${count} ${checksum.toString(16).padStart(8, "0")}\n`)]);
}

/** The folders' times in an index's first octets, if they are there: whether reading the rest of it is worth while. */
export function parseStamps(begin: Buffer): FolderStamps | undefined {
  const [header, listing] = begin.toString("latin1", 0, MAX_HEADER_OCTETS).split("\n");
  if ((`${header}\n` !== HEADER && `${header}\n` !== INHERITED_HEADER) || listing === undefined)
    return undefined;
  const fields = /^listing((?: [0-9]{1,20}){10})$/.exec(listing)?.[1]?.slice(1).split(" ").map(BigInt);
  if (fields === undefined) return undefined;
  const stamp = ([dev, ino, mtimeNs, ctimeNs, birthtimeNs]: readonly bigint[]): FolderStamp => {
    return { dev: dev!, ino: ino!, mtimeNs: mtimeNs!, ctimeNs: ctimeNs!, birthtimeNs: birthtimeNs! };
  };
  return [stamp(fields.slice(0, 5)), stamp(fields.slice(5))];
}

/** What `parseStamps` looks at. */
export const MAX_HEADER_OCTETS = 256;

/** Read octet by octet, without a string for each entry: 100,000 of them are read within a login. */
export function parseIndex(octets: Buffer): ParsedIndex {
  const header = octets.toString("latin1", 0, HEADER.length);
  const hadInherited = header === INHERITED_HEADER;
  const unusable = (reason: string): ParsedIndex => ({ kind: "unusable", reason, hadInherited });
  if (!header.startsWith("dewey-pop3.index ")) return unusable("not an index");
  if (header !== HEADER && !hadInherited) return unusable("another version's");
  const end = octets.length < 2 ? -1 : octets.lastIndexOf(LF, octets.length - 2) + 1;
  const [, endCount, checksum] =
    /^end ([0-9]{1,9}) ([0-9a-f]{8})\n$/.exec(octets.toString("latin1", end)) ?? [];
  if (endCount === undefined || checksum === undefined) return unusable("truncated");
  if (crc32(octets.subarray(0, end)) !== Number.parseInt(checksum, 16)) return unusable("damaged");
  const list = parseList(octets.subarray(0, end), Number(endCount), hadInherited);
  if (list === undefined) return unusable("malformed");
  return { kind: "index", list, stamps: parseStamps(octets) };
}

function parseList(octets: Buffer, count: number, hasInherited: boolean): MessageList | undefined {
  const begin = octets.indexOf(LF, HEADER.length) + 1;
  if (!hasInherited) return parseEntries(octets, begin, count, undefined, true);
  const [line, mtimeNs, bytes, order] =
    /^inherited ([0-9]{1,20}) ([0-9]{1,15}) ([do])\n/.exec(
      octets.toString("latin1", begin, begin + MAX_HEADER_OCTETS),
    ) ?? [];
  if (line === undefined || mtimeNs === undefined) return undefined;
  const ids: string[] = [];
  const list = parseEntries(octets, begin + line.length, count, ids, order === "d");
  if (list === undefined || new Set(ids).size < ids.length) return undefined;
  list.adoptIds(ids, { mtimeNs: BigInt(mtimeNs), bytes: Number(bytes) });
  return list;
}

/**
 * Undefined when anything does not fit.
 *
 * @param ids takes the inherited unique-ids, where the entries have any
 */
function parseEntries(
  octets: Buffer,
  entriesBegin: number,
  count: number,
  ids: string[] | undefined,
  isInDeliveryOrder: boolean,
): MessageList | undefined {
  const end = octets.length;
  // Each entry has ten octets at least: a lie about their number costs no memory.
  if (count * 10 > end) return undefined;
  const begins = new Uint32Array(count);
  const lengths = new Uint8Array(count);
  const baseLengths = new Uint8Array(count);
  const folders = new Uint8Array(count);
  const octetsEach = new Float64Array(count);
  const bytesEach = new Float64Array(count);
  const knowledges = new Uint8Array(count);
  let traits: Map<number, Traits> | undefined;
  let entry = 0;
  for (let position = entriesBegin; position < end; entry++) {
    if (entry === count) return undefined;
    for (let field = 0; field < 2; field++) {
      const column = field === 0 ? octetsEach : bytesEach;
      const begin = position;
      let value = 0;
      let digit = octets[position]! - ZERO;
      while (digit >= 0 && digit <= 9) {
        value = value * 10 + digit;
        digit = octets[++position]! - ZERO;
      }
      if (position === begin || position - begin > 15 || octets[position++] !== SPACE) return undefined;
      column[entry] = value;
    }
    const letter = octets[position++]!;
    const knowledge = knowledgeOf(letter);
    if (knowledge === undefined || octets[position++] !== SPACE) return undefined;
    if (knowledge === COUNTED && letter !== K) {
      const kind = surrogateKindOf(letter);
      let surrogateOctets = 0;
      if (kind !== undefined) {
        const end = octets.indexOf(SPACE, position);
        const digits = octets.toString("latin1", position, Math.min(end, position + MAX_HEADER_OCTETS));
        if (!/^[0-9]{1,15}$/.test(digits)) return undefined;
        surrogateOctets = Number(digits);
        position = end + 1;
      }
      const surrogate = kind === undefined ? undefined : { kind, octets: surrogateOctets };
      traits ??= new Map();
      traits.set(entry, { surrogate, isHeaderOpen: (letter & LOWER_CASE) === 0 });
    }
    if (knowledge === COUNTED && !isPlausible(octetsEach[entry]!, bytesEach[entry]!)) return undefined;
    if (knowledge === UNKNOWN) octetsEach[entry] = bytesEach[entry] = 0;
    knowledges[entry] = knowledge;
    const folder = octets[position++];
    if ((folder !== N && folder !== C) || octets[position++] !== SPACE) return undefined;
    folders[entry] = folder === N ? NEW : CUR;
    if (ids !== undefined) {
      const idEnd = octets.indexOf(SPACE, position);
      if (octets[position] !== COLON || idEnd === -1 || idEnd - position > 71) return undefined;
      const id = octets.toString("latin1", position + 1, idEnd);
      position = idEnd + 1;
      if (id !== "") {
        if (ids.length < entry || !isUniqueId(id)) return undefined;
        ids.push(id);
      }
    }
    const begin = position;
    let baseEnd = -1;
    // A name that begins with a dot is no message, and none can leave its folder.
    if (octets[position] === DOT) return undefined;
    for (let octet = octets[position]!; octet !== LF; octet = octets[++position]!) {
      if (octet === SLASH || octet === NUL) return undefined;
      if (octet === COLON && baseEnd === -1) baseEnd = position;
    }
    if (baseEnd === -1) baseEnd = position;
    if (baseEnd === begin || position - begin > 255) return undefined;
    begins[entry] = begin;
    lengths[entry] = position++ - begin;
    baseLengths[entry] = baseEnd - begin;
  }
  if (entry !== count) return undefined;
  // The names stay where they are.
  const columns = { names: octets, begins, lengths, baseLengths, folders };
  const sizes = { octets: octetsEach, bytes: bytesEach, knowledge: knowledges, traits };
  return MessageList.fromColumns(columns, sizes, isInDeliveryOrder);
}

function formatTraits(traits: Traits | undefined): string {
  if (traits === undefined) return "k";
  const { surrogate, isHeaderOpen } = traits;
  const letter = surrogate === undefined ? "k" : surrogate.kind === "downgraded" ? "d" : "w";
  const size = surrogate === undefined ? "" : ` ${surrogate.octets}`;
  return `${isHeaderOpen ? letter.toUpperCase() : letter}${size}`;
}

function formatStamps(stamps: FolderStamps): string {
  const numbers = stamps.flatMap((stamp) =>
    stamp === undefined ? [] : [stamp.dev, stamp.ino, stamp.mtimeNs, stamp.ctimeNs, stamp.birthtimeNs],
  );
  return `listing ${numbers.join(" ")}`;
}

function knowledgeOf(octet: number): Knowledge | undefined {
  switch (octet) {
    case K:
    case D:
    case W:
    case K - LOWER_CASE:
    case D - LOWER_CASE:
    case W - LOWER_CASE:
      return COUNTED;
    case C:
    case T:
      return TOLD;
    case A:
      return TOLD_FOR_ALL;
    case U:
      return UNKNOWN;
    default:
      return undefined;
  }
}

function surrogateKindOf(letter: number): SurrogateKind | undefined {
  switch (letter | LOWER_CASE) {
    case D:
      return "downgraded";
    case W:
      return "wrapped";
    default:
      return undefined;
  }
}

const TOLD_LETTERS: ReadonlyMap<Knowledge, string> = new Map([
  [TOLD, "t"],
  [TOLD_FOR_ALL, "a"],
]);

/** That of no file. */
const NO_STAMP: InheritedStamp = { mtimeNs: 0n, bytes: 0 };
const PIECE_OCTETS = 128 * 1024;
const NUL = 0;
const LF = 10;
const SPACE = 32;
const DOT = 46;
const SLASH = 47;
const ZERO = 48;
const COLON = 58;
/** What a small letter has more than a capital one. */
const LOWER_CASE = 32;
const A = 97;
const C = 99;
const D = 100;
const K = 107;
const N = 110;
const T = 116;
const U = 117;
const W = 119;
