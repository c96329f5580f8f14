// The changes that pop3-passwd makes, as functions from the file's lines to its new lines or a refusal. Pure: edit.ts calls them
// under the lock, so what they find is what will be replaced.
import { type Account, formatAccountLine, parseAccountLine, userNameFault } from "../account.ts";
import { lockedField, readPasswordField } from "../passwords/password-field.ts";
import { preparedName } from "../passwords/saslprep.ts";
import { CHANGED_FIELD, DEPENDENT_FIELDS, type StoredPassword } from "../passwords/stored-password.ts";
import type { EditChange } from "./edit.ts";
import {
  type PasswdLine,
  userOfLine,
  withExtraFields,
  withField,
  withLines,
  withPasswordField,
} from "./passwd-lines.ts";

export type NewAccount = Omit<Account, "lineNumber">;

export type FoundAccount =
  | { readonly kind: "found"; readonly index: number; readonly account: Account }
  /** The reason names the user, and the line if there is a bad one. */
  | { readonly kind: "missing"; readonly reason: string };

/** The account as readers of the file find it: the first sound line of this user. */
export function findAccount(lines: readonly PasswdLine[], user: string): FoundAccount {
  let badLine: string | undefined;
  const name = preparedName(user);
  for (const [index, line] of lines.entries()) {
    if (userOfLine(line) !== name) continue;
    const parsed = parseAccountLine(line.bytes, index + 1);
    if (parsed.kind === "account") return { kind: "found", index, account: parsed.account };
    if (parsed.kind === "invalid")
      badLine ??= `line ${index + 1} of ${user} cannot be used: ${parsed.reason}`;
  }
  return { kind: "missing", reason: badLine ?? `no such user: ${user}` };
}

export function addAccount(lines: readonly PasswdLine[], account: NewAccount): EditChange {
  const fault = accountFault(account);
  if (fault !== undefined) return { kind: "refuse", reason: fault };
  // Bad lines count: another reader of the file may find them good.
  const index = lines.findIndex((line) => userOfLine(line) === preparedName(account.user));
  if (index >= 0) return { kind: "refuse", reason: `${account.user} exists already, in line ${index + 1}` };
  return { kind: "write", lines: withLines(lines, [formatAccountLine(account)]) };
}

/**
 * A locked account gets the new password and stays locked: a changed password must not bring back whom somebody shut out. What
 * else in the line was made from the old password goes with it.
 */
export function setPassword(lines: readonly PasswdLine[], user: string, stored: StoredPassword): EditChange {
  const found = findAccount(lines, user);
  if (found.kind === "missing") return { kind: "refuse", reason: found.reason };
  const { account, index } = found;
  const isLocked = readPasswordField(account.password).kind === "locked";
  const line = withPasswordField(lines[index]!, isLocked ? lockedField(stored.field) : stored.field);
  const changes = new Map<string, string | true | undefined>(
    DEPENDENT_FIELDS.filter((key) => account.extra.has(key)).map((key) => [key, undefined]),
  );
  for (const [key, value] of stored.extra ?? []) changes.set(key, value);
  if (stored.date !== undefined && account.extra.has(CHANGED_FIELD)) changes.set(CHANGED_FIELD, stored.date);
  return { kind: "write", lines: lines.with(index, withExtraFields(line, changes)) };
}

/** "!" before the field, as usermod -L does: no reader of the file finds a hash that a password could match. */
export function lockAccount(lines: readonly PasswdLine[], user: string): EditChange {
  return changePasswordField(lines, user, (old) => ({ kind: "field", field: lockedField(old) }));
}

export function unlockAccount(lines: readonly PasswdLine[], user: string): EditChange {
  return changePasswordField(lines, user, (old) => {
    const field = readPasswordField(old);
    if (field.kind !== "locked") return { kind: "field", field: old };
    if (field.hidden === "") return { kind: "refuse", reason: `${user} has no password behind the lock` };
    return { kind: "field", field: field.hidden };
  });
}

/** Fields of the line to change; the others stay as they are. */
export interface ChangedDetails {
  readonly fields: ReadonlyMap<DetailField, string>;
  /** undefined takes an extra field away. */
  readonly extra: ReadonlyMap<string, string | true | undefined>;
}

export type DetailField = keyof typeof FIELD_INDEX;

export function changeDetails(
  lines: readonly PasswdLine[],
  user: string,
  { fields, extra }: ChangedDetails,
): EditChange {
  const found = findAccount(lines, user);
  if (found.kind === "missing") return { kind: "refuse", reason: found.reason };
  for (const [name, value] of fields) {
    if (/[:\p{Cc}]/u.test(value))
      return { kind: "refuse", reason: `${name} holds ":" or a control character` };
  }
  for (const [key, value] of extra) {
    const fault = extraFault(key, value ?? true);
    if (fault !== undefined) return { kind: "refuse", reason: fault };
  }
  let line = lines[found.index]!;
  for (const [name, value] of fields) line = withField(line, FIELD_INDEX[name], value);
  if (extra.size > 0) line = withExtraFields(line, extra);
  // What readers of the file would refuse is refused before it is there.
  const parsed = parseAccountLine(line.bytes, found.index + 1);
  if (parsed.kind === "invalid") return { kind: "refuse", reason: parsed.reason };
  return { kind: "write", lines: lines.with(found.index, line) };
}

