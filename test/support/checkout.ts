// Where the built commands are run from. As root the server starts processes under other uids, and those must be able
// to read the program: in a checkout that is root's alone (such as /root/dewey-pop3) they can't. Then the built
// program is copied to where they can, as an installation would.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { atExit } from "./at-exit.ts";
import { mailOwner, runsAsRoot } from "./mail-owner.ts";

export interface RunnableProgram {
  /** The executable. */
  readonly path: string;
  /** For its environment. */
  readonly env: Readonly<Record<string, string>>;
}

/** A built command that every user of this host can run. The tests build before they run, so it is there. */
export function runnableProgram(name: "pop3-server" | "pop3-passwd" | "pop3-ctl"): RunnableProgram {
  runnable ??= makeRunnable();
  return { path: join(runnable.root, "scripts", name), env: runnable.env };
}

/** The built modules, for a script that imports them in a process of its own, whatever user that is. */
export function runnableModules(): RunnableProgram {
  runnable ??= makeRunnable();
  return { path: join(runnable.root, "dist"), env: runnable.env };
}

let runnable: { readonly root: string; readonly env: Readonly<Record<string, string>> } | undefined;

const checkout = fileURLToPath(new URL("../..", import.meta.url));

function makeRunnable(): NonNullable<typeof runnable> {
  const programIsOpen = othersCan("-r", join(checkout, "dist/bin/pop3-server.js"));
  const nodeIsOpen = othersCan("-x", process.execPath);
  if (programIsOpen && nodeIsOpen) return { root: checkout, env: {} };
  const folder = mkdtempSync(join(tmpdir(), "dewey-installed-"));
  // By another process: the test runner gives its workers too little time to end for some thousand files.
  atExit(() => spawn("rm", ["-rf", "--", folder], { cwd: "/", detached: true, stdio: "ignore" }).unref());
  chmodSync(folder, 0o755);
  if (!programIsOpen) copyProgram(folder);
  if (!nodeIsOpen) {
    copyFileSync(process.execPath, join(folder, "node"));
    chmodSync(join(folder, "node"), 0o755);
  }
  return {
    root: programIsOpen ? checkout : folder,
    env: nodeIsOpen ? {} : { PATH: `${folder}:${process.env["PATH"]}` },
  };
}

/** Asks as the mail's owner: whatever modes, access lists and mounts there are, this is the answer. */
function othersCan(flag: "-r" | "-x", path: string): boolean {
  if (!runsAsRoot()) return true;
  const { uid, gid } = mailOwner();
  return spawnSync("test", [flag, path], { cwd: "/", uid, gid }).status === 0;
}

function copyProgram(folder: string): void {
  const parts = ["package.json", "dist", "etc", "scripts", ...productionPackages()];
  execFileSync("cp", ["-R", "--parents", "--", ...parts, folder], { cwd: checkout });
  execFileSync("chmod", ["-R", "a+rX", folder]);
}

/** Their folders, from the checkout on, as far as this host has them: koffi has one for each kind of host. */
function productionPackages(): readonly string[] {
  const lock = JSON.parse(readFileSync(join(checkout, "package-lock.json"), "utf8")) as {
    readonly packages: Readonly<Record<string, { readonly dev?: boolean }>>;
  };
  return Object.entries(lock.packages)
    .filter(([path, { dev }]) => path !== "" && dev !== true)
    .map(([path]) => path)
    .filter((path) => existsSync(join(checkout, path)));
}
