// Reads account files of other programs for pop3-passwd import: Dovecot's passwd-file, /etc/shadow with /etc/passwd beside it, Courier's
// userdb, CSV.
// Pure: bytes in, accounts and skipped lines out; account-edits.ts puts them into the file.
import { parseAccountLine } from "../account.ts";
import type { NewAccount } from "../file/account-edits.ts";
import { accountFault } from "../file/account-edits.ts";
import { splitLines } from "../file/passwd-lines.ts";
import { readPasswordField } from "../passwords/password-field.ts";
import { CHANGED_FIELD, isoDate } from "../passwords/stored-password.ts";
import { looksLikeCsv, readCsv } from "./import-csv.ts";
import { looksLikeUserdb, readUserdbLine } from "./import-userdb.ts";

export const IMPORT_FORMATS = ["passwd-file", "shadow", "userdb", "csv"] as const;
export type ImportFormat = (typeof IMPORT_FORMATS)[number];

export interface ImportedAccount extends NewAccount {
  /** To be hashed: it has no password field yet. */
  readonly plainPassword?: string;
}

export interface Import {
  readonly format: ImportFormat;
  readonly accounts: readonly ImportedAccount[];
  /** Lines that are no account for this server, with why. */
  readonly skipped: readonly { readonly lineNumber: number; readonly reason: string }[];
}

export interface ImportSources {
  /** What the content is; undefined: what its lines look like. */
  readonly format?: ImportFormat | undefined;
  /** The passwd(5) file with uid, gid, gecos, home and shell of the users in a shadow file. */
  readonly passwd?: Uint8Array | undefined;
  /** Take over the day of the last change, where the source has it: shadow does. */
  readonly isDated?: boolean;
}

export function readImport(content: Uint8Array, sources: ImportSources = {}): Import {
  const format = sources.format ?? formatOf(content);
  const accounts = new Map<string, ImportedAccount>();
  const skipped: { lineNumber: number; reason: string }[] = [];
  for (const { lineNumber, read } of readsOf(format, content, sources)) {
    if (read === undefined) continue;
    const account = typeof read === "string" ? read : (faultOf(read) ?? read);
    if (typeof account === "string") skipped.push({ lineNumber, reason: account });
    else if (accounts.has(account.user))
      skipped.push({ lineNumber, reason: `${account.user} stands in an earlier line` });
    else accounts.set(account.user, account);
  }
  return { format, accounts: [...accounts.values()], skipped };
}

const decoder = new TextDecoder();

/** An account, a reason to skip the line, or undefined for a blank line. */
type Read = ImportedAccount | string | undefined;

interface LineRead {
  readonly lineNumber: number;
  readonly read: Read;
}

function readsOf(format: ImportFormat, content: Uint8Array, { passwd, isDated }: ImportSources): LineRead[] {
  const perLine = (read: (bytes: Uint8Array) => Read): LineRead[] =>
    splitLines(content).map(({ bytes }, index) => ({ lineNumber: index + 1, read: read(bytes) }));
  switch (format) {
    case "passwd-file":
      return perLine(readPasswdFileLine);
    case "shadow": {
      const details = passwd === undefined ? undefined : readDetails(passwd);
      return perLine((bytes) => readShadowLine(decoder.decode(bytes), details, isDated === true));
    }
    case "userdb":
      return perLine((bytes) => readUserdbLine(decoder.decode(bytes)));
    case "csv": {
      const table = readCsv(decoder.decode(content));
      if (table.kind === "unusable") return [{ lineNumber: table.lineNumber, read: table.reason }];
      return table.rows.map(({ lineNumber, read }) => {
        if (typeof read === "string") return { lineNumber, read };
        const { account, plainPassword } = read;
        return { lineNumber, read: plainPassword === undefined ? account : { ...account, plainPassword } };
      });
    }
    default:
      return format satisfies never;
  }
}

function readPasswdFileLine(bytes: Uint8Array): Read {
  const parsed = parseAccountLine(bytes, 1);
  if (parsed.kind === "blank") return undefined;
  return parsed.kind === "invalid" ? parsed.reason : parsed.account;
}

function readShadowLine(
  text: string,
  details: ReadonlyMap<string, NewAccount | string> | undefined,
  isDated: boolean,
): Read {
  if (text.trim() === "" || text.startsWith("#")) return undefined;
  const [user = "", password = "", lastChange = ""] = text.split(":");
  const detail = details?.get(user);
  if (details !== undefined && detail === undefined) return `${user} is not in the passwd file`;
  if (typeof detail === "string") return `${user}: ${detail}`;
  const extra = new Map<string, string>();
  // shadow(5): days since 1970; 0 is "to be changed", not a day.
  if (isDated && /^[1-9][0-9]{0,5}$/.test(lastChange))
    extra.set(CHANGED_FIELD, isoDate(new Date(Number.parseInt(lastChange, 10) * 86_400_000)));
  return { gecos: "", ...detail, user, password, extra };
}

/** Why this is no account here: what no reader of the file could use, or a system user, who has no password to take over. */
function faultOf(account: ImportedAccount): string | undefined {
  const fault = accountFault(account);
  if (fault !== undefined) return fault;
  const { user, password, plainPassword } = account;
  if (plainPassword !== undefined) return undefined;
  const field = readPasswordField(password);
  if (field.kind === "none" || (field.kind === "locked" && field.hidden === ""))
    return `${user} has no password`;
  return field.kind === "unusable" ? `${user}: ${field.reason}` : undefined;
}

function readDetails(passwd: Uint8Array): ReadonlyMap<string, NewAccount | string> {
  const details = new Map<string, NewAccount | string>();
  for (const line of splitLines(passwd)) {
    const user = decoder.decode(line.bytes).split(":")[0]!;
    const parsed = parseAccountLine(line.bytes, 1);
    if (parsed.kind === "blank" || details.has(user)) continue;
    details.set(user, parsed.kind === "invalid" ? parsed.reason : parsed.account);
  }
  return details;
}

function formatOf(content: Uint8Array): ImportFormat {
  const text = decoder.decode(content);
  const lines = text.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("#"));
  if (looksLikeShadow(lines)) return "shadow";
  if (looksLikeUserdb(lines)) return "userdb";
  return looksLikeCsv(text) ? "csv" : "passwd-file";
}

// user:hash:last change:min:max:warn:inactive:expire:reserved. A passwd-file line may have nine fields too, but has a home
// that begins with "/" or none, and hardly a gecos and a shell that are numbers.
function looksLikeShadow(lines: readonly string[]): boolean {
  const form = /^[^:]+:[^:]*:[0-9]*:[0-9]*:[0-9]+:[0-9]*:[0-9]*:[0-9]*:[0-9]*\r?$/;
  return lines.length > 0 && lines.every((text) => form.test(text));
}
