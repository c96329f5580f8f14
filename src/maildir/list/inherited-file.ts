// `dewey-pop3.inherited`: the unique-ids that another server gave, by base name and in its order, as they were frozen. The
// index has those of the messages that are there; this file is what they are told from again when the index is lost. It
// is written by an import, and by a session that finds it missing. As the mail's owner, under the maildrop's lock.
import { crc32 } from "node:zlib";
import { codeOf, type Files } from "../files/files.ts";
import { readWholeFile } from "../files/read-whole-file.ts";
import { replaceFile } from "../files/replace-file.ts";
import { isUniqueId } from "../unique-id.ts";
import type { InheritedStamp } from "./message-list.ts";

export const INHERITED_FILE = "dewey-pop3.inherited";

// dewey-pop3.inherited 1
// 000061b94c0907b0 1276533073.M242911P3632.kurkku,S=2433
// …
// end 1 5d41402a
//
// In message number order. The last line has the number of entries and the CRC-32 of all before it.
const HEADER = "dewey-pop3.inherited 1\n";

export type InheritedEntry = readonly [baseName: string, uniqueId: string];

export type ReadInherited =
  | { readonly kind: "inherited"; readonly entries: readonly InheritedEntry[] }
  | { readonly kind: "missing" }
  | { readonly kind: "unusable"; readonly reason: string };

/** Undefined where there is none. @throws what stat(2) throws */
export async function stampInherited(files: Files, maildir: string): Promise<InheritedStamp | undefined> {
  try {
    const { mtimeNs, size } = await files.stat(`${maildir}/${INHERITED_FILE}`);
    return { mtimeNs, bytes: Number(size) };
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

export function sameInherited(a: InheritedStamp | undefined, b: InheritedStamp | undefined): boolean {
  return a?.mtimeNs === b?.mtimeNs && a?.bytes === b?.bytes;
}

export async function readInherited(files: Files, maildir: string): Promise<ReadInherited> {
  const read = await readWholeFile(files, `${maildir}/${INHERITED_FILE}`, MAX_BYTES);
  return read.kind === "octets" ? parseInherited(read.octets) : read;
}

/** Some 500,000 entries: more than one process remembers. */
const MAX_BYTES = 64 * 1024 * 1024;

/** @returns the new file's stamp; the errno's name when it could not be written */
export async function writeInherited(
  files: Files,
  maildir: string,
  entries: Iterable<InheritedEntry>,
  nowMs: number,
): Promise<InheritedStamp | string> {
  const code = await replaceFile(files, maildir, INHERITED_FILE, [formatInherited(entries)], nowMs);
  if (code !== undefined) return code;
  return (await stampInherited(files, maildir)) ?? "ENOENT";
}

/** Entries whose name would not survive the format are left out. */
export function formatInherited(entries: Iterable<InheritedEntry>): Buffer {
  const lines = [HEADER];
  for (const [base, id] of entries) if (!base.includes("\n")) lines.push(`${id} ${base}\n`);
  const body = Buffer.from(lines.join(""), "latin1");
  const checksum = crc32(body).toString(16).padStart(8, "0");
  return Buffer.concat([body, Buffer.from(`end ${lines.length - 1} ${checksum}\n`)]);
}

export function parseInherited(octets: Buffer): ReadInherited {
  const unusable = (reason: string): ReadInherited => ({ kind: "unusable", reason });
  const text = octets.toString("latin1");
  if (!text.startsWith("dewey-pop3.inherited ")) return unusable("not ours");
  if (!text.startsWith(HEADER)) return unusable("another version's");
  const end = text.lastIndexOf("\n", text.length - 2) + 1;
  const [, count, checksum] = /^end ([0-9]{1,9}) ([0-9a-f]{8})\n$/.exec(text.slice(end)) ?? [];
  if (count === undefined || checksum === undefined) return unusable("truncated");
  if (crc32(octets.subarray(0, end)) !== Number.parseInt(checksum, 16)) return unusable("damaged");
  const entries: InheritedEntry[] = [];
  for (const line of text.slice(HEADER.length, end).split("\n").slice(0, -1)) {
    const space = line.indexOf(" ");
    const [id, base] = [line.slice(0, space), line.slice(space + 1)];
    if (space === -1 || !isUniqueId(id) || base === "") return unusable("malformed");
    entries.push([base, id]);
  }
  return entries.length === Number(count) ? { kind: "inherited", entries } : unusable("malformed");
}
