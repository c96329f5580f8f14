// CSV for pop3-passwd import: a head that names the columns, then an account a row. A column "password" holds passwords as people have
// them, to be hashed; "hash" holds what stands in a password field. The one file that imports the CSV library. Pure.
import { parse } from "csv-parse/sync";
import type { NewAccount } from "../file/account-edits.ts";
import { MAIL_FIELD } from "../maildir-path.ts";

export interface CsvRow {
  readonly lineNumber: number;
  /** An account, or why there is none. */
  readonly read: CsvAccount | string;
}

export interface CsvAccount {
  /** Without a password field where `plainPassword` is given. */
  readonly account: NewAccount;
  readonly plainPassword?: string;
}

export type CsvTable =
  | { readonly kind: "rows"; readonly rows: readonly CsvRow[] }
  /** The whole is no table of accounts. */
  | { readonly kind: "unusable"; readonly lineNumber: number; readonly reason: string };

export function readCsv(text: string): CsvTable {
  let records: readonly { readonly record: readonly string[]; readonly info: { readonly lines: number } }[];
  try {
    // The types do not know that `info` changes what comes back.
    records = parse(text, {
      bom: true,
      delimiter: [",", ";", "\t"],
      info: true,
      relax_column_count: true,
      skip_empty_lines: true,
      max_record_size: MAX_RECORD_BYTES,
    }) as unknown as typeof records;
  } catch (error) {
    const lineNumber = error instanceof Error && "lines" in error ? Number(error.lines) : 1;
    return {
      kind: "unusable",
      lineNumber,
      reason: error instanceof Error ? firstSentence(error.message) : "no CSV",
    };
  }
  const [head, ...rows] = records;
  if (head === undefined) return { kind: "rows", rows: [] };
  const columns = head.record.map((name) => COLUMNS.get(name.trim().toLowerCase().replaceAll(/[ -]/g, "_")));
  const unknown = head.record.find((_, index) => columns[index] === undefined);
  const missing = columns.includes("user") ? undefined : "no column is called user";
  const reason =
    missing ??
    (unknown === undefined ? undefined : `the column "${unknown}" is not known: expected ${COLUMN_LIST}`);
  if (reason !== undefined) return { kind: "unusable", lineNumber: 1, reason };
  return {
    kind: "rows",
    rows: rows.map(({ record, info }) => ({
      lineNumber: info.lines,
      read: readRow(columns as Column[], record),
    })),
  };
}

export function looksLikeCsv(text: string): boolean {
  const head = text.replace(/^\uFEFF/, "").split(/\r?\n/, 1)[0] ?? "";
  const names = head.split(/[,;\t]/).map((name) => name.trim().replace(/^"|"$/g, "").toLowerCase());
  return names.length > 1 && names.every((name) => COLUMNS.has(name.replaceAll(/[ -]/g, "_")));
}

type Column =
  | "user"
  | "password"
  | "hash"
  | "uid"
  | "gid"
  | "gecos"
  | "home"
  | "shell"
  | "maildir"
  | "allow_nets"
  | "ignored";

const COLUMNS: ReadonlyMap<string, Column> = new Map([
  ["user", "user"],
  ["username", "user"],
  ["email", "user"],
  ["address", "user"],
  ["password", "password"],
  ["hash", "hash"],
  ["uid", "uid"],
  ["gid", "gid"],
  ["gecos", "gecos"],
  ["name", "gecos"],
  ["home", "home"],
  ["shell", "shell"],
  ["maildir", "maildir"],
  ["allow_nets", "allow_nets"],
  // What export csv writes for people to read.
  ["state", "ignored"],
  ["scheme", "ignored"],
]);
const COLUMN_LIST = "user, password or hash, uid, gid, name, home, shell, maildir, allow_nets";
const MAX_RECORD_BYTES = 65_536;

function readRow(columns: readonly Column[], record: readonly string[]): CsvAccount | string {
  if (record.length !== columns.length) return `has ${record.length} columns, the head has ${columns.length}`;
  const value = (column: Column): string => record[columns.indexOf(column)] ?? "";
  const [uid, gid, home, shell] = (["uid", "gid", "home", "shell"] as const).map(value);
  const extra = new Map<string, string>();
  if (value("maildir") !== "") extra.set(MAIL_FIELD, `maildir:${value("maildir")}`);
  if (value("allow_nets") !== "") extra.set("allow_nets", value("allow_nets"));
  const account: NewAccount = {
    user: value("user").trim(),
    password: value("hash"),
    gecos: value("gecos"),
    ...(uid !== "" && { uid: uid! }),
    ...(gid !== "" && { gid: gid! }),
    ...(home !== "" && { home: home! }),
    ...(shell !== "" && { shell: shell! }),
    extra,
  };
  const plainPassword = value("password");
  if (plainPassword === "") return { account };
  return account.password === "" ? { account, plainPassword } : "has both a password and a hash";
}

function firstSentence(message: string): string {
  return message.split(/\r?\n/)[0]!;
}
