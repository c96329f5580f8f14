// Reads account files of other programs for pop3-passwd import: Dovecot's passwd-file, and /etc/shadow with /etc/passwd beside it.
// Pure: bytes in, accounts and skipped lines out; account-edits.ts puts them into the file.

import { parseAccountLine } from "./account.ts";
import type { NewAccount } from "./account-edits.ts";
import { accountFault } from "./account-edits.ts";
import { splitLines } from "./passwd-lines.ts";
import { readPasswordField } from "./password-field.ts";

export const IMPORT_FORMATS = ["passwd-file", "shadow"] as const;
export type ImportFormat = (typeof IMPORT_FORMATS)[number];

export interface Import {
  readonly format: ImportFormat;
  readonly accounts: readonly NewAccount[];
  /** Lines that are no account for this server, with why. */
  readonly skipped: readonly { readonly lineNumber: number; readonly reason: string }[];
}

/**
 * @param format undefined: shadow if every line has shadow(5)'s nine fields with numbers from the third on
 * @param passwd the passwd(5) file with uid, gid, gecos, home and shell of the users in a shadow file
 */
export function readImport(content: Uint8Array, format?: ImportFormat, passwd?: Uint8Array): Import {
  const chosen = format ?? (looksLikeShadow(content) ? "shadow" : "passwd-file");
  const details = chosen === "shadow" && passwd !== undefined ? readDetails(passwd) : undefined;
  const accounts = new Map<string, NewAccount>();
  const skipped: { lineNumber: number; reason: string }[] = [];
  for (const [index, line] of splitLines(content).entries()) {
    const lineNumber = index + 1;
    const account =
      chosen === "shadow" ? readShadowLine(line.bytes, details) : readPasswdFileLine(line.bytes);
    if (account === undefined) continue;
    if (typeof account === "string") skipped.push({ lineNumber, reason: account });
    else if (accounts.has(account.user))
      skipped.push({ lineNumber, reason: `${account.user} stands in an earlier line` });
    else accounts.set(account.user, account);
  }
  return { format: chosen, accounts: [...accounts.values()], skipped };
}

const decoder = new TextDecoder();

/** An account, a reason to skip the line, or undefined for a blank line. */
type Read = NewAccount | string | undefined;

function readPasswdFileLine(bytes: Uint8Array): Read {
  const parsed = parseAccountLine(bytes, 1);
  if (parsed.kind === "blank") return undefined;
  if (parsed.kind === "invalid") return parsed.reason;
  return accountFault(parsed.account) ?? passwordFault(parsed.account) ?? parsed.account;
}

function readShadowLine(
  bytes: Uint8Array,
  details: ReadonlyMap<string, NewAccount | string> | undefined,
): Read {
  const text = decoder.decode(bytes);
  if (text.trim() === "" || text.startsWith("#")) return undefined;
  const [user = "", password = ""] = text.split(":");
  const detail = details?.get(user);
  if (details !== undefined && detail === undefined) return `${user} is not in the passwd file`;
  if (typeof detail === "string") return `${user}: ${detail}`;
  const account: NewAccount = { gecos: "", extra: new Map(), ...detail, user, password };
  return accountFault(account) ?? passwordFault(account) ?? account;
}

/** System users have no password to take over; what no reader could verify is no account here either. */
function passwordFault({ user, password }: NewAccount): string | undefined {
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

// user:hash:last change:min:max:warn:inactive:expire:reserved. A passwd-file line may have nine fields too, but has a home
// that begins with "/" or none, and hardly a gecos and a shell that are numbers.
function looksLikeShadow(content: Uint8Array): boolean {
  const lines = splitLines(content)
    .map((line) => decoder.decode(line.bytes))
    .filter((text) => text.trim() !== "" && !text.startsWith("#"));
  return (
    lines.length > 0 &&
    lines.every((text) => /^[^:]+:[^:]*:[0-9]*:[0-9]*:[0-9]+:[0-9]*:[0-9]*:[0-9]*:[0-9]*$/.test(text))
  );
}
