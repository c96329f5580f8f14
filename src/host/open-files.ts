// How many descriptors this process may have open: what the unit's LimitNOFILE, or ulimit -n, has left it.
import { readFileSync } from "node:fs";

/** Infinity where it is not limited, or the kernel does not tell. Node raises it as far as it may when it starts. */
export function maxOpenFiles(limits: string = readOwnLimits()): number {
  const [, soft] = /^Max open files +([0-9]+) /m.exec(limits) ?? [];
  return soft === undefined ? Number.POSITIVE_INFINITY : Number.parseInt(soft, 10);
}

function readOwnLimits(): string {
  try {
    return readFileSync("/proc/self/limits", "utf8");
  } catch {
    return "";
  }
}
