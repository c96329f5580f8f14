// pop3-passwd audit: what should be known about the passwd file. pop3-passwd rehash: what can be done about weak hashes without the
// passwords; the rest is marked, and done by the auth process when their owners log in (auth.rehash_on_login).
import { stat } from "node:fs/promises";
import { type Command, InvalidArgumentError } from "commander";
import type { Account } from "../../accounts/account.ts";
import { hashBehindLock } from "../../accounts/account-summary.ts";
import { type Audit, auditAccounts, type Finding, rehashStep } from "../../accounts/audit.ts";
import { changeDetails, findAccount, setPassword } from "../../accounts/file/account-edits.ts";
import type { EditChange } from "../../accounts/file/edit.ts";
import type { PasswdLine } from "../../accounts/file/passwd-lines.ts";
import { DEFAULT_VERIFICATION_MEMORY_KIB } from "../../accounts/passwords/hash-policy.ts";
import {
  REHASH_FIELD,
  type StoredPassword,
  scramHashesFor,
  storePassword,
} from "../../accounts/passwords/stored-password.ts";
import {
  configOf,
  counted,
  edit,
  type GlobalOptions,
  hashPolicyFor,
  optionsOf,
  passwdFileOf,
  Refusal,
  table,
  withExamples,
} from "./context.ts";
import { describeLineFault, readAccounts } from "./read-accounts.ts";

type AuditOptions = GlobalOptions & {
  readonly json?: true;
  readonly domain?: string;
  readonly maxAge?: number;
};
type RehashOptions = GlobalOptions & {
  readonly every?: true;
  readonly dryRun?: true;
  readonly domain?: string;
};

export function addAuditCommands(program: Command): void {
  const audit = program
    .command("audit")
    .description("say what is wrong or weak in the file: exit status 1 if anything is")
    .option(
      "--max-age <days>",
      "passwords older than this count, where their day is noted (set --dated)",
      days,
    )
    .option("--domain <domain>", "only the accounts of this domain")
    .option("--json", "as a JSON object, for monitoring")
    .action((_: unknown, command: Command) => runAudit(optionsOf(command)));
  withExamples(audit, "audit", "audit --json | jq .findings", "audit --max-age 365");

  const rehash = program
    .command("rehash [users...]")
    .description(
      "hash plain passwords now; mark other weak hashes, to be replaced at the next login\n(auth.rehash_on_login); all users if none is named",
    )
    .option("--every", "mark strong hashes too that are not of the configured scheme")
    .option("--domain <domain>", "only the accounts of this domain")
    .option("--dry-run", "say what would be done, and do nothing")
    .action((users: string[], _: unknown, command: Command) => runRehash(users, optionsOf(command)));
  withExamples(rehash, "rehash --dry-run", "rehash", "rehash --every mrose@example.org");
}

async function runAudit(options: AuditOptions): Promise<void> {
  const { accounts, faults } = await readAccounts(options, options.domain);
  const maxMemoryKib = configOf(options)?.auth.verification_memory ?? DEFAULT_VERIFICATION_MEMORY_KIB;
  const oldBefore = options.maxAge === undefined ? undefined : dayBefore(options.maxAge);
  const audit = auditAccounts(accounts, { policy: hashPolicyFor(options), maxMemoryKib, oldBefore });
  const lineFindings = faults.map((fault): Finding => {
    const kind = fault.kind === "duplicate" ? "duplicate" : "bad-line";
    const user = fault.kind === "duplicate" ? fault.user : null;
    return { kind, line: fault.lineNumber, user, reason: describeLineFault(fault).replace(/^line \d+ /, "") };
  });
  const path = passwdFileOf(options);
  const findings = [...(await modeFindings(path)), ...lineFindings, ...audit.findings];
  const report = { file: path, ...audit, findings };
  console.log(options.json ? JSON.stringify(report, undefined, 2) : textOf(report));
  if (findings.length > 0) throw new Refusal(`${path}: ${counted(findings.length, "finding")}`);
}

async function modeFindings(path: string): Promise<Finding[]> {
  const { mode } = await stat(path);
  if ((mode & 0o007) === 0) return [];
  const reason = `the file's mode is ${(mode & 0o777).toString(8)}: every user of this host can take the hashes`;
  return [{ kind: "file-mode", line: null, user: null, reason }];
}

