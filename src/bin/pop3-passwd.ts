#!/usr/bin/env node
// pop3-passwd: the accounts of the passwd file. Run by the administrator, as root or as the file's owner.
// Exit status: 0 done, 1 refused with one line on standard error, 2 usage, 130 interrupted at the prompt.
import { constants, existsSync } from "node:fs";
import { access, readFile, realpath } from "node:fs/promises";
import { dirname } from "node:path";
import { buffer } from "node:stream/consumers";
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import type { Account } from "../accounts/account.ts";
import {
  accountFault,
  addAccount,
  deleteAccount,
  type FoundAccount,
  findAccount,
  importAccounts,
  lockAccount,
  setPassword,
  unlockAccount,
} from "../accounts/account-edits.ts";
import { type AskedPassword, askPassword } from "../accounts/ask-password.ts";
import { type EditChange, editPasswdFile } from "../accounts/edit.ts";
import { describeErrorCode, describeFileError, errorCode } from "../accounts/file-error.ts";
import { IMPORT_FORMATS, type ImportFormat, readImport } from "../accounts/import.ts";
import { PasswdFile, type PasswdFileEvent } from "../accounts/passwd-file.ts";
import { type PasswdLine, splitLines } from "../accounts/passwd-lines.ts";
import {
  hashPasswordAs,
  verifyPassword,
  WRITABLE_SCHEMES,
  type WritableScheme,
} from "../accounts/password.ts";
import { readPasswordField, schemeName } from "../accounts/password-field.ts";
import { DEFAULT_CONFIG_FILE, formatFault, loadConfig } from "../config/load.ts";

interface FileOptions {
  readonly file?: string;
  readonly config?: string;
}

interface HashOptions extends FileOptions {
  readonly scheme: WritableScheme;
}

interface AddOptions extends HashOptions {
  readonly uid?: string;
  readonly gid?: string;
  readonly home?: string;
  readonly gecos?: string;
  readonly shell?: string;
  readonly extra?: ReadonlyMap<string, string | true>;
}

interface ImportOptions extends FileOptions {
  readonly replace?: true;
  readonly format?: ImportFormat;
  readonly passwd?: string;
}

/** Ends the command with one line on standard error. */
class Refusal extends Error {
  readonly exitCode: number;
  constructor(reason: string, exitCode = 1) {
    super(reason);
    this.exitCode = exitCode;
  }
}

const program: Command = new Command("pop3-passwd")
  .description(
    "Accounts of the passwd file. With a user alone, sets that user's password.\n" +
      "A password is asked for twice at a terminal, else it is the first line of standard input.",
  )
  .usage("[options] COMMAND | USER")
  .argument("[user]", "whose password to set")
  .option("--file <file>", "the passwd file (default: auth.passwd_file of the config)")
  .option("--config <file>", `the server's config (default: ${DEFAULT_CONFIG_FILE})`)
  .addOption(
    new Option(
      "--scheme <scheme>",
      "for add and set: how to hash; not argon2id where an MTA reads the file itself",
    )
      .choices(WRITABLE_SCHEMES)
      .default("argon2id"),
  )
  .configureHelp({ showGlobalOptions: true })
  .exitOverride()
  .action(async (user: string | undefined, options: HashOptions) => {
    if (user === undefined) program.help({ error: true });
    const found = findAccount(await readLines(passwdFilePath(options)), user);
    // The word may have been meant as a command.
    if (found.kind === "missing") throw new Refusal(`${found.reason}, and no such command`);
    await set(user, options);
  });

program
  .command("add <user>")
  .description("add an account; makes the file if it is missing")
  .option("--uid <uid>", "number or name of the mail's owner")
  .option("--gid <gid>", "number or name of the mail's group")
  .option("--home <directory>", "home, an absolute path")
  .option("--gecos <text>", "full name or remark")
  .option("--shell <path>", "for other readers of the file")
  .option("--extra <field>", "an extra field, such as allow_nets=192.0.2.0/24; may be repeated", collectExtra)
  .action((user: string, _: unknown, command: Command) => add(user, command.optsWithGlobals()));
