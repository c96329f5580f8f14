// This host's machine-id(5), which stays the same over restarts. Read by the auth process.
import { readFileSync } from "node:fs";

/** @returns undefined on a host without one, such as a bare container */
export function readMachineId(): string | undefined {
  try {
    const id = readFileSync("/etc/machine-id", "latin1").trim();
    return /^[0-9a-f]{32}$/.test(id) ? id : undefined;
  } catch {
    return undefined;
  }
}
