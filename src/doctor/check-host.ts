// What the host gives the server: the right time, enough open files.
import { readFileSync, statSync } from "node:fs";
import type { RunProgram } from "./check-mta.ts";
import { type Finding, reporter } from "./finding.ts";

/** Two descriptors a session in a login process, and some for itself. */
const WANTED_FILES = 4096;

const DAY_MS = 24 * 3_600_000;

export async function checkClock(nowMs: number, run: RunProgram): Promise<readonly Finding[]> {
  const report = reporter("clock");
  // Nobody installs a program of the future.
  const installedMs = statSync(new URL(import.meta.url)).mtimeMs;
  const shown = new Date(nowMs).toISOString();
  if (nowMs < installedMs - DAY_MS) {
    return [
      report(
        "error",
        `the host's clock says ${shown}, which is before this program was installed`,
        "timedatectl set-ntp true: certificates, tickets and new messages' order depend on it",
      ),
    ];
  }
  const synchronized = (await run("timedatectl", ["show", "--property=NTPSynchronized", "--value"]))?.trim();
  if (synchronized === "no")
    return [report("warning", `nothing keeps the host's clock right (${shown})`, "timedatectl set-ntp true")];
  return [report("ok", synchronized === "yes" ? "the clock is kept by NTP" : `the clock says ${shown}`)];
}

/** @param serverPid of a running process with connections; undefined: what would hold for one that is started from here */
export function checkOpenFiles(serverPid: number | undefined): readonly Finding[] {
  const report = reporter("open-files");
  const who = serverPid === undefined ? "a server started from here" : `the server's process ${serverPid}`;
  let limits: string;
  try {
    limits = readFileSync(`/proc/${serverPid ?? "self"}/limits`, "latin1");
  } catch {
    return [report("note", `cannot read the limits of ${who}`, "run it as root")];
  }
  return openFilesFindings(limits, who);
}

/** @param limits as proc(5) has them */
export function openFilesFindings(limits: string, who: string): readonly Finding[] {
  const report = reporter("open-files");
  const soft = /^Max open files +([0-9]+|unlimited)/m.exec(limits)?.[1];
  const count = soft === "unlimited" ? Number.POSITIVE_INFINITY : Number(soft);
  if (count >= WANTED_FILES) return [report("ok", `${who} may open ${soft} files`)];
  return [
    report(
      "warning",
      `${who} may open ${soft} files: about ${Math.floor(count / 2)} sessions a process`,
      "LimitNOFILE=65536 in its unit, as ours has it",
    ),
  ];
}
