// The accounts in other programs' forms, for pop3-passwd export: Dovecot's passwd-file, CSV, JSON. Postfix's and Exim's maps are
// postfix-maps.ts. Pure.
import { type Account, formatAccountLine } from "../account.ts";
import { accountSummary } from "../account-summary.ts";
import { MAIL_FIELD } from "../maildir-path.ts";
import { CHANGED_FIELD, DEPENDENT_FIELDS } from "../passwords/stored-password.ts";

/**
 * For Dovecot's passwd-file driver: every scheme named, and without the extra fields that are ours alone. Dovecot would hand those on to
 * its clients.
 */
export function exportDovecot(accounts: readonly Account[]): string {
  const lines = accounts.map((account) => {
    const extra = new Map([...account.extra].filter(([key]) => !OURS.has(key)));
    return formatAccountLine({ ...account, password: withScheme(account.password), extra });
  });
  return lines.map((line) => `${line}\n`).join("");
}

/** A head and a row for each account, as import reads it. */
export function exportCsv(accounts: readonly Account[], { hashes }: { readonly hashes: boolean }): string {
  const head = [
    "user",
    ...(hashes ? ["hash"] : []),
    "uid",
    "gid",
    "name",
    "home",
    "shell",
    "maildir",
    "allow_nets",
  ];
  const rows = accounts.map((account) => {
    const { user, password, uid = "", gid = "", gecos, home = "", shell = "", extra } = account;
    const { state, scheme } = accountSummary(account);
    const maildir = textOf(extra.get(MAIL_FIELD)).replace(/^maildir:/, "");
    const details = [
      uid,
      gid,
      gecos,
      home,
      shell,
      maildir,
      textOf(extra.get("allow_nets")),
      state,
      scheme ?? "",
    ];
    return [user, ...(hashes ? [password] : []), ...details];
  });
  return [[...head, "state", "scheme"], ...rows].map((row) => `${row.map(csvCell).join(",")}\n`).join("");
}

export function exportJson(accounts: readonly Account[], { hashes }: { readonly hashes: boolean }): string {
  const entries = accounts.map((account) =>
    hashes
      ? { ...accountSummary(account), password: account.password, extra: Object.fromEntries(account.extra) }
      : accountSummary(account),
  );
  return `${JSON.stringify(entries, undefined, 2)}\n`;
}

const OURS: ReadonlySet<string> = new Set([...DEPENDENT_FIELDS, CHANGED_FIELD]);

// Dovecot takes a field without a scheme for CRYPT, which has no argon2.
function withScheme(password: string): string {
  const [, lock = "", type, rest = ""] = /^([!*]*)\$argon2(id|i)(\$.*)$/.exec(password) ?? [];
  return type === undefined ? password : `${lock}{ARGON2${type.toUpperCase()}}$argon2${type}${rest}`;
}

function textOf(value: string | true | undefined): string {
  return typeof value === "string" ? value : "";
}

// RFC 4180
function csvCell(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
