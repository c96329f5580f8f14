// What an administrator should know about the passwd file: which hashes there are and what they cost, which are weak, what cannot be
// used, how old passwords are. Pure; for pop3-passwd audit and rehash. Nothing in it shows any part of a hash.
import type { Account } from "./account.ts";
import { hashBehindLock } from "./account-summary.ts";
import { costBelow, weakness } from "./file/rehash.ts";
import { hashCost } from "./passwords/hash-cost.ts";
import { hashFault } from "./passwords/hash-fault.ts";
import type { HashPolicy } from "./passwords/hash-policy.ts";
import { readPasswordField, schemeName } from "./passwords/password-field.ts";
import { CHANGED_FIELD, REHASH_FIELD } from "./passwords/stored-password.ts";

export type FindingKind =
  | "bad-line"
  | "duplicate"
  | "unusable"
  | "weak"
  | "below-cost"
  | "shared-hash"
  | "no-password"
  | "old"
  | "file-mode";

export interface Finding {
  readonly kind: FindingKind;
  readonly line: number | null;
  readonly user: string | null;
  readonly reason: string;
}

export interface SchemeCount {
  readonly scheme: string;
  /** "" where the scheme has none. */
  readonly cost: string;
  readonly accounts: number;
}

export interface Audit {
  readonly accounts: number;
  readonly locked: number;
  readonly schemes: readonly SchemeCount[];
  readonly findings: readonly Finding[];
  /** What pop3-passwd rehash would do. */
  readonly rehash: { readonly now: readonly string[]; readonly atLogin: readonly string[] };
  /** Of how many the day of the last change is known (extra field password_changed), and the oldest. */
  readonly age: { readonly known: number; readonly oldest: string | null };
}

export interface AuditOptions {
  readonly policy: HashPolicy;
  readonly maxMemoryKib: number;
  /** Passwords that were changed before this day are findings; 2026-11-25. */
  readonly oldBefore?: string | undefined;
}

export function auditAccounts(accounts: readonly Account[], options: AuditOptions): Audit {
  const findings = accounts.flatMap((account) => findingsOf(account, options));
  const changed = accounts.map(changedOn).filter((day) => day !== undefined);
  const steps = accounts.map((account) => ({
    user: account.user,
    step: rehashStep(account, options.policy),
  }));
  const usersWith = (wanted: RehashStep): string[] =>
    steps.filter(({ step }) => step === wanted).map(({ user }) => user);
  return {
    accounts: accounts.length,
    locked: accounts.filter(({ password }) => readPasswordField(password).kind === "locked").length,
    schemes: countSchemes(accounts),
    findings: [...findings, ...sharedHashes(accounts)],
    rehash: { now: usersWith("now"), atLogin: usersWith("at-login") },
    age: { known: changed.length, oldest: changed.sort()[0] ?? null },
  };
}

export type RehashStep = "now" | "at-login" | "marked" | "none";

/**
 * What can be done about a hash: a plain password can be hashed at once, everything else only when its owner logs in with the
 * password. Marked: it waits for that already.
 *
 * @param every every hash that is not as the policy would write it, strong ones of other schemes too
 */
export function rehashStep(account: Account, policy: HashPolicy, { every = false } = {}): RehashStep {
  const field = hashBehindLock(account.password);
  if (field.kind !== "scheme") return "none";
  if (field.scheme === "PLAIN") return "now";
  const isWanted =
    weakness(field) ?? costBelow(field, policy) ?? (every ? otherScheme(account, policy) : undefined);
  if (isWanted === undefined) return "none";
  return account.extra.has(REHASH_FIELD) ? "marked" : "at-login";
}

function otherScheme({ password }: Account, policy: HashPolicy): string | undefined {
  const field = hashBehindLock(password);
  if (field.kind !== "scheme") return undefined;
  const name = schemeName(field);
  return name.toLowerCase() === policy.scheme ? undefined : name;
}

function findingsOf(account: Account, { policy, maxMemoryKib, oldBefore }: AuditOptions): Finding[] {
  const { user, lineNumber: line } = account;
  const finding = (kind: FindingKind, reason: string): Finding => ({ kind, line, user, reason });
  const findings: Finding[] = [];
  const field = hashBehindLock(account.password);
  if (field.kind === "none") findings.push(finding("no-password", "has no password: nobody can log in"));
  else if (field.kind === "unusable") findings.push(finding("unusable", field.reason));
  else if (field.kind === "scheme") {
    const fault = hashFault(field, maxMemoryKib);
    const weak = weakness(field);
    const below = weak === undefined ? costBelow(field, policy) : undefined;
    if (fault !== undefined) findings.push(finding("unusable", fault));
    if (weak !== undefined) findings.push(finding("weak", weak));
    if (below !== undefined) findings.push(finding("below-cost", below));
  }
  const day = changedOn(account);
  if (day !== undefined && oldBefore !== undefined && day < oldBefore)
    findings.push(finding("old", `its password is of ${day}`));
  return findings;
}

function changedOn({ extra }: Account): string | undefined {
  const day = extra.get(CHANGED_FIELD);
  return typeof day === "string" && /^\d{4}-\d\d-\d\d$/.test(day) ? day : undefined;
}

// Salt and all the same: copied from one line to the other. Who knows one password knows both.
function sharedHashes(accounts: readonly Account[]): Finding[] {
  const first = new Map<string, string>();
  const findings: Finding[] = [];
  for (const { user, password, lineNumber: line } of accounts) {
    const hash = password.replace(/^[!*]+/, "");
    if (hash === "") continue;
    const other = first.get(hash);
    if (other === undefined) first.set(hash, user);
    else
      findings.push({ kind: "shared-hash", line, user, reason: `has the same stored password as ${other}` });
  }
  return findings;
}

function countSchemes(accounts: readonly Account[]): SchemeCount[] {
  const counts = new Map<string, { scheme: string; cost: string; accounts: number }>();
  for (const { password } of accounts) {
    const field = hashBehindLock(password);
    if (field.kind !== "scheme") continue;
    const scheme = schemeName(field);
    const cost = hashCost(field).text;
    const key = `${scheme} ${cost}`;
    const entry = counts.get(key) ?? { scheme, cost, accounts: 0 };
    entry.accounts += 1;
    counts.set(key, entry);
  }
  return [...counts.values()].sort((a, b) => b.accounts - a.accounts);
}
