// What stat(2) says of a file in one word: two that differ are of a file that was changed or replaced in between.
import { type BigIntStats, statSync } from "node:fs";

export function fileStateOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`;
}

/**
 * Of the file that stands there now; undefined when that cannot be told. At once: for a file that is asked for at each login the
 * kernel has the answer in memory, and the thread pool would cost twenty times as much.
 */
export function fileState(path: string): string | undefined {
  try {
    return fileStateOf(statSync(path, { bigint: true }));
  } catch {
    return undefined;
  }
}
