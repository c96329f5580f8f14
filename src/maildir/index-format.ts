// The text of `dewey-pop3.index`: octets as sent by base name, so that opening a known maildrop reads no message. Pure.
// It belongs to the mail's owner, who may write anything into it: whatever does not fit is worth nothing and is made anew.
import { crc32 } from "node:zlib";
import { isPlausible } from "./filename.ts";
import type { Folder } from "./folders.ts";
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

/** Entries whose base name would not survive the format are left out: they are counted each time. */
export function formatIndex(list: MessageList): Buffer {
  const lines = [HEADER];
  let count = 0;
  for (let index = 0; index < list.count; index++) {
    const knowledge = list.knowledge(index);
    if (knowledge !== COUNTED && knowledge !== TOLD) continue;
    const base = list.baseName(index);
    if (/[\n\r]/.test(base)) continue;
    lines.push(`${list.octets(index)} ${list.bytes(index)} ${knowledge === COUNTED ? "c" : "t"} ${base}\n`);
    count++;
  }
  const entries = Buffer.from(lines.join(""), "latin1");
  return Buffer.concat([entries, Buffer.from(`end ${count} ${checksumOf(entries)}\n`)]);
}

export function parseIndex(octets: Buffer): ParsedIndex {
  const text = octets.toString("latin1");
  const unusable = (reason: string): ParsedIndex => ({ kind: "unusable", reason });
  if (!text.startsWith("dewey-pop3.index ")) return unusable("not an index");
  if (!text.startsWith(HEADER)) return unusable("another version's");
  const endLine = text.lastIndexOf("\n", text.length - 2) + 1;
  const [, count, checksum] = /^end ([0-9]{1,9}) ([0-9a-f]{8})\n$/.exec(text.slice(endLine)) ?? [];
  if (count === undefined || checksum === undefined) return unusable("truncated");
  const body = text.slice(0, endLine);
  if (checksumOf(octets.subarray(0, endLine)) !== checksum) return unusable("damaged");
  const names: string[] = [];
  const entries = new Map<string, readonly [Knowledge, number, number]>();
  for (const line of body.slice(HEADER.length).split("\n")) {
    if (line === "") continue;
    const [, octets, bytes, kind, base] =
      /^([0-9]{1,15}) ([0-9]{1,15}) ([ct]) ([^/\0:]{1,255})$/.exec(line) ?? [];
    if (base === undefined) return unusable("malformed");
    const entry = [kind === "c" ? COUNTED : TOLD, Number(octets), Number(bytes)] as const;
    if (entry[0] === COUNTED && !isPlausible(entry[1], entry[2])) return unusable("implausible");
    names.push(base);
    entries.set(base, entry);
  }
  if (names.length !== Number(count)) return unusable("malformed");
  const list = MessageList.fromListing(names, new Array<Folder>(names.length).fill(0));
  for (let index = 0; index < list.count; index++) {
    const [knowledge, octets, bytes] = entries.get(list.baseName(index))!;
    list.setOctets(index, knowledge, octets, bytes);
  }
  return { kind: "index", list };
}

function checksumOf(octets: Uint8Array): string {
  return crc32(octets).toString(16).padStart(8, "0");
}