program
  .command("set <user>")
  .description("set the password; a locked account stays locked")
  .action((user: string, _: unknown, command: Command) => set(user, command.optsWithGlobals()));
program
  .command("delete <user>")
  .description("delete the account; its mail stays")
  .action((user: string, _: unknown, command: Command) => remove(user, command.optsWithGlobals()));
program
  .command("lock <user>")
  .description("refuse every password, keeping the hash")
  .action((user: string, _: unknown, command: Command) => lock(user, command.optsWithGlobals()));
program
  .command("unlock <user>")
  .description("take the lock away")
  .action((user: string, _: unknown, command: Command) => unlock(user, command.optsWithGlobals()));
program
  .command("verify <user>")
  .description("ask for a password and say whether it is right: exit status 0 or 1")
  .action((user: string, _: unknown, command: Command) => verify(user, command.optsWithGlobals()));
program
  .command("list")
  .description("list the accounts, without their hashes")
  .option("--json", "as a JSON array")
  .action((_: unknown, command: Command) => list(command.optsWithGlobals()));
program
  .command("import <source>")
  .description('take accounts over from a Dovecot passwd-file or an /etc/shadow file; "-" is standard input')
  .addOption(
    new Option("--format <format>", "what the source is (default: seen from its lines)").choices(
      IMPORT_FORMATS,
    ),
  )
  .option("--passwd <file>", "for shadow: the passwd file with uid, gid and home")
  .option("--replace", "overwrite accounts that exist already (default: they stay)")
  .action((source: string, _: unknown, command: Command) => importFile(source, command.optsWithGlobals()));

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else if (error instanceof Refusal) {
    if (error.message !== "") console.error(`pop3-passwd: ${error.message}`);
    process.exitCode = error.exitCode;
  } else throw error;
}

async function add(user: string, options: AddOptions): Promise<void> {
  const path = passwdFilePath(options);
  const details = {
    user,
    ...(options.uid !== undefined && { uid: options.uid }),
    ...(options.gid !== undefined && { gid: options.gid }),
    gecos: options.gecos ?? "",
    ...(options.home !== undefined && { home: options.home }),
    ...(options.shell !== undefined && { shell: options.shell }),
    extra: options.extra ?? new Map<string, string | true>(),
  };
  // What can be refused is refused before anybody types a password.
  const fault = accountFault({ ...details, password: "" });
  if (fault !== undefined) throw new Refusal(fault);
  const early = addAccount(await readLines(path, { missingIsEmpty: true }), { ...details, password: "" });
  if (early.kind === "refuse") throw new Refusal(early.reason);
  await checkWritable(path);
  const password = await hashedPassword(options.scheme, user);
  await edit(path, (lines) => addAccount(lines, { ...details, password }), { create: true });
  console.log(`${user} added`);
}

async function set(user: string, options: HashOptions): Promise<void> {
  const path = passwdFilePath(options);
  const { account } = existing(findAccount(await readLines(path), user));
  await checkWritable(path);
  const password = await hashedPassword(options.scheme, user);
  await edit(path, (lines) => setPassword(lines, user, password));
  const isLocked = readPasswordField(account.password).kind === "locked";
  console.log(isLocked ? `password of ${user} set; the account is still locked` : `password of ${user} set`);
}

async function remove(user: string, options: FileOptions): Promise<void> {
  await edit(passwdFilePath(options), (lines) => deleteAccount(lines, user));
  console.log(`${user} deleted`);
}

async function lock(user: string, options: FileOptions): Promise<void> {
  const outcome = await edit(passwdFilePath(options), (lines) => lockAccount(lines, user));
  console.log(outcome === "written" ? `${user} locked` : `${user} was locked already`);
}

async function unlock(user: string, options: FileOptions): Promise<void> {
  const outcome = await edit(passwdFilePath(options), (lines) => unlockAccount(lines, user));
  console.log(outcome === "written" ? `${user} unlocked` : `${user} was not locked`);
}

