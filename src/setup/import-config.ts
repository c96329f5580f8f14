// `pop3-ctl import-config`: proposes a config.toml for what Dovecot or Courier did, and names what has no counterpart. Writes
// it only where it is told to, and never over what somebody else wrote.
import { existsSync, readFileSync, statSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { describeFileError } from "../accounts/file/file-error.ts";
import { parseConfig } from "../config/load.ts";
import { readDovecotSettings } from "../control/dovecot/dovecot-config.ts";
import type { Printer } from "../control/terminal/printer.ts";
import { Refusal } from "../control/terminal/refusal.ts";
import type { ConfigDraft } from "./config-draft.ts";
import { fromCourier } from "./from-courier.ts";
import { fromDovecot } from "./from-dovecot.ts";
import { readOrUndefined, stateOf, writeOwnFile } from "./own-file.ts";
import { sample } from "./sample.ts";

export interface ImportConfigOptions {
  /** Where to write what is proposed. */
  readonly write?: string;
  /** The name that clients connect to. */
  readonly name?: string;
}

/** @param path /etc/dovecot, dovecot.conf, what `doveconf -n` printed, or /etc/courier */
export function importConfig(path: string, printer: Printer, options: ImportConfigOptions): void {
  const name = options.name ?? hostname();
  const draft = isCourier(path) ? fromCourier(courierFiles(path), name) : fromDovecot(settingsOf(path), name);
  const text = draft.toString();
  const parsed = parseConfig(text, "the proposed config");
  if (parsed.kind === "faulty") {
    // Something that was taken over as it stood; the proposal is shown, so that it can be mended.
    for (const { key, message } of parsed.faults)
      draft.note(key ?? "", undefined, `as proposed is wrong: ${message}`);
  }
  const { notes, steps } = draft;
  printer.result({ config: text, notes, steps }, [
    ...(options.write === undefined ? text.trimEnd().split("\n") : []),
    ...section(printer, "To look at:", notes.map(noteLine)),
    ...section(printer, "Then:", steps),
  ]);
  if (options.write === undefined) {
    printer.note("nothing is written: --write FILE writes the config");
    return;
  }
  if (parsed.kind === "faulty") throw new Refusal("the proposed config is faulty and was not written");
  if (
    stateOf(readOrUndefined(options.write), text, "import-config", sample("config.toml")).kind === "foreign"
  )
    throw new Refusal(
      `${options.write} is there already and was written by somebody else: name another file`,
    );
  try {
    writeOwnFile(options.write, text, "import-config");
  } catch (error) {
    throw new Refusal(`cannot write ${options.write}: ${describeFileError(error)}`);
  }
}

function section(printer: Printer, title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ["", printer.paint("bold", title), ...lines.map((line) => `- ${line}`)];
}

function noteLine({ place, setting, text }: ConfigDraft["notes"][number]): string {
  return `${place === undefined ? "" : `${place.file}:${place.line}: `}${setting}: ${text}`;
}

function isCourier(path: string): boolean {
  return existsSync(join(path, "pop3d")) || existsSync(join(path, "pop3d-ssl"));
}

function courierFiles(folder: string) {
  return ["pop3d", "pop3d-ssl", "authdaemonrc"].flatMap((name) => {
    const file = join(folder, name);
    return existsSync(file) ? [{ file, text: readFileSync(file, "utf8") }] : [];
  });
}

function settingsOf(path: string) {
  if (statSync(path, { throwIfNoEntry: false }) === undefined) throw new Refusal(`there is no ${path}`);
  const settings = readDovecotSettings(path);
  if (settings.length === 0) throw new Refusal(`${path} is no configuration of Dovecot or Courier`);
  return settings;
}
