// The text of `dewey-pop3.index`: octets as sent by base name, so that opening a known maildrop reads no message. Pure.
// It belongs to the mail's owner, who may write anything into it: whatever does not fit is worth nothing and is made anew.
import { crc32 } from "node:zlib";
import { isPlausible } from "./filename.ts";
import { COUNTED, type Knowledge, MessageList, TOLD } from "./message-list.ts";

// dewey-pop3.index 1
// 2481 2433 c 1276533073.M242911P3632.kurkku,S=2433
// …
// end 1 5d41402a
//
// Octets as sent, bytes as stored (0 when not known), c(ounted by us) or t(old by a name or another server's list), base
// name; in order of delivery. The last line has the number of entries and the CRC-32 of all before it.
const HEADER = "dewey-pop3.index 1\n";

export type ParsedIndex =
  | { readonly kind: "index"; readonly list: MessageList }
  /** For the log. */
  | { readonly kind: "unusable"; readonly reason: string };

/**
 * The index in pieces, so that writing a large one keeps nobody waiting. Entries whose base name would not survive the
 * format are left out: they are counted each time.
 */
export function* formatIndex(list: MessageList): Generator<Buffer, void> {
  let checksum = 0;
  let count = 0;
  let text = HEADER;
  for (let index = 0; index < list.count; index++) {
    if (text.length > PIECE_OCTETS) {
      const piece = Buffer.from(text, "latin1");
      checksum = crc32(piece, checksum);
      text = "";
      yield piece;
    }
    const knowledge = list.knowledge(index);
    if (knowledge !== COUNTED && knowledge !== TOLD) continue;
    const base = list.baseName(index);
    if (base.includes("\n")) continue;
    text += `${list.octets(index)} ${list.bytes(index)} ${knowledge === COUNTED ? "c" : "t"} ${base}\n`;
    count++;
  }
  const last = Buffer.from(text, "latin1");
  checksum = crc32(last, checksum);
  yield Buffer.concat([last, Buffer.from(`end ${count} ${checksum.toString(16).padStart(8, "0")}\n`)]);
}

/** Read octet by octet, without a string for each entry: 100,000 of them are read within a login. */
export function parseIndex(octets: Buffer): ParsedIndex {
  const unusable = (reason: string): ParsedIndex => ({ kind: "unusable", reason });
  if (!octets.toString("latin1", 0, HEADER.length).startsWith("dewey-pop3.index "))
    return unusable("not an index");
  if (octets.toString("latin1", 0, HEADER.length) !== HEADER) return unusable("another version's");
  const end = octets.length < 2 ? -1 : octets.lastIndexOf(LF, octets.length - 2) + 1;
  const [, endCount, checksum] =
    /^end ([0-9]{1,9}) ([0-9a-f]{8})\n$/.exec(octets.toString("latin1", end)) ?? [];
  if (endCount === undefined || checksum === undefined) return unusable("truncated");
  if (crc32(octets.subarray(0, end)) !== Number.parseInt(checksum, 16)) return unusable("damaged");
  const count = Number(endCount);
  // Each entry has eight octets at least: a lie about their number costs no memory.
  if (count * 8 > end) return unusable("malformed");

  const names = Buffer.allocUnsafeSlow(end);
  const offsets = new Uint32Array(count + 1);
  const sizes = new Float64Array(2 * count);
  const knowledges = new Uint8Array(count);
  let entry = 0;
  let namesEnd = 0;
  for (let position = HEADER.length; position < end; entry++) {
    if (entry === count) return unusable("malformed");
    for (const field of [0, 1]) {
      const begin = position;
      let value = 0;
      for (; isDigit(octets[position]!); position++) value = value * 10 + octets[position]! - ZERO;
      if (position === begin || position - begin > 15 || octets[position++] !== SPACE)
        return unusable("malformed");
      sizes[2 * entry + field] = value;
    }
    const kind = octets[position++];
    if ((kind !== C && kind !== T) || octets[position++] !== SPACE) return unusable("malformed");
    knowledges[entry] = kind === C ? COUNTED : TOLD;
    const begin = namesEnd;
    for (let octet = octets[position++]!; octet !== LF; octet = octets[position++]!) {
      if (octet === SLASH || octet === NUL || octet === COLON) return unusable("malformed");
      names[namesEnd++] = octet;
    }
    if (namesEnd === begin || namesEnd - begin > 255) return unusable("malformed");
    offsets[entry + 1] = namesEnd;
    if (kind === C && !isPlausible(sizes[2 * entry]!, sizes[2 * entry + 1]!)) return unusable("implausible");
  }
  if (entry !== count) return unusable("malformed");
  const list = MessageList.fromBaseNames(names, offsets);
  for (let index = 0; index < count; index++) {
    list.setOctets(index, knowledges[index] as Knowledge, sizes[2 * index]!, sizes[2 * index + 1]!);
  }
  return { kind: "index", list };
}

function isDigit(octet: number): boolean {
  return octet >= ZERO && octet <= 57;
}

const PIECE_OCTETS = 128 * 1024;
const NUL = 0;
const LF = 10;
const SPACE = 32;
const SLASH = 47;
const ZERO = 48;
const COLON = 58;
const C = 99;
const T = 116;