/** The changes one after the other, as one change; the first refusal holds. */
export function inTurn(
  lines: readonly PasswdLine[],
  ...changes: readonly ((lines: readonly PasswdLine[]) => EditChange)[]
): EditChange {
  let result: EditChange = { kind: "keep" };
  for (const change of changes) {
    const next = change(result.kind === "write" ? result.lines : lines);
    if (next.kind === "refuse") return next;
    if (next.kind === "write") result = next;
  }
  return result;
}

/** Every line of the user: a duplicate behind the first one would come to life otherwise. */
export function deleteAccount(lines: readonly PasswdLine[], user: string): EditChange {
  const rest = lines.filter((line) => userOfLine(line) !== user);
  if (rest.length === lines.length) return { kind: "refuse", reason: `no such user: ${user}` };
  return { kind: "write", lines: rest };
}

/** Every line of every user of the domain, for whom the administrator was asked. */
export function deleteDomain(
  lines: readonly PasswdLine[],
  domain: string,
  confirmed: ReadonlySet<string>,
): EditChange {
  const users = usersOfDomain(lines, domain);
  if (users.length === 0) return { kind: "refuse", reason: `no user in ${domain}` };
  const isNew = users.find((user) => !confirmed.has(user));
  if (isNew !== undefined)
    return { kind: "refuse", reason: `${isNew} was added meanwhile; nothing is deleted` };
  return { kind: "write", lines: lines.filter((line) => !confirmed.has(userOfLine(line) ?? "")) };
}

/** Users whose name ends in @domain, in order; domains are compared without their case. */
export function usersOfDomain(lines: readonly PasswdLine[], domain: string): string[] {
  const users = lines.map(userOfLine).filter((user) => user !== undefined);
  return [...new Set(users.filter((user) => isOfDomain(user, domain)))];
}

export function isOfDomain(user: string, domain: string): boolean {
  const at = user.lastIndexOf("@");
  return at >= 0 && user.slice(at + 1).toLowerCase() === domain.toLowerCase();
}

export interface ImportCounts {
  readonly added: number;
  readonly replaced: number;
  /** Existed already and stayed as they were. */
  readonly kept: number;
}

/** Adds those who are missing; those who exist are left alone, or get the new line in their old place. */
export function importAccounts(
  lines: readonly PasswdLine[],
  accounts: readonly NewAccount[],
  { replace }: { readonly replace: boolean },
): { readonly change: EditChange; readonly counts: ImportCounts } {
  const places = new Map<string, number>();
  for (const [index, line] of lines.entries()) {
    const user = userOfLine(line);
    if (user !== undefined && !places.has(user)) places.set(user, index);
  }
  const result = [...lines];
  const added: string[] = [];
  let replaced = 0;
  let kept = 0;
  for (const account of accounts) {
    const index = places.get(preparedName(account.user));
    if (index === undefined) added.push(formatAccountLine(account));
    else if (replace) {
      result[index] = { bytes: encoder.encode(formatAccountLine(account)), end: lines[index]!.end };
      replaced += 1;
    } else kept += 1;
  }
  const counts = { added: added.length, replaced, kept };
  if (added.length === 0 && replaced === 0) return { change: { kind: "keep" }, counts };
  return { change: { kind: "write", lines: withLines(result, added) }, counts };
}

/** What keeps the account from being read back as it was meant, or undefined: ":" in a field, a relative home, uid 0 … */
export function accountFault(account: NewAccount): string | undefined {
  const userFault = userNameFault(account.user);
  if (userFault !== undefined) return userFault;
  const { password, uid = "", gid = "", gecos, home = "", shell = "" } = account;
  for (const [name, value] of Object.entries({ password, uid, gid, gecos, home, shell })) {
    if (/[:\p{Cc}]/u.test(value)) return `${name} holds ":" or a control character`;
  }
  for (const [key, value] of account.extra) {
    const fault = extraFault(key, value);
    if (fault !== undefined) return fault;
  }
  const parsed = parseAccountLine(formatAccountLine(account), 1);
  return parsed.kind === "invalid" ? parsed.reason : undefined;
}

const encoder = new TextEncoder();

const FIELD_INDEX = { uid: 2, gid: 3, gecos: 4, home: 5, shell: 6 } as const;

function extraFault(key: string, value: string | true): string | undefined {
  if (!/^[A-Za-z0-9_.-]+$/.test(key))
    return "the name of an extra field holds more than letters, digits, _ . and -";
  if (value !== true && /[\s\p{Cc}]/u.test(value))
    return `extra field ${key} holds whitespace or a control character`;
  return undefined;
}

type FieldChange = { readonly kind: "field"; readonly field: string } | (EditChange & { kind: "refuse" });

function changePasswordField(
  lines: readonly PasswdLine[],
  user: string,
  change: (old: string) => FieldChange,
): EditChange {
  const found = findAccount(lines, user);
  if (found.kind === "missing") return { kind: "refuse", reason: found.reason };
  const changed = change(found.account.password);
  if (changed.kind === "refuse") return changed;
  if (changed.field === found.account.password) return { kind: "keep" };
  const line = withPasswordField(lines[found.index]!, changed.field);
  return { kind: "write", lines: lines.with(found.index, line) };
}
