// Reads Courier's `courierpop3dsizelist` (versions 2 and 3): sizes for the Maildir engine, unique-ids for a migration.
// Pure. Written by another server, in the mail owner's folder: what does not fit is left out.
import { baseName } from "../filename.ts";

export interface CourierSizelist {
  readonly version: 2 | 3;
  readonly nextUid: number;
  readonly uidValidity: number;
  /** As they stand in the file. */
  readonly records: readonly CourierRecord[];
  /** Lines that are no records. */
  readonly malformed: number;
}

export interface CourierRecord {
  /** A byte string; what a file of new/ or cur/ is known by. */
  readonly baseName: string;
  /** As sent. */
  readonly octets: number;
  /** 0: the unique-id is made from the base name. */
  readonly uid: number;
  /** 0: the unique-id has none. */
  readonly uidValidity: number;
  /** Version 3: whether the message needs SMTPUTF8. */
  readonly isUtf8: boolean | undefined;
}

export type ParsedSizelist =
  | { readonly kind: "sizelist"; readonly sizelist: CourierSizelist }
  /** For the log. */
  | { readonly kind: "unusable"; readonly reason: string };

export function parseSizelist(octets: Buffer): ParsedSizelist {
  const [header, ...lines] = octets.toString("latin1").split("\n");
  const [, digit, nextUid, uidValidity] =
    /^\/([0-9]{1,3}) ([0-9]{1,15}) ([0-9]{1,15})$/.exec(header ?? "") ?? [];
  if (digit === undefined) return { kind: "unusable", reason: "not a sizelist" };
  if (digit !== "2" && digit !== "3") return { kind: "unusable", reason: "another version's" };
  const version = digit === "2" ? 2 : 3;
  const records: CourierRecord[] = [];
  let malformed = 0;
  for (const line of lines) {
    if (line === "") continue;
    const record = parseRecord(line, version);
    if (record === undefined) malformed++;
    else records.push(record);
  }
  const sizelist = {
    version,
    nextUid: Number(nextUid),
    uidValidity: Number(uidValidity),
    records,
    malformed,
  };
  return { kind: "sizelist", sizelist: { ...sizelist, version } };
}

/** `<file name> <octets> <uid>:<uid validity>[:<is UTF-8>]`, from its end: a file's name may hold spaces. */
function parseRecord(line: string, version: 2 | 3): CourierRecord | undefined {
  const numbersBegin = line.lastIndexOf(" ");
  const octetsBegin = line.lastIndexOf(" ", numbersBegin - 1);
  if (octetsBegin < 1 || numbersBegin < 1) return undefined;
  const base = baseName(line.slice(0, octetsBegin));
  const octets = line.slice(octetsBegin + 1, numbersBegin);
  const [, uid, uidValidity, utf8] = NUMBERS[version].exec(line.slice(numbersBegin + 1)) ?? [];
  if (uid === undefined || !/^[0-9]{1,15}$/.test(octets) || !/^[^/\0]{1,255}$/.test(base)) return undefined;
  return {
    baseName: base,
    octets: Number(octets),
    uid: Number(uid),
    uidValidity: Number(uidValidity),
    isUtf8: utf8 === undefined ? undefined : utf8 !== "0",
  };
}

const NUMBERS = {
  2: /^([0-9]{1,15}):([0-9]{1,15})$/,
  3: /^([0-9]{1,15}):([0-9]{1,15}):([0-9]{1,3})$/,
} as const;
