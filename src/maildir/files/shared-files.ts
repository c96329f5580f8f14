// The file system as it is used where other hosts change the same files (`mail.shared_storage`: NFS, CephFS): its answers are
// the server's, not this host's memory of them, and a stale handle is tried again. Used by whatever opens a maildrop.
import { constants } from "node:fs";
import { codeOf, type FilePath, type Files } from "./files.ts";

/** @param files what reaches the file system; tests make it fail */
export function sharedFiles(files: Files): Files {
  return {
    ...files,
    open: (path, flags, mode) => again(files, path, () => files.open(path, flags, mode)),
    stat: (path) =>
      again(files, path, async () => {
        await refresh(files, path);
        return files.stat(path);
      }),
    lstat: (path) => again(files, path, () => files.lstat(path)),
    identity: (path) => again(files, path, () => files.identity(path)),
    list: (path) => again(files, path, () => files.list(path)),
    unlink: (path) => again(files, path, () => files.unlink(path)),
    rename: (from, to) => again(files, to, () => files.rename(from, to)),
    link: (from, to) => again(files, to, () => files.link(from, to)),
    mkdir: (path, mode) => again(files, path, () => files.mkdir(path, mode)),
  };
}

/** Once is enough where one other host changed something. */
const MAX_ATTEMPTS = 4;

/**
 * NFS tells by ESTALE that what a path led to was removed or replaced on another host: each folder on its way is asked for
 * anew. What was read from a descriptor is not tried again: its file is gone.
 */
async function again<T>(files: Files, path: FilePath, call: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await call();
    } catch (error) {
      if (codeOf(error) !== "ESTALE" || attempt === MAX_ATTEMPTS) throw error;
      for (const folder of foldersAbove(path)) await refresh(files, folder);
    }
  }
}

/** From the root down. */
function foldersAbove(path: FilePath): Buffer[] {
  const octets = Buffer.from(path);
  const folders: Buffer[] = [];
  for (let at = octets.indexOf("/", 1); at !== -1; at = octets.indexOf("/", at + 1))
    folders.push(octets.subarray(0, at));
  return folders;
}

/**
 * NFS answers stat(2) from memory, for up to a minute after another host has changed a folder (acdirmax, nfs(5)); open(2) asks the
 * server ("close-to-open"), and what it says holds for the stat behind it.
 */
async function refresh(files: Files, path: FilePath): Promise<void> {
  try {
    files.close(await files.open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY));
  } catch {
    // The call that this is for will say what is wrong, if it is.
  }
}
