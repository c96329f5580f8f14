// Reads what the server that was here before wrote down about its unique-ids: Dovecot's or Courier's list in the Maildir.
// Used by an import of unique-ids, as the mail's owner.
import { type Failure, failureOf } from "../files/failure.ts";
import { codeOf, type Files } from "../files/files.ts";
import { readWholeFile } from "../files/read-whole-file.ts";
import { parseSizelist } from "../other-servers/courier-sizelist.ts";
import { parseUidlist } from "../other-servers/dovecot-uidlist.ts";
import { DEFAULT_UIDL_FORMAT, parseUidlFormat, type UidlFields } from "../other-servers/uidl-format.ts";
import { courierUniqueIds, dovecotUniqueIds } from "./old-unique-ids.ts";
import { type ListedMaildir, readXUidls } from "./x-uidl.ts";

export const DOVECOT_LIST = "dovecot-uidlist";
export const COURIER_LIST = "courierpop3dsizelist";

/** "x-uidl": one that kept them in the messages' headers; "filename": one whose unique-ids were the base names, as ours are. */
export type OldServer = "dovecot" | "courier" | "x-uidl" | "filename";

/** By base name, in the old server's order; undefined where it told none that could be known. */
export type OldEntry = readonly [baseName: string, uniqueId: string | undefined];

export interface OldServerRequest {
  /** "auto": whose list was written last; "nothing" gives inherited unique-ids up. */
  readonly from: OldServer | "auto" | "nothing";
  /** Dovecot's pop3_uidl_format, whatever its list says. */
  readonly format?: string | undefined;
  /** … where its list says nothing, as its config has it. */
  readonly configuredFormat?: string | undefined;
  /** Dovecot's pop3_reuse_xuidl: a message's X-UIDL header goes before the format. */
  readonly reusesXUidl?: boolean | undefined;
  /** Where Dovecot has its list when not in the Maildir. */
  readonly controlFolder?: string | undefined;
}

export type OldServerIds =
  | {
      readonly kind: "list";
      readonly from: "dovecot" | "courier" | "x-uidl";
      readonly format: string | null;
      readonly entries: readonly OldEntry[];
    }
  /** There is no list of the server that was asked for; of none, where "auto" was. */
  | { readonly kind: "no-list" }
  | { readonly kind: "filename"; readonly from: "filename" }
  | { readonly kind: "nothing"; readonly from: "nothing" };

/** @throws what reading a message does */
export async function readOldServer(
  files: Files,
  listed: ListedMaildir,
  request: OldServerRequest,
): Promise<OldServerIds | Failure> {
  const { from } = request;
  const maildir = listed.path;
  switch (from) {
    case "auto": {
      const dovecot = await writtenAt(files, dovecotList(maildir, request));
      const courier = await writtenAt(files, `${maildir}/${COURIER_LIST}`);
      if (dovecot === undefined && courier === undefined) return { kind: "no-list" };
      return (dovecot ?? 0n) >= (courier ?? 0n)
        ? readDovecot(files, listed, request)
        : readCourier(files, maildir);
    }
    case "dovecot":
      return readDovecot(files, listed, request);
    case "courier":
      return readCourier(files, maildir);
    case "x-uidl":
      return readHeaders(files, listed, request);
    case "filename":
      return { kind: "filename", from };
    case "nothing":
      return { kind: "nothing", from };
    default:
      return from satisfies never;
  }
}

function dovecotList(maildir: string, { controlFolder }: OldServerRequest): string {
  return `${controlFolder ?? maildir}/${DOVECOT_LIST}`;
}

async function readDovecot(
  files: Files,
  listed: ListedMaildir,
  request: OldServerRequest,
): Promise<OldServerIds | Failure> {
  const path = dovecotList(listed.path, request);
  const read = await readWholeFile(files, path, MAX_LIST_BYTES);
  if (read.kind === "missing") return { kind: "no-list" };
  const parsed = read.kind === "octets" ? parseUidlist(read.octets) : read;
  if (parsed.kind === "unusable") return unusable(files, path, parsed.reason);
  const { uidlist } = parsed;
  const format = request.format ?? uidlist.uidlFormat ?? request.configuredFormat ?? DEFAULT_UIDL_FORMAT;
  const understood = parseUidlFormat(format);
  if (understood.kind === "unsupported")
    return unusable(files, path, `pop3_uidl_format ${understood.reason}`);
  const xUidls = request.reusesXUidl === true ? await readXUidls(files, listed) : undefined;
  const make = (fields: UidlFields): string => xUidls?.get(fields.baseName) ?? understood.make(fields);
  return { kind: "list", from: "dovecot", format, entries: dovecotUniqueIds(uidlist, make) };
}

/** In the order of Dovecot's list, where it made this Maildir of an mbox; else in ours. */
async function readHeaders(
  files: Files,
  listed: ListedMaildir,
  request: OldServerRequest,
): Promise<OldServerIds | Failure> {
  const { path, list } = listed;
  const xUidls = await readXUidls(files, listed);
  if (xUidls.size === 0) return { kind: "no-list" };
  const made = await readDovecot(
    files,
    { path, list, parallel: 1 },
    { from: "dovecot", controlFolder: request.controlFolder },
  );
  const order = new Set(made.kind === "list" ? made.entries.map(([base]) => base) : []);
  for (let index = 0; index < list.count; index++) order.add(list.baseName(index));
  const entries = [...order].map((base): OldEntry => [base, xUidls.get(base)]);
  return { kind: "list", from: "x-uidl", format: null, entries };
}

async function readCourier(files: Files, maildir: string): Promise<OldServerIds | Failure> {
  const path = `${maildir}/${COURIER_LIST}`;
  const read = await readWholeFile(files, path, MAX_LIST_BYTES);
  if (read.kind === "missing") return { kind: "no-list" };
  const parsed = read.kind === "octets" ? parseSizelist(read.octets) : read;
  if (parsed.kind === "unusable") return unusable(files, path, parsed.reason);
  return { kind: "list", from: "courier", format: null, entries: courierUniqueIds(parsed.sizelist) };
}

function unusable(files: Files, path: string, reason: string): Promise<Failure> {
  return failureOf(files, "use", path, { code: reason });
}

/** Undefined where it is not there. */
async function writtenAt(files: Files, path: string): Promise<bigint | undefined> {
  try {
    return (await files.stat(path)).mtimeNs;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** Records of messages that are long gone may stand in it, too. */
export const MAX_LIST_BYTES = 256 * 1024 * 1024;
