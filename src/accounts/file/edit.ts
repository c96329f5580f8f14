// Changes the passwd file: under an exclusive lock, atomically, keeping owner, group and mode. Called by pop3-passwd, as root or as
// the file's owner. A reader sees the old file or the new one, and so does whoever finds it after a crash.
import { randomBytes } from "node:crypto";
import { type BigIntStats, constants } from "node:fs";
import { type FileHandle, open, readdir, realpath, rename, stat, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { copyAccessList } from "../../host/access-list.ts";
import { tryFlock } from "../../host/flock.ts";
import { describeFileError, errorCode } from "./file-error.ts";
import { joinLines, type PasswdLine, splitLines } from "./passwd-lines.ts";

export type EditChange =
  | { readonly kind: "write"; readonly lines: readonly PasswdLine[] }
  | { readonly kind: "keep" }
  | { readonly kind: "refuse"; readonly reason: string };

export type EditOutcome =
  | { readonly kind: "written" }
  | { readonly kind: "kept" }
  /** What `change` refused. The file is as it was. */
  | { readonly kind: "refused"; readonly reason: string }
  /** The file could not be locked, read or replaced; it is as it was. The reason says what and why. */
  | { readonly kind: "failed"; readonly reason: string };

export interface EditOptions {
  /** Make the file if it is missing: 0600, or 0640 by root, so that a folder with the set-group-ID bit lets the auth process read it. */
  readonly create?: boolean;
  /** Whose owner, group, mode and access list a file that is made gets instead. */
  readonly createLike?: string;
  readonly lockTimeoutMs?: number;
}

/**
 * Reads the file, lets `change` say what it shall hold, and replaces it. A symbolic link is followed and stays a link.
 *
 * @param change called with the locked file's lines; called again if the file was changed by somebody who does not lock
 */
export async function editPasswdFile(
  path: string,
  change: (lines: readonly PasswdLine[]) => EditChange,
  { create = false, createLike, lockTimeoutMs = 30_000 }: EditOptions = {},
): Promise<EditOutcome> {
  const deadlineMs = performance.now() + lockTimeoutMs;
  try {
    for (;;) {
      const realPath = await locate(path, create, createLike);
      const file = await open(realPath, constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      try {
        const stats = await file.stat({ bigint: true });
        if (!stats.isFile()) return failed(`${path} is not a regular file`);
        if (!(await lock(file, deadlineMs))) return failed(`${path} is locked by another program`);
        const outcome = await editLocked(realPath, file, stats, change);
        if (outcome !== "start-again") return outcome;
      } finally {
        await file.close();
      }
      if (performance.now() > deadlineMs)
        return failed(`${path} is being changed by another program all the time`);
    }
  } catch (error) {
    return failed(`cannot change ${path}: ${describeFileError(error)}`);
  }
}

const CREATE_NEW = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const LOCK_RETRY_MS = 15;
/** A temporary file older than this belongs to a process that was killed. */
const STALE_MS = 600_000;

async function editLocked(
  path: string,
  file: FileHandle,
  stats: BigIntStats,
  change: (lines: readonly PasswdLine[]) => EditChange,
): Promise<EditOutcome | "start-again"> {
  // Whoever had the lock before us replaced the file: what we locked is the old one.
  if (!(await isStillAt(path, stats))) return "start-again";
  const content = await file.readFile();
  const wanted = change(splitLines(content));
  switch (wanted.kind) {
    case "keep":
      return { kind: "kept" };
    case "refuse":
      return { kind: "refused", reason: wanted.reason };
    case "write":
      return replace(path, file, stats, content, joinLines(wanted.lines));
    default:
      return wanted satisfies never;
  }
}

/**
 * New content by way of a temporary file beside the old one. Order matters: owner and mode before the content, so that no moment
 * shows hashes to others; fsync before rename, so that the new name never stands for an empty file after a power failure.
 */
async function replace(
  path: string,
  oldFile: FileHandle,
  old: BigIntStats,
  oldContent: Uint8Array,
  newContent: Uint8Array,
): Promise<EditOutcome | "start-again"> {
  const folder = dirname(path);
  await removeStaleTemporaries(folder, basename(path));
  const temporaryPath = join(folder, `${temporaryPrefix(basename(path))}${randomBytes(6).toString("hex")}`);
  const temporary = await open(temporaryPath, CREATE_NEW, 0o600);
  try {
    try {
      const ownerFault = await keepOwner(path, temporary, old);
      if (ownerFault !== undefined) {
        await unlink(temporaryPath);
        return failed(ownerFault);
      }
      // The list first: with it, chmod(2) sets the list's mask, which is what the old mode shows.
      copyAccessList(oldFile.fd, temporary.fd);
      await temporary.chmod(Number(old.mode & 0o7777n));
      await temporary.writeFile(newContent);
      await temporary.sync();
    } finally {
      await temporary.close();
    }
    // An editor that knows no lock may have saved meanwhile; its change is not overwritten blindly.
    if (!(await holds(path, old, oldContent))) {
      await unlink(temporaryPath);
      return "start-again";
    }
    await rename(temporaryPath, path);
  } catch (error) {
    await unlink(temporaryPath).catch(() => undefined);
    throw error;
  }
  await syncFolder(folder);
  return { kind: "written" };
}

async function keepOwner(path: string, temporary: FileHandle, old: BigIntStats): Promise<string | undefined> {
  const own = await temporary.stat({ bigint: true });
  if (own.uid === old.uid && own.gid === old.gid) return undefined;
  try {
    await temporary.chown(Number(old.uid), Number(old.gid));
    return undefined;
  } catch (error) {
    return `cannot keep owner ${old.uid} and group ${old.gid} of ${path}: ${describeFileError(error)}`;
  }
}

/** The file itself, symbolic links followed. */
async function locate(path: string, create: boolean, createLike: string | undefined): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (!create || errorCode(error) !== "ENOENT") throw error;
  }
  try {
    if (createLike !== undefined) await makeLike(path, createLike);
    else await makeFile(path, process.geteuid?.() === 0 ? 0o640 : 0o600);
  } catch (error) {
    // Another process made it first. A symbolic link to nowhere ends in realpath's own error.
    if (errorCode(error) !== "EEXIST") throw error;
  }
  return realpath(path);
}

