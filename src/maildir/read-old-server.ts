// Reads what the server that was here before wrote down about its unique-ids: Dovecot's or Courier's list in the Maildir.
// Used by an import of unique-ids, as the mail's owner.
import { parseSizelist } from "./courier-sizelist.ts";
import { parseUidlist } from "./dovecot-uidlist.ts";
import { type Failure, failureOf } from "./failure.ts";
import { codeOf, type Files } from "./files.ts";
import type { InheritedEntry } from "./inherited-file.ts";
import { courierUniqueIds, dovecotUniqueIds } from "./old-unique-ids.ts";
import { readWholeFile } from "./read-whole-file.ts";
import { DEFAULT_UIDL_FORMAT, parseUidlFormat } from "./uidl-format.ts";

export const DOVECOT_LIST = "dovecot-uidlist";
export const COURIER_LIST = "courierpop3dsizelist";

/** "filename": a server whose unique-ids were the base names, as ours are. */
export type OldServer = "dovecot" | "courier" | "filename";

export interface OldServerRequest {
  /** "auto": whose list was written last; "nothing" gives inherited unique-ids up. */
  readonly from: OldServer | "auto" | "nothing";
  /** Dovecot's pop3_uidl_format, whatever its list says. */
  readonly format?: string | undefined;
  /** … where its list says nothing, as its config has it. */
  readonly configuredFormat?: string | undefined;
  /** Where Dovecot has its list when not in the Maildir. */
  readonly controlFolder?: string | undefined;
}

export type OldServerIds =
  | {
      readonly kind: "list";
      readonly from: "dovecot" | "courier";
      readonly format: string | null;
      readonly entries: readonly InheritedEntry[];
    }
  /** There is no list of the server that was asked for; of none, where "auto" was. */
  | { readonly kind: "no-list" }
  | { readonly kind: "filename"; readonly from: "filename" }
  | { readonly kind: "nothing"; readonly from: "nothing" };

export async function readOldServer(
  files: Files,
  maildir: string,
  request: OldServerRequest,
): Promise<OldServerIds | Failure> {
  const { from } = request;
  switch (from) {
    case "auto": {
      const dovecot = await writtenAt(files, dovecotList(maildir, request));
      const courier = await writtenAt(files, `${maildir}/${COURIER_LIST}`);
      if (dovecot === undefined && courier === undefined) return { kind: "no-list" };
      return (dovecot ?? 0n) >= (courier ?? 0n)
        ? readDovecot(files, maildir, request)
        : readCourier(files, maildir);
    }
    case "dovecot":
      return readDovecot(files, maildir, request);
    case "courier":
      return readCourier(files, maildir);
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
  maildir: string,
  request: OldServerRequest,
): Promise<OldServerIds | Failure> {
  const path = dovecotList(maildir, request);
  const read = await readWholeFile(files, path, MAX_LIST_BYTES);
  if (read.kind === "missing") return { kind: "no-list" };
  const parsed = read.kind === "octets" ? parseUidlist(read.octets) : read;
  if (parsed.kind === "unusable") return unusable(files, path, parsed.reason);
  const { uidlist } = parsed;
  const format = request.format ?? uidlist.uidlFormat ?? request.configuredFormat ?? DEFAULT_UIDL_FORMAT;
  const understood = parseUidlFormat(format);
  if (understood.kind === "unsupported")
    return unusable(files, path, `pop3_uidl_format ${understood.reason}`);
  return { kind: "list", from: "dovecot", format, entries: dovecotUniqueIds(uidlist, understood.make) };
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