function textOf({
  file,
  accounts,
  locked,
  schemes,
  findings,
  rehash,
  age,
}: Audit & { file: string }): string {
  const parts = [`${file}: ${counted(accounts, "account")}, ${locked} locked`];
  if (schemes.length > 0) {
    const rows = schemes.map(({ scheme, cost, accounts: count }) => [
      scheme,
      cost === "" ? "-" : cost,
      count,
    ]);
    parts.push(table([["SCHEME", "COST", "ACCOUNTS"], ...rows]));
  }
  if (findings.length > 0) {
    const rows = findings.map(({ line, user, kind, reason }) => [line, user, kind, reason]);
    parts.push(table([["LINE", "USER", "FINDING", "WHY"], ...rows]));
  }
  parts.push(
    `rehash would hash ${counted(rehash.now.length, "plain password")} now, and mark ${counted(rehash.atLogin.length, "account")} for the next login`,
    age.known === 0
      ? "no account has the day of its last change (set --dated notes it)"
      : `${counted(age.known, "account")} with the day of the last change, the oldest of ${age.oldest}`,
  );
  return parts.join("\n\n");
}

async function runRehash(users: readonly string[], options: RehashOptions): Promise<void> {
  const policy = hashPolicyFor(options);
  const { accounts } = await readAccounts(options, options.domain);
  const missing = users.find((user) => !accounts.some((account) => account.user === user));
  if (missing !== undefined) throw new Refusal(`no such user: ${missing}`);
  const chosen = users.length === 0 ? accounts : accounts.filter(({ user }) => users.includes(user));
  const steps = chosen.map((account) => ({
    account,
    step: rehashStep(account, policy, { every: options.every === true }),
  }));
  const toHash = steps.filter(({ step }) => step === "now").map(({ account }) => account);
  const toMark = steps.filter(({ step }) => step === "at-login").map(({ account }) => account);
  const counts = { hashed: toHash.length, marked: toMark.length };
  if (!options.dryRun) {
    const stored = new Map<string, StoredPassword>();
    for (const account of toHash) stored.set(account.user, await hashPlain(account, options));
    await edit(passwdFileOf(options), (lines) => {
      const result = rehashLines(lines, toHash, stored, toMark);
      Object.assign(counts, result.counts);
      return result.change;
    });
  }
  const would = options.dryRun ? "would be " : "";
  const waiting = steps.filter(({ step }) => step === "marked").length;
  for (const { user } of options.dryRun ? toHash : []) console.log(`${user}: hashed now`);
  for (const { user } of options.dryRun ? toMark : []) console.log(`${user}: marked`);
  console.log(
    `${counts.hashed} ${would}hashed now, ${counts.marked} ${would}marked for the next login, ${waiting} marked already`,
  );
}

async function hashPlain(account: Account, options: GlobalOptions): Promise<StoredPassword> {
  const field = hashBehindLock(account.password);
  const password = field.kind === "scheme" ? field.data : new Uint8Array(0);
  const outcome = await storePassword(password, {
    policy: hashPolicyFor(options),
    scram: scramHashesFor(account),
  });
  if (outcome.kind === "refused") throw new Refusal(`${account.user}: ${outcome.reason}`);
  // The password is the old one: the day of its last change stays.
  const { date: _, ...stored } = outcome.stored;
  return stored;
}

/** Who was changed meanwhile is left alone. */
function rehashLines(
  lines: readonly PasswdLine[],
  toHash: readonly Account[],
  stored: ReadonlyMap<string, StoredPassword>,
  toMark: readonly Account[],
): { readonly change: EditChange; readonly counts: { hashed: number; marked: number } } {
  let result = lines;
  const apply = (
    { user, password }: Account,
    change: (lines: readonly PasswdLine[]) => EditChange,
  ): number => {
    const found = findAccount(result, user);
    if (found.kind === "missing" || found.account.password !== password) return 0;
    const changed = change(result);
    if (changed.kind !== "write") return 0;
    result = changed.lines;
    return 1;
  };
  const mark = { fields: new Map(), extra: new Map([[REHASH_FIELD, true as const]]) };
  let hashed = 0;
  for (const account of toHash)
    hashed += apply(account, (before) => setPassword(before, account.user, stored.get(account.user)!));
  let marked = 0;
  for (const account of toMark)
    marked += apply(account, (before) => changeDetails(before, account.user, mark));
  const change: EditChange = hashed + marked === 0 ? { kind: "keep" } : { kind: "write", lines: result };
  return { change, counts: { hashed, marked } };
}

function days(text: string): number {
  if (!/^[0-9]{1,5}$/.test(text)) throw new InvalidArgumentError("Expected a number of days.");
  return Number.parseInt(text, 10);
}

function dayBefore(count: number): string {
  return new Date(Date.now() - count * 86_400_000).toISOString().slice(0, 10);
}
