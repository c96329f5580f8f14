// `pop3-ctl setup`: looks at the host, shows what it proposes, writes it when told so, and ends with the doctor. It writes
// files of its own alone; what is there already and is not its own stays as it is.
import { existsSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { describeFileError, errorCode } from "../accounts/file/file-error.ts";
import { parseConfig } from "../config/load.ts";
import type { Printer } from "../control/terminal/printer.ts";
import { Refusal } from "../control/terminal/refusal.ts";
import { runHostProgram } from "../doctor/check-mta.ts";
import { doctor } from "../doctor/doctor.ts";
import { type HostFacts, lookAtHost } from "./host-facts.ts";
import { type FileState, readOrUndefined, stateOf, writeOwnFile } from "./own-file.ts";
import { propose } from "./proposal.ts";
import { sample } from "./sample.ts";

export interface SetupOptions {
  /** Write what is proposed. */
  readonly yes?: true;
  /** The name that clients connect to. */
  readonly name?: string;
  /** The host's files are below this folder: for images, and for tests. */
  readonly root?: string;
}

/** @returns the exit status: the doctor's once something is written, else 0 */
export async function setup(configFile: string, printer: Printer, options: SetupOptions): Promise<0 | 1 | 2> {
  const root = options.root?.replace(/\/+$/, "") ?? "";
  if (!existsSync(`${root}/`)) throw new Refusal(`there is no folder ${root} for --root`, 2);
  /** Where a file of the host is. The config may be named from where one stands: then it is the folder's, too. */
  const below = (path: string): string => (options.root === undefined ? path : join(root, path));
  const facts = await lookAtHost(root, options.name ?? hostname(), runHostProgram);
  const { files, steps } = propose(facts, configFile, sample);
  const config = parseConfig(files[0]!.text, configFile);
  if (config.kind === "faulty") {
    const [fault] = config.faults;
    throw new Refusal(
      `nothing fits this host by itself: ${fault?.key}: ${fault?.message} (--name names the host)`,
    );
  }
  const planned = files.map(({ path, text }) => {
    const pristine = path === configFile ? sample("config.toml") : undefined;
    return { path, text, state: stateOf(readOrUndefined(below(path)), text, "setup", pristine) };
  });
  const toWrite = planned.filter(
    ({ state }) => state.kind === "absent" || (state.kind === "ours" && !state.isSame),
  );
  // First: what is said to be written is.
  for (const { path, text } of options.yes ? toWrite : []) {
    try {
      writeOwnFile(below(path), text, "setup");
    } catch (error) {
      const hint = errorCode(error) === "EACCES" ? " (run this as root)" : "";
      throw new Refusal(`cannot write ${below(path)}: ${describeFileError(error)}${hint}`);
    }
  }
  printer.result(
    { facts, files: planned, steps, written: options.yes ? toWrite.map(({ path }) => path) : [] },
    [
      ...factLines(facts),
      ...planned.flatMap(({ path, text, state }) => [
        "",
        printer.paint("bold", `--- ${path}: ${stateText(state, options.yes === true)}`),
        ...text.trimEnd().split("\n"),
      ]),
      "",
      printer.paint("bold", "Then:"),
      ...steps.map((step, index) => `${index + 1}. ${step}`),
      "",
    ],
  );
  if (!options.yes) {
    printer.note("nothing is written: pop3-ctl setup --yes writes these files");
    return 0;
  }
  return printer.json ? 0 : await doctor(below(configFile), printer, {});
}

function factLines({
  name,
  postfix,
  exim,
  dovecot,
  hasCourier,
  certificateNames,
  takenPorts,
}: HostFacts): string[] {
  const found = [
    postfix === undefined
      ? undefined
      : `Postfix (${[...postfix.virtualDomains, ...postfix.localDomains].join(", ") || "no domain of its own"})`,
    exim === undefined ? undefined : "Exim",
    dovecot === undefined ? undefined : `Dovecot (${dovecot.mailLocation ?? "no mail_location"})`,
    hasCourier ? "Courier" : undefined,
    certificateNames.length === 0 ? undefined : `certificates for ${certificateNames.join(", ")}`,
    takenPorts.length === 0 ? undefined : `somebody on port ${takenPorts.join(" and ")}`,
  ].filter((fact) => fact !== undefined);
  return [`Found on ${name}: ${found.join("; ") || "no MTA, no certificate"}`];
}

function stateText(state: FileState, isWritten: boolean): string {
  switch (state.kind) {
    case "foreign":
      return "is there already and stays; setup would write this";
    case "ours":
      return state.isSame ? "is so already" : isWritten ? "written anew" : "to be written anew";
    case "absent":
      return isWritten ? "written" : "to be written";
    default:
      return state satisfies never;
  }
}
