// What every subcommand of pop3-passwd needs: the options that hold for all, the passwd file and the config behind them, and a way to end
// with one line on standard error.
import { constants, existsSync, realpathSync } from "node:fs";
import { access, readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { createInterface } from "node:readline/promises";
import { buffer } from "node:stream/consumers";
import type { Command } from "commander";
import { type AskedPassword, askPassword } from "../../accounts/ask-password.ts";
import type { FoundAccount } from "../../accounts/file/account-edits.ts";
import { type EditChange, type EditOptions, editPasswdFile } from "../../accounts/file/edit.ts";
import { describeFileError, errorCode } from "../../accounts/file/file-error.ts";
import { type PasswdLine, splitLines } from "../../accounts/file/passwd-lines.ts";
import {
  DEFAULT_HASH_POLICY,
  type HashPolicy,
  type WritableScheme,
} from "../../accounts/passwords/hash-policy.ts";
import { hashPolicyOf } from "../../config/hash-policy.ts";
import { DEFAULT_CONFIG_FILE, formatFault, loadConfig } from "../../config/load.ts";
import type { Config } from "../../config/schema.ts";
import { table as alignedTable } from "../../control/terminal/table.ts";

export interface GlobalOptions {
  readonly file?: string;
  readonly config?: string;
  readonly scheme?: WritableScheme;
}

/** Ends the command with one line on standard error; without a reason, silently. */
export class Refusal extends Error {
  readonly exitCode: number;
  constructor(reason: string, exitCode = 1) {
    super(reason);
    this.exitCode = exitCode;
  }
}

/** The command's options and the global ones, wherever they stood. */
export function optionsOf<T extends object>(command: Command): GlobalOptions & T {
  return command.optsWithGlobals<GlobalOptions & T>();
}

/** Examples below a command's help, without the program's name. */
export function withExamples(command: Command, ...examples: readonly string[]): Command {
  return command.addHelpText(
    "after",
    `\nExamples:\n${examples.map((line) => `  pop3-passwd ${line}`).join("\n")}`,
  );
}

/** The config that --config names, else the server's own where it is; undefined with --file alone, which needs none. */
export function configOf({ file, config }: GlobalOptions): Config | undefined {
  if (config === undefined && (file !== undefined || !existsSync(DEFAULT_CONFIG_FILE))) return undefined;
  const loaded = loadConfig(config ?? DEFAULT_CONFIG_FILE);
  if (loaded.kind === "config") return loaded.config;
  throw new Refusal(`${formatFault(loaded.faults[0]!)} (--file names a passwd file directly)`);
}

/** --file, else auth.passwd_file of the config. */
export function passwdFileOf(options: GlobalOptions): string {
  // Without any config the server cannot run either, but accounts may be made first.
  return options.file ?? configOf(options)?.auth.passwd_file ?? "/etc/dewey-pop3/passwd";
}

/** Where the files beside it are: next to the file itself, not to a symbolic link to it. */
export function realPasswdFileOf(options: GlobalOptions): string {
  const path = passwdFileOf(options);
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/** --scheme, else what the config says. */
export function hashPolicyFor(options: GlobalOptions): HashPolicy {
  const config = configOf(options);
  const policy = config === undefined ? DEFAULT_HASH_POLICY : hashPolicyOf(config);
  return options.scheme === undefined ? policy : { ...policy, scheme: options.scheme };
}

export async function edit(
  path: string,
  change: (lines: readonly PasswdLine[]) => EditChange,
  options: EditOptions = {},
): Promise<"written" | "kept"> {
  const outcome = await editPasswdFile(path, change, options);
  if (outcome.kind === "refused" || outcome.kind === "failed") throw new Refusal(outcome.reason);
  return outcome.kind;
}

export async function readLines(path: string, { missingIsEmpty = false } = {}): Promise<PasswdLine[]> {
  try {
    return splitLines(await readFile(path));
  } catch (error) {
    if (errorCode(error) === "ENOENT" && missingIsEmpty) return [];
    throw new Refusal(cannotRead(path, describeFileError(error), errorCode(error)));
  }
}

/** The passwd file, and what mends it. */
export function cannotRead(path: string, why: string, code: string | undefined): string {
  const mend = code === "ENOENT" ? " (pop3-passwd add USER makes it)" : code === "EACCES" ? RUN_AS_ROOT : "";
  return `cannot read ${path}: ${why}${mend}`;
}

const RUN_AS_ROOT = " (run this as root)";

export async function readSource(source: string): Promise<Uint8Array> {
  try {
    // Not by /dev/stdin: Linux cannot open that where standard input is a socket.
    return source === "-" ? await buffer(process.stdin) : await readFile(source);
  } catch (error) {
    throw new Refusal(`cannot read ${source}: ${describeFileError(error)}`);
  }
}

/** Asked before a password is typed; the change itself finds out for certain. */
export async function checkWritable(options: GlobalOptions): Promise<void> {
  const path = realPasswdFileOf(options);
  try {
    if (existsSync(path)) await access(path, constants.W_OK);
    await access(dirname(path), constants.W_OK | constants.X_OK);
  } catch (error) {
    const [code, folder] = [errorCode(error), dirname(path)];
    const mend =
      code === "ENOENT" ? ` (make its folder first: ${folder})` : code === "EACCES" ? RUN_AS_ROOT : "";
    throw new Refusal(`cannot change ${passwdFileOf(options)}: ${describeFileError(error)}${mend}`);
  }
}

export async function newPasswordOf(user: string): Promise<Buffer> {
  return entered(await askPassword([`New password of ${user}:`, "Once more:"]));
}

export function entered(asked: AskedPassword): Buffer {
  if (asked.kind === "password") return asked.password;
  throw asked.kind === "cancelled" ? new Refusal("", 130) : new Refusal(asked.reason);
}

export function existing(found: FoundAccount): FoundAccount & { kind: "found" } {
  if (found.kind === "missing") throw new Refusal(found.reason);
  return found;
}

/** At a terminal, a question; elsewhere nobody is there to answer it, and --yes has to be given. */
export async function confirm(question: string, yes: true | undefined): Promise<void> {
  if (yes) return;
  if (!process.stdin.isTTY) throw new Refusal(`${question} Say so with --yes`);
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  // Ctrl-C and Ctrl-D close it, and then the question is never answered.
  const closed = new Promise<undefined>((resolve) => terminal.once("close", () => resolve(undefined)));
  const answer = await Promise.race([terminal.question(`${question} [y/N] `), closed]);
  terminal.close();
  if (answer === undefined) throw new Refusal("", 130);
  if (!/^y(?:es)?$/i.test(answer.trim())) throw new Refusal("nothing is changed");
}

/** The first row is the head. Never cut: it may go through a pipe. */
export function table([head = [], ...rows]: readonly (readonly (string | number | null)[])[]): string {
  const columns = head.map((title) => ({ title: `${title}` }));
  const cells = rows.map((row) => row.map((cell) => cell ?? "-"));
  return alignedTable(columns, cells, Number.POSITIVE_INFINITY).join("\n");
}

export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
