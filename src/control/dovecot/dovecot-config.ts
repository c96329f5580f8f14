// What Dovecot's config says about unique-ids: from `doveconf -n`, or from dovecot.conf and what it includes. Read by
// pop3-ctl, as the administrator who may read it.
import { execFile } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, isAbsolute, join } from "node:path";
import { promisify } from "node:util";
import { describeFileError } from "../../accounts/file/file-error.ts";
import { parseDovecotLocation } from "../../accounts/transfer/dovecot-location.ts";
import { Refusal } from "../terminal/refusal.ts";
import { type DovecotSetting, parseDovecotSettings, pop3Settings } from "./dovecot-settings.ts";

export interface DovecotConfig {
  /** pop3_uidl_format, where it is not the default. */
  readonly uidlFormat: string | undefined;
  /** pop3_uidl_duplicates = rename. */
  readonly renamesDuplicates: boolean;
  /** pop3_reuse_xuidl = yes: a message's own X-UIDL header went before the format. */
  readonly reusesXUidl: boolean;
  /** Template of the folder in which the inbox's dovecot-uidlist is, when not in the Maildir. */
  readonly controlFolder: string | undefined;
}

const DEFAULT_FILE = "/etc/dovecot/dovecot.conf";

/**
 * Undefined where this host has no Dovecot.
 *
 * @param path dovecot.conf, its folder, or what `doveconf -n` printed; none: this host's
 * @throws Refusal when it is named and cannot be read
 */
export async function readDovecotConfig(path: string | undefined): Promise<DovecotConfig | undefined> {
  if (path !== undefined) return dovecotConfig(valuesOf(readDovecotSettings(path)));
  try {
    const { stdout } = await promisify(execFile)("doveconf", ["-n"], { maxBuffer: 16 * 1024 * 1024 });
    return dovecotConfig(valuesOf(parseDoveconf(stdout)));
  } catch {
    // Not installed any more, or its config is broken: what is left of it is read.
  }
  try {
    return dovecotConfig(valuesOf(readDovecotSettings(DEFAULT_FILE)));
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}

/** @param text as doveconf -n prints it */
export function parseDoveconf(text: string): DovecotSetting[] {
  return parseDovecotSettings({ file: "doveconf -n", text }, () => []);
}

function valuesOf(settings: readonly DovecotSetting[]): DovecotValues {
  return new Map([...pop3Settings(settings)].map(([key, { value }]) => [key, value]));
}

/** The values that hold for POP3, by key. */
export type DovecotValues = ReadonlyMap<string, string>;

export function dovecotConfig(settings: DovecotValues): DovecotConfig {
  return {
    uidlFormat: settings.get("pop3_uidl_format"),
    renamesDuplicates: settings.get("pop3_uidl_duplicates") === "rename",
    reusesXUidl: settings.get("pop3_reuse_xuidl") === "yes",
    controlFolder: parseDovecotLocation(mailLocation(settings)).controlFolder,
  };
}

/** mail_location, in the one line of before 2.4, which has several settings for it. */
export function mailLocation(settings: DovecotValues): string {
  const parts = [`${settings.get("mail_driver") ?? ""}:${settings.get("mail_path") ?? ""}`];
  for (const [option, key] of [
    ["INBOX", "mail_inbox_path"],
    ["CONTROL", "mail_control_path"],
    ["LAYOUT", "mailbox_list_layout"],
  ] as const) {
    const value = settings.get(key);
    if (value !== undefined) parts.push(`${option}=${value}`);
  }
  return settings.get("mail_location") ?? parts.join(":");
}

/** What stands in dovecot.conf, or its folder, and in what it includes. @throws Refusal when it cannot be read */
export function readDovecotSettings(path: string): DovecotSetting[] {
  const file = fileAt(path);
  return parseDovecotSettings({ file, text: read(file) }, (pattern, from) =>
    matchingFiles(isAbsolute(pattern) ? pattern : join(dirname(from), pattern)).map((included) => {
      return { file: included, text: read(included) };
    }),
  );
}

/** Only a file's name has wildcards in Dovecot's own and Debian's configs. */
function matchingFiles(pattern: string): string[] {
  const folder = dirname(pattern);
  const expression = basename(pattern)
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replace(/\*/g, ".*")
    .replace(/\?/g, ".");
  const matches = new RegExp(`^${expression}$`);
  try {
    const names = readdirSync(folder).filter((name) => !name.startsWith(".") && matches.test(name));
    return names.sort().map((name) => join(folder, name));
  } catch {
    return [];
  }
}

function fileAt(path: string): string {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
    ? join(path, "dovecot.conf")
    : path;
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new Refusal(`cannot read ${file}: ${describeFileError(error)}`);
  }
}
