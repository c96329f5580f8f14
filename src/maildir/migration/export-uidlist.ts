// A `dovecot-uidlist` that has Dovecot tell the unique-ids and the order of ours: what stands in it stays, uids above all,
// which IMAP clients know messages by. Pure. Used by an export of unique-ids.
import type { InheritedEntry } from "../list/inherited-file.ts";
import { parseRecord, parseUidlist, parseUidlistHeader } from "../other-servers/dovecot-uidlist.ts";

export interface ServedMessage {
  /** Byte strings, as the unique-id that is told for it. */
  readonly name: string;
  readonly baseName: string;
  readonly uniqueId: string;
}

export type ExportedUidlist =
  | {
      readonly kind: "list";
      readonly octets: Buffer;
      /** Messages whose record tells another unique-id or place than before, or is new. */
      readonly changed: number;
      /** Messages that no record can name: a line end is in the file's name. */
      readonly unwritable: number;
    }
  /** For the administrator: why the list that is there cannot be continued. */
  | { readonly kind: "unusable"; readonly reason: string };

/** What a list begins with where there was none. */
export interface NewList {
  readonly uidValidity: number;
  /** 32 hexadecimal digits. */
  readonly guid: string;
}

/** @param messages in message number order */
export function exportUidlist(
  old: Buffer | undefined,
  messages: readonly ServedMessage[],
  fresh: NewList,
): ExportedUidlist {
  const lines = old === undefined ? { header: newHeader(fresh), nextUid: 1, records: [] } : readLines(old);
  if (typeof lines === "string") return { kind: "unusable", reason: lines };
  const writable = messages.filter(({ baseName }) => !baseName.includes("\n"));
  // Of two records of one file the later one holds.
  const lineOf = new Map(lines.records.map((record, index) => [record.baseName, index]));
  const records = lines.records.filter(({ baseName }, index) => lineOf.get(baseName) === index);
  const byBaseName = new Map(records.map((record) => [record.baseName, record]));
  let nextUid = Math.max(lines.nextUid, (records.at(-1)?.uid ?? 0) + 1);
  const uids = writable.map(({ baseName }) => byBaseName.get(baseName)?.uid ?? nextUid++);
  if (nextUid > MAX_NEXT_UID) return { kind: "unusable", reason: "its uids are used up" };
  // Without an order of their own Dovecot numbers messages by their uids.
  const isOrdered = uids.every((uid, index) => index === 0 || uid > uids[index - 1]!);
  let changed = 0;
  const added: string[] = [];
  const rewritten = new Map<string, string>();
  for (const [index, { name, baseName, uniqueId }] of writable.entries()) {
    const order = isOrdered ? undefined : index + 1;
    const saved = [
      `P${uniqueId === baseName ? "" : uniqueId}`,
      ...(order === undefined ? [] : [`O${order}`]),
    ];
    const record = byBaseName.get(baseName);
    if (record === undefined) added.push([uids[index], ...saved, `:${name}`].join(" "));
    else if (!tells(record, [baseName, uniqueId], order))
      rewritten.set(baseName, withFields(record.line, saved));
    else continue;
    changed++;
  }
  const header = lines.header.replace(/(?<= )N[0-9]+(?= |$)/, `N${nextUid}`);
  const kept = records.map(({ baseName, line }) => rewritten.get(baseName) ?? line);
  const text = `${[header, ...kept, ...added].join("\n")}\n`;
  return {
    kind: "list",
    octets: Buffer.from(text, "latin1"),
    changed,
    unwritable: messages.length - writable.length,
  };
}

/** Dovecot's are 32 bits wide, and the last two are not used. */
const MAX_NEXT_UID = 0xffff_fffe;

interface Line {
  readonly uid: number;
  readonly baseName: string;
  readonly uniqueId: string | undefined;
  readonly order: number | undefined;
  readonly line: string;
}

function newHeader({ uidValidity, guid }: NewList): string {
  return `3 V${uidValidity} N1 G${guid}`;
}

/** A text says why not. Lines that are no records are left out, as Dovecot leaves them out. */
function readLines(
  octets: Buffer,
): { readonly header: string; readonly nextUid: number; readonly records: readonly Line[] } | string {
  const parsed = parseUidlist(octets);
  if (parsed.kind === "unusable") return parsed.reason;
  const { version, nextUid, uidValidity, records } = parsed.uidlist;
  if (version === 1) {
    const lines = records.map((record) => ({ ...record, line: `${record.uid} :${record.baseName}` }));
    return { header: `3 V${uidValidity} N${nextUid}`, nextUid, records: lines };
  }
  const [header = "", ...lines] = octets.toString("latin1").split("\n");
  const uids = new Set(records.map(({ uid }) => uid));
  return {
    header: parseUidlistHeader(header) === undefined ? "" : header,
    nextUid,
    records: lines.slice(0, -1).flatMap((line) => {
      const record = parseRecord(line);
      // Once: a second line of one uid does not rise, and is no record.
      return record !== undefined && uids.delete(record.uid) ? [{ ...record, line }] : [];
    }),
  };
}

function tells(
  { uniqueId, order }: Line,
  [baseName, wanted]: InheritedEntry,
  wantedOrder: number | undefined,
): boolean {
  return order === wantedOrder && uniqueId !== undefined && (uniqueId || baseName) === wanted;
}

function withFields(line: string, saved: readonly string[]): string {
  const nameBegin = line.indexOf(" :");
  const fields = line
    .slice(0, nameBegin)
    .split(" ")
    .filter((field) => field !== "" && !/^[PO]/.test(field));
  return `${[...fields, ...saved].join(" ")}${line.slice(nameBegin)}`;
}
