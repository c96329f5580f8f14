// Locks a maildrop in the way that `mail.lock` says, and makes the Maildir where it is missing: the lock stands in it.
// Called by Maildrop in the mailbox process.
import { codeOf } from "../files/files.ts";
import { makeFolder } from "../maildir-folders.ts";
import type { MaildropSettings } from "../maildrop-options.ts";
import { acquireDotlock } from "./dotlock.ts";
import { acquireFlock } from "./kernel-lock.ts";
import { LOCK_FILE, type LockResult, noLock } from "./lock.ts";

export async function acquireLock(
  path: string,
  { files, lock, sharedStorage, onEvent }: MaildropSettings,
): Promise<LockResult> {
  const acquire = async (): Promise<LockResult> => {
    switch (lock) {
      case "flock":
        return acquireFlock(files, path, sharedStorage);
      case "dotlock":
        return acquireDotlock(files, path);
      case "none":
        return { kind: "acquired", lock: noLock };
      default:
        return lock satisfies never;
    }
  };
  let result: LockResult;
  try {
    result = await acquire();
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error;
    for (const made of await makeFolder(files, `${path}/tmp`)) onEvent({ kind: "made-folder", path: made });
    result = await acquire();
  }
  if (result.kind === "acquired" && result.substitute !== undefined) {
    onEvent({ kind: "lock-substitute", path: `${path}/${LOCK_FILE}`, code: result.substitute });
  }
  return result;
}
