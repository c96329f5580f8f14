// A config for a check, from the text of its file.
import { parseConfig } from "../../src/config/load.ts";
import type { Config } from "../../src/config/schema.ts";

export function configOf(text: string): Config {
  const parsed = parseConfig(text, "config.toml");
  if (parsed.kind === "faulty") throw new Error(parsed.faults[0]?.message);
  return parsed.config;
}
