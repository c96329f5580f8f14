// The file system as it is used where other hosts change the same files (`mail.shared_storage`: NFS, CephFS): its answers are
// the server's, not this host's memory of them, and a stale handle is tried again. Used by whatever opens a maildrop.
import { constants } from "node:fs";
import { codeOf, type Files } from "./files.ts";

/** @param files what reaches the file system; tests make it fail */
export function sharedFiles(files: Files): Files {
  return {
    ...files,
    open: (path, flags, mode) => again(() => files.open(path, flags, mode)),
    stat: (path) =>
      again(async () => {
        await refresh(files, path);
        return files.stat(path);
      }),
    lstat: (path) => again(() => files.lstat(path)),
    identity: (path) => again(() => files.identity(path)),
    list: (path) => again(() => files.list(path)),
    unlink: (path) => again(() => files.unlink(path)),
    rename: (from, to) => again(() => files.rename(from, to)),
    link: (from, to) => again(() => files.link(from, to)),
    mkdir: (path, mode) => again(() => files.mkdir(path, mode)),
  };
}

/** Once is enough where one other host changed something. */
const MAX_ATTEMPTS = 4;

/**
 * NFS tells by ESTALE that what a path led to was removed or replaced on another host: the path is walked anew. What was read
 * from a descriptor is not tried again: its file is gone.
 */
async function again<T>(call: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await call();
    } catch (error) {
      if (codeOf(error) !== "ESTALE" || attempt === MAX_ATTEMPTS) throw error;
    }
  }
}

/**
 * NFS answers stat(2) from memory, for up to a minute after another host has changed a folder (acdirmax, nfs(5)); open(2) asks the
 * server ("close-to-open"), and what it says holds for the stat behind it.
 */
async function refresh(files: Files, path: Parameters<Files["stat"]>[0]): Promise<void> {
  try {
    files.close(await files.open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY));
  } catch (error) {
    if (codeOf(error) === "ESTALE") throw error;
    // Stat will say what is wrong, if it is.
  }
}
