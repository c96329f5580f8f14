// Every file of etc/ that is made from the programs as they are. Written by write.ts; a test finds out when that was
// forgotten.
import { configFile } from "./config-file.ts";
import { configReference } from "./config-reference.ts";
import { logFieldsText } from "./log-fields.ts";

/** Path below etc/, and what is in it. */
export function manualFiles(): ReadonlyMap<string, string> {
  return new Map([
    ["config.toml", configFile()],
    ["config.md", configReference()],
    ["log-fields.md", logFieldsText()],
  ]);
}