async function makeFile(path: string, mode: number): Promise<void> {
  const file = await open(path, CREATE_NEW, mode);
  // Whatever the umask took away: the mode is a decision, not a wish.
  await file.chmod(mode).finally(() => file.close());
}

/**
 * An empty file with owner, group, mode and access list of another one.
 *
 * @param mode what to make of the other's mode
 */
export async function makeLike(
  path: string,
  other: string,
  mode: (mode: number) => number = (mode) => mode,
): Promise<void> {
  const model = await open(other, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = await model.stat();
    const file = await open(path, CREATE_NEW, 0o600);
    try {
      const own = await file.stat();
      if (own.uid !== stats.uid || own.gid !== stats.gid) await file.chown(stats.uid, stats.gid);
      copyAccessList(model.fd, file.fd);
      await file.chmod(mode(stats.mode & 0o777));
    } catch (error) {
      await unlink(path).catch(() => undefined);
      throw error;
    } finally {
      await file.close();
    }
  } finally {
    await model.close();
  }
}

async function lock(file: FileHandle, deadlineMs: number): Promise<boolean> {
  while (!tryFlock(file.fd)) {
    if (performance.now() > deadlineMs) return false;
    // Not all at the same moment, where twenty wait.
    await delay(LOCK_RETRY_MS * (0.5 + Math.random()));
  }
  return true;
}

async function isStillAt(path: string, stats: BigIntStats): Promise<boolean> {
  const now = await stat(path, { bigint: true }).catch(() => undefined);
  return now !== undefined && now.dev === stats.dev && now.ino === stats.ino;
}

async function holds(path: string, stats: BigIntStats, content: Uint8Array): Promise<boolean> {
  if (!(await isStillAt(path, stats))) return false;
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    return Buffer.compare(await file.readFile(), content) === 0;
  } finally {
    await file.close();
  }
}

function temporaryPrefix(name: string): string {
  return `.${name}.pop3-passwd.`;
}

async function removeStaleTemporaries(folder: string, name: string): Promise<void> {
  const prefix = temporaryPrefix(name);
  // A folder that may be written but not listed keeps its rests; that is no reason to refuse the change.
  for (const entry of await readdir(folder).catch(() => [])) {
    if (!entry.startsWith(prefix)) continue;
    const path = join(folder, entry);
    const stats = await stat(path).catch(() => undefined);
    if (stats !== undefined && Date.now() - stats.mtimeMs > STALE_MS)
      await unlink(path).catch(() => undefined);
  }
}

// The change is made already: a folder that cannot be synced (EINVAL) or opened for it (EACCES) is no failure.
async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
    await handle.sync().finally(() => handle.close());
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
  }
}

function failed(reason: string): EditOutcome {
  return { kind: "failed", reason };
}
