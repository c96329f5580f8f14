// Why a Maildir that is not there yet could not be made by its owner either, as where the file system is not mounted that it
// belongs on. Asked by whoever has become the owner: doctor's worker, pop3-ctl's.
import { accessSync, constants, statSync } from "node:fs";
import { dirname } from "node:path";

export interface Obstacle {
  /** The folder that the missing ones would be made in. */
  readonly at: string;
  /** errno's name. */
  readonly code: string;
}

/** @returns undefined: the first delivery, or the first login, makes it */
export function obstacleToMaking(path: string): Obstacle | undefined {
  const at = dirname(path);
  const missing = accessCode(at, constants.F_OK);
  if ((missing === "ENOENT" || missing === "ENOTDIR") && at !== path) return obstacleToMaking(at);
  const code =
    missing ?? (statSync(at).isDirectory() ? accessCode(at, constants.W_OK | constants.X_OK) : "ENOTDIR");
  return code === undefined ? undefined : { at, code };
}

function accessCode(path: string, mode: number): string | undefined {
  try {
    accessSync(path, mode);
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}
