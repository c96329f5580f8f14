// Looks at Maildirs as the mail's owner: the kernel itself answers what that owner may do, and root follows no link that a
// user has laid. Started by check-maildirs.ts, with the owner's uid and gid where that is root; reads paths as JSON from
// standard input, writes what it saw to standard output.
import { accessSync, constants, lstatSync, readdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";
import { systemFiles } from "../maildir/files/files.ts";
import { lockFolder } from "../maildir/lock/kernel-lock.ts";
import { LOCK_FILE } from "../maildir/lock/lock.ts";
import { obstacleToMaking } from "../maildir/missing-maildir.ts";

export interface SeenMaildir {
  readonly path: string;
  /** What is wrong with the Maildir, with the path that is to blame; undefined: nothing. */
  readonly fault?: MaildirFault;
  /** Files in tmp/ of deliveries that never ended. */
  readonly oldTmpFiles: number;
  /** When the lock file was last changed. */
  readonly lockChangedAtMs?: number;
}

export interface MaildirFault {
  readonly kind:
    | "missing"
    | "not-makeable"
    | "not-traversable"
    | "no-folder"
    | "not-accessible"
    | "not-lockable"
    | "open-to-others"
    | "foreign";
  /** The part of the path, such as a home directory that lets nobody through. */
  readonly at: string;
  /** errno's name, mode or uid. */
  readonly detail: string;
}

/** https://cr.yp.to/proto/maildir.html */
const OLD_TMP_MS = 36 * 3_600_000;

export async function lookAt(path: string, nowMs: number): Promise<SeenMaildir> {
  const fault = (await faultOf(path)) ?? undefined;
  return {
    path,
    ...(fault !== undefined && { fault }),
    oldTmpFiles: oldFiles(`${path}/tmp`, nowMs),
    ...lockTime(`${path}/${LOCK_FILE}`),
  };
}

async function faultOf(path: string): Promise<MaildirFault | undefined> {
  const blocked = parentsOf(path).find((folder) => codeOfAccess(folder, constants.X_OK) === "EACCES");
  if (blocked !== undefined) return { kind: "not-traversable", at: blocked, detail: "EACCES" };
  const missing = codeOfAccess(path, constants.F_OK);
  if (missing !== undefined) {
    const obstacle = obstacleToMaking(path);
    return obstacle === undefined
      ? { kind: "missing", at: path, detail: missing }
      : { kind: "not-makeable", at: obstacle.at, detail: obstacle.code };
  }
  for (const folder of [path, `${path}/new`, `${path}/cur`, `${path}/tmp`]) {
    const code = codeOfAccess(folder, constants.F_OK);
    if (code !== undefined) return { kind: "no-folder", at: folder, detail: code };
    if (!statSync(folder).isDirectory()) return { kind: "no-folder", at: folder, detail: "ENOTDIR" };
    const denied = codeOfAccess(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    if (denied !== undefined) return { kind: "not-accessible", at: folder, detail: denied };
  }
  const { uid, mode } = statSync(path);
  if (uid !== process.getuid?.()) return { kind: "foreign", at: path, detail: `${uid}` };
  if ((mode & 0o007) !== 0) return { kind: "open-to-others", at: path, detail: (mode & 0o777).toString(8) };
  try {
    const locked = await lockFolder(systemFiles, path, "doctor");
    if (locked.kind === "acquired") await locked.lock.release();
  } catch (error) {
    return { kind: "not-lockable", at: path, detail: (error as NodeJS.ErrnoException).code ?? String(error) };
  }
  return undefined;
}

/** From the root down. */
function parentsOf(path: string): string[] {
  const parent = dirname(path);
  return parent === path ? [] : [...parentsOf(parent), parent];
}

function codeOfAccess(path: string, mode: number): string | undefined {
  try {
    accessSync(path, mode);
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}

function oldFiles(folder: string, nowMs: number): number {
  try {
    return readdirSync(folder).filter((name) => {
      const stats = lstatSync(`${folder}/${name}`, { throwIfNoEntry: false });
      return stats?.isFile() && Math.max(stats.atimeMs, stats.mtimeMs) < nowMs - OLD_TMP_MS;
    }).length;
  } catch {
    // What keeps it from being read is a fault of its own.
    return 0;
  }
}

function lockTime(file: string): { lockChangedAtMs?: number } {
  try {
    return { lockChangedAtMs: lstatSync(file).mtimeMs };
  } catch {
    return {};
  }
}

// Also imported, for its types.
if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const paths = JSON.parse(await text(process.stdin)) as readonly string[];
  const seen: SeenMaildir[] = [];
  for (const path of paths) seen.push(await lookAt(path, Date.now()));
  process.stdout.write(JSON.stringify(seen));
}
