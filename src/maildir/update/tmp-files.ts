// Removes what deliveries that never ended left in tmp/. The Maildir specification asks whoever reads a Maildir for it:
// https://cr.yp.to/proto/maildir.html, "files in tmp that have not been accessed in 36 hours". Called by Maildrop in the
// mailbox process, under the maildrop's lock, beside the session's work.
import { codeOf, entryPath, type FilePath, type Files } from "../files/files.ts";

const MAX_AGE_MS = 36 * 3_600_000;

/** How long tmp/ is left alone after it was cleaned. */
export const CLEAN_EVERY_MS = 24 * 3_600_000;

export interface CleanedTmp {
  readonly removed: number;
  /** The first one's errno's name; "" when all could be removed. */
  readonly code: string;
  /** False when there are too many for one session. */
  readonly isDone: boolean;
}

/** Files looked at in one session: its maildrop stays locked until it is done. */
const MAX_FILES = 1_000;

/** One file after the other: nobody waits for it. Never rejects. */
export async function cleanTmp(files: Files, maildir: string, nowMs: number): Promise<CleanedTmp> {
  const folder = `${maildir}/tmp`;
  let [removed, code, isDone] = [0, "", true];
  try {
    // A link in its place would have us remove old files that stand elsewhere.
    if (!(await files.lstat(folder)).isDirectory()) return { removed, code: "ENOTDIR", isDone };
    const found = (await files.list(folder)).filter(({ type }) => type === "file");
    for (const { name } of found.slice(0, MAX_FILES)) {
      try {
        if (await removeIfOld(files, entryPath(folder, name), nowMs)) removed++;
      } catch (error) {
        if (codeOf(error) !== "ENOENT") code ||= codeOf(error);
      }
    }
    isDone = removed === 0 || found.length <= MAX_FILES;
  } catch (error) {
    code ||= codeOf(error);
  }
  return { removed, code, isDone };
}

/** Many file systems note reading late or never (relatime, noatime), writing always. */
async function removeIfOld(files: Files, path: FilePath, nowMs: number): Promise<boolean> {
  const { atimeMs, mtimeMs } = await files.lstat(path);
  if (Math.max(atimeMs, mtimeMs) >= nowMs - MAX_AGE_MS) return false;
  await files.unlink(path);
  return true;
}
