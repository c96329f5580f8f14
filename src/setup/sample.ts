// What etc/ of this program has, by path below it.
import { readFileSync } from "node:fs";

export function sample(path: string): string {
  return readFileSync(new URL(`../../etc/${path}`, import.meta.url), "utf8");
}