async function verify(user: string, options: FileOptions): Promise<void> {
  const { account } = existing(findAccount(await readLines(passwdFilePath(options)), user));
  const field = readPasswordField(account.password);
  if (field.kind === "locked") throw new Refusal(`${user} is locked`);
  if (field.kind === "none") throw new Refusal(`${user} has no password`);
  const given = entered(await askPassword([`Password of ${user}:`]));
  const verification = await verifyPassword(account.password, given, user);
  if (verification === "mismatch") throw new Refusal(`wrong password for ${user}`);
  if (verification !== "match") throw new Refusal(`line ${account.lineNumber}: ${verification.reason}`);
  console.log(`the password of ${user} is right`);
}

async function list(options: FileOptions & { readonly json?: true }): Promise<void> {
  const events: PasswdFileEvent[] = [];
  const file = new PasswdFile({ path: passwdFilePath(options), onEvent: (event) => events.push(event) });
  await file.refresh();
  const warnings = events.map(describeEvent).filter((warning) => warning !== undefined);
  const entries = [...file.accounts.values()].map(listEntry);
  if (options.json) console.log(JSON.stringify(entries, undefined, 2));
  else if (entries.length > 0) console.log(table(entries));
  for (const warning of warnings) console.error(`pop3-passwd: ${warning}`);
}

async function importFile(source: string, options: ImportOptions): Promise<void> {
  const path = passwdFilePath(options);
  const passwd = options.passwd === undefined ? undefined : await readSource(options.passwd);
  const read = readImport(await readSource(source), options.format, passwd);
  for (const { lineNumber, reason } of read.skipped)
    console.error(`${source}:${lineNumber}: skipped: ${reason}`);
  if (read.accounts.length === 0) throw new Refusal(`${source} holds no account to import`);
  let counts = { added: 0, replaced: 0, kept: 0 };
  await edit(
    path,
    (lines) => {
      const imported = importAccounts(lines, read.accounts, { replace: options.replace === true });
      counts = imported.counts;
      return imported.change;
    },
    { create: true },
  );
  const kept =
    counts.kept > 0 && !options.replace
      ? `${counts.kept} kept as they were (--replace overwrites)`
      : undefined;
  const parts = [`${counts.added} added`, options.replace ? `${counts.replaced} replaced` : kept];
  const skipped = read.skipped.length;
  if (skipped > 0) parts.push(`${skipped} ${skipped === 1 ? "line" : "lines"} skipped`);
  console.log(parts.filter((part) => part !== undefined).join(", "));
}

/** --file, else auth.passwd_file of the config. */
function passwdFilePath({ file, config }: FileOptions): string {
  if (file !== undefined) return file;
  // Without any config the server cannot run either, but accounts may be made first.
  if (config === undefined && !existsSync(DEFAULT_CONFIG_FILE)) return "/etc/dewey-pop3/passwd";
  const loaded = loadConfig(config ?? DEFAULT_CONFIG_FILE);
  if (loaded.kind === "faulty")
    throw new Refusal(`${formatFault(loaded.faults[0]!)} (--file names a passwd file directly)`);
  return loaded.config.auth.passwd_file;
}

async function edit(
  path: string,
  change: (lines: readonly PasswdLine[]) => EditChange,
  { create = false } = {},
): Promise<"written" | "kept"> {
  const outcome = await editPasswdFile(path, change, { create });
  if (outcome.kind === "refused" || outcome.kind === "failed") throw new Refusal(outcome.reason);
  return outcome.kind;
}

async function readLines(path: string, { missingIsEmpty = false } = {}): Promise<PasswdLine[]> {
  try {
    return splitLines(await readFile(path));
  } catch (error) {
    if (errorCode(error) === "ENOENT" && missingIsEmpty) return [];
    throw new Refusal(`cannot read ${path}: ${describeFileError(error)}`);
  }
}

