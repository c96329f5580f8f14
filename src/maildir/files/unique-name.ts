// Names of our temporary files in a Maildir's tmp/, which no other process has, on whatever host. Used by what replaces a
// file of ours, and by the lock file.
import { ownProcess } from "../../host/process-identity.ts";

/** @param what the file's own name, at the end */
export function uniqueName(nowMs: number, what: string): string {
  return `${Math.floor(nowMs / 1000)}.P${process.pid}Q${++made}.${ownProcess().host.replace(/[/:]/g, "_")}.${what}`;
}

let made = 0;
