// Locks a `dovecot-uidlist` as Dovecot does, so that neither of us overwrites what the other writes. Taken for an export of
// unique-ids, as the mail's owner; a session of ours never does.
import { constants } from "node:fs";
import { hostname } from "node:os";
import { codeOf, type Files } from "../files/files.ts";

/** Dovecot takes it for one that a process left behind when nothing has touched it for so long. */
const STALE_MS = 120_000;

/** @returns what releases it; "locked" while Dovecot has it. @throws what open(2) throws */
export async function lockUidlist(
  files: Files,
  list: string,
  nowMs: number,
): Promise<(() => Promise<void>) | "locked"> {
  const path = `${list}.lock`;
  for (const attempt of ["first", "after a stale one"] as const) {
    try {
      const fd = await files.open(
        path,
        constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
        0o600,
      );
      try {
        const holder = Buffer.from(`${process.pid}:${hostname()}`);
        await files.write(fd, holder, 0, holder.length);
      } finally {
        files.close(fd);
      }
      return () => files.unlink(path);
    } catch (error) {
      if (codeOf(error) !== "EEXIST") throw error;
    }
    if (attempt === "first" && (await isStale(files, path, nowMs))) await files.unlink(path).catch(() => {});
  }
  return "locked";
}

async function isStale(files: Files, path: string, nowMs: number): Promise<boolean> {
  try {
    return nowMs - (await files.lstat(path)).mtimeMs > STALE_MS;
  } catch {
    return true;
  }
}
