// rename(2) that replaces nothing, and what makes it durable. Used wherever the Maildir engine moves a message.
import { constants } from "node:fs";
import { codeOf, type FilePath, type Files } from "./files.ts";

/**
 * rename(2) would replace what stands at the target. Nobody else makes files of a message's base name, so that nothing
 * can come between the question and the move but the very move that we are about to make.
 *
 * @throws EEXIST when something stands there; what rename(2) throws
 */
export async function renameWhereFree(files: Files, from: FilePath, to: FilePath): Promise<void> {
  if (await isThere(files, to)) throw Object.assign(new Error(`EEXIST: ${to}`), { code: "EEXIST" });
  await files.rename(from, to);
}

async function isThere(files: Files, path: FilePath): Promise<boolean> {
  try {
    await files.lstat(path);
    return true;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return false;
    throw error;
  }
}

/** Makes names that were removed or changed in a folder durable. Returns the errno's name on failure. */
export async function syncFolder(files: Files, folder: string): Promise<string | undefined> {
  try {
    const fd = await files.open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await files.fsync(fd);
    } finally {
      files.close(fd);
    }
    return undefined;
  } catch (error) {
    return codeOf(error);
  }
}
