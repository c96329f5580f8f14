// etc/config.toml is what administrators copy: it has to be sound, and show the true defaults.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseConfig } from "../../src/config/load.ts";

const text = readFileSync(new URL("../../etc/config.toml", import.meta.url), "utf8");
const parse = (toml: string) => {
  const result = parseConfig(toml, "config.toml");
  if (result.kind === "faulty") throw new Error(JSON.stringify(result.faults));
  return result.config;
};

describe("etc/config.toml", () => {
  it("shows the defaults", () => {
    expect(parse(text)).toEqual(parse(""));
  });

  it("is sound with its examples put in", () => {
    const withExamples = text.replace(/^# (\[?[a-z_]+(?:\]$| = ))/gm, "$1");
    expect(parse(withExamples)).toMatchObject({
      server: { name: "mail.example.org" },
      mail: { user: "vmail" },
    });
  });
});