/** Asked before a password is typed; the change itself finds out for certain. */
async function checkWritable(path: string): Promise<void> {
  try {
    const realPath = await realpath(path).catch(() => path);
    if (existsSync(realPath)) await access(realPath, constants.W_OK);
    await access(dirname(realPath), constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new Refusal(`cannot change ${path}: ${describeFileError(error)}`);
  }
}

async function readSource(source: string): Promise<Uint8Array> {
  try {
    // Not by /dev/stdin: Linux cannot open that where standard input is a socket.
    return source === "-" ? await buffer(process.stdin) : await readFile(source);
  } catch (error) {
    throw new Refusal(`cannot read ${source}: ${describeFileError(error)}`);
  }
}

async function hashedPassword(scheme: WritableScheme, user: string): Promise<string> {
  const asked = await askPassword([`New password of ${user}:`, "Once more:"]);
  const hashed = await hashPasswordAs(scheme, entered(asked));
  if (hashed.kind === "refused") throw new Refusal(hashed.reason);
  return hashed.field;
}

function entered(asked: AskedPassword): Buffer {
  if (asked.kind === "password") return asked.password;
  throw asked.kind === "cancelled" ? new Refusal("", 130) : new Refusal(asked.reason);
}

function existing(found: FoundAccount): FoundAccount & { kind: "found" } {
  if (found.kind === "missing") throw new Refusal(found.reason);
  return found;
}

type ExtraFields = ReadonlyMap<string, string | true>;

function collectExtra(field: string, before: ExtraFields = new Map()): ExtraFields {
  const [, key, value] = /^([A-Za-z0-9_.-]+)(?:=(\S*))?$/.exec(field) ?? [];
  if (key === undefined) throw new InvalidArgumentError("Expected NAME or NAME=VALUE, without spaces.");
  return new Map<string, string | true>([...before, [key, value ?? true]]);
}

interface ListEntry {
  readonly user: string;
  readonly state: "active" | "locked" | "no-password" | "no-login" | "unusable";
  readonly scheme: string | null;
  readonly uid: string | null;
  readonly gid: string | null;
  readonly home: string | null;
  readonly gecos: string;
  readonly shell: string | null;
  readonly extra: Record<string, string | true>;
  readonly line: number;
}

function listEntry(account: Account): ListEntry {
  const field = readPasswordField(account.password);
  const hash = field.kind === "locked" ? readPasswordField(field.hidden) : field;
  const { user, uid = null, gid = null, home = null, gecos, shell = null, lineNumber: line } = account;
  const scheme = hash.kind === "scheme" ? schemeName(hash) : null;
  return {
    user,
    state: state(account),
    scheme,
    uid,
    gid,
    home,
    gecos,
    shell,
    extra: Object.fromEntries(account.extra),
    line,
  };
}

function state(account: Account): ListEntry["state"] {
  const field = readPasswordField(account.password);
  switch (field.kind) {
    case "none":
      return "no-password";
    case "locked":
      return "locked";
    case "unusable":
      return "unusable";
    case "scheme":
      return account.extra.has("nologin") ? "no-login" : "active";
    default:
      return field satisfies never;
  }
}

function table(entries: readonly ListEntry[]): string {
  const rows = [
    ["USER", "STATE", "SCHEME", "UID", "GID", "HOME"],
    ...entries.map(({ user, state, scheme, uid, gid, home }) =>
      [user, state, scheme, uid, gid, home].map((value) => value ?? "-"),
    ),
  ];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function describeEvent(event: PasswdFileEvent): string | undefined {
  switch (event.kind) {
    case "reloaded":
      return undefined;
    case "invalid-line":
      return `line ${event.lineNumber} is skipped: ${event.reason}`;
    case "duplicate":
      return `line ${event.lineNumber} is skipped: ${event.user} stands in line ${event.firstLineNumber} already`;
    case "unreadable":
    case "unwatched":
      throw new Refusal(`cannot read ${event.path}: ${describeErrorCode(event.code)}`);
    default:
      return event satisfies never;
  }
}
