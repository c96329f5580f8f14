// Which version the manual is of.
import { readFileSync } from "node:fs";

export interface Release {
  readonly version: string;
  /** Of the manual pages: to be set with the version. */
  readonly date: string;
}

export function release(): Release {
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  return { version, date: "2026-11-25" };
}
