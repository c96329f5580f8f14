// Reads Dovecot's `dovecot-uidlist` (version 3), and Courier's `courierimapuiddb`, which is its version 1: sizes for the
// Maildir engine, unique-ids and order for a migration. Pure. Written by another server, in the mail owner's folder: what
// does not fit is left out.
import { baseName } from "../filename.ts";

export interface DovecotUidlist {
  readonly version: 1 | 3;
  /** UIDVALIDITY of IMAP, `%v` in unique-ids. */
  readonly uidValidity: number;
  /** What the next new message gets. */
  readonly nextUid: number;
  /** The mailbox's GUID. */
  readonly guid: string | undefined;
  /** The unique-id format that was in use when the list was written, if it says so. */
  readonly uidlFormat: string | undefined;
  /** By rising uid. Records of files that are gone are normal. */
  readonly records: readonly DovecotRecord[];
  /** Lines that are no records, or whose uid does not rise. */
  readonly malformed: number;
}

export interface DovecotRecord {
  readonly uid: number;
  /** A byte string; what a file of new/ or cur/ is known by. */
  readonly baseName: string;
  /** As stored. */
  readonly bytes: number | undefined;
  /** As sent. */
  readonly octets: number | undefined;
  /** Unique-id of its own; "" says that it is the base name; undefined: made by the server's format. */
  readonly uniqueId: string | undefined;
  /** Position in POP3's message numbers: records that have one stand before all others, by rising order. */
  readonly order: number | undefined;
  readonly guid: string | undefined;
}

export type ParsedUidlist =
  | { readonly kind: "uidlist"; readonly uidlist: DovecotUidlist }
  /** For the log. */
  | { readonly kind: "unusable"; readonly reason: string };

export function parseUidlist(octets: Buffer): ParsedUidlist {
  const lines = octets.toString("latin1").split("\n");
  // The writer appends: what stands behind the last line end may be half of a record.
  lines.pop();
  const header = lines[0] === undefined ? undefined : parseUidlistHeader(lines[0]);
  if (header === undefined) return { kind: "unusable", reason: "not a uidlist" };
  if (header === "version") return { kind: "unusable", reason: "another version's" };
  const records: DovecotRecord[] = [];
  let malformed = 0;
  let previousUid = 0;
  for (let i = 1; i < lines.length; i++) {
    const record = (header.version === 3 ? parseRecord : parseOldRecord)(lines[i]!);
    if (record === undefined || record.uid <= previousUid) {
      malformed++;
      continue;
    }
    previousUid = record.uid;
    records.push(record);
  }
  return { kind: "uidlist", uidlist: { ...header, records, malformed } };
}

type Header = Omit<DovecotUidlist, "records" | "malformed">;

/** "version": not one of those. */
export function parseUidlistHeader(line: string): Header | "version" | undefined {
  const [version, ...tokens] = line.split(" ");
  if (version === undefined || !/^[0-9]{1,9}$/.test(version)) return undefined;
  if (version === "1") {
    const [uidValidity, nextUid] = [number(tokens[0]), number(tokens[1])];
    if (uidValidity === undefined || nextUid === undefined) return undefined;
    return { version: 1, uidValidity, nextUid, guid: undefined, uidlFormat: undefined };
  }
  if (version !== "3") return "version";
  const values = new Map<string, string>();
  for (const token of tokens) if (token !== "") values.set(token.charAt(0), token.slice(1));
  const [uidValidity, nextUid] = [number(values.get("V")), number(values.get("N"))];
  if (uidValidity === undefined || nextUid === undefined) return undefined;
  return { version: 3, uidValidity, nextUid, guid: values.get("G"), uidlFormat: values.get("P") };
}

/** `<uid>( <KEY><value>)* :<file name>`; unknown keys are Dovecot's own business. */
export function parseRecord(line: string): DovecotRecord | undefined {
  const nameBegin = line.indexOf(" :");
  const uid = number(line.slice(0, line.indexOf(" ")));
  const base = baseName(line.slice(nameBegin + 2));
  if (nameBegin === -1 || uid === undefined || !isBaseName(base)) return undefined;
  let [bytes, octets, order]: (number | undefined)[] = [];
  let [uniqueId, guid]: (string | undefined)[] = [];
  for (let begin = line.indexOf(" ") + 1; begin <= nameBegin; ) {
    const end = line.indexOf(" ", begin);
    const value = line.slice(begin + 1, end);
    switch (line.charAt(begin)) {
      case "S":
        bytes = number(value);
        break;
      case "W":
        octets = number(value);
        break;
      case "O":
        order = number(value);
        break;
      case "P":
        uniqueId = value;
        break;
      case "G":
        guid = value;
        break;
    }
    begin = end + 1;
  }
  return { uid, baseName: base, bytes, octets, uniqueId, order, guid };
}

/** `<uid> <file name>` */
function parseOldRecord(line: string): DovecotRecord | undefined {
  const space = line.indexOf(" ");
  const uid = number(line.slice(0, space));
  const base = baseName(line.slice(space + 1));
  if (space === -1 || uid === undefined || !isBaseName(base)) return undefined;
  const unknown = {
    bytes: undefined,
    octets: undefined,
    uniqueId: undefined,
    order: undefined,
    guid: undefined,
  };
  return { uid, baseName: base, ...unknown };
}

function number(text: string | undefined): number | undefined {
  return text !== undefined && /^[0-9]{1,15}$/.test(text) ? Number(text) : undefined;
}

/** A file's name has 255 bytes at most, and none of them is "/" or NUL. */
function isBaseName(text: string): boolean {
  return /^[^/\0]{1,255}$/.test(text);
}
