// etc/config.toml is what administrators copy: it has to be sound, complete, and show the true defaults.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseConfig } from "../../src/config/load.ts";
import { configSchema } from "../../src/config/schema.ts";

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

  it("has every key that this version serves", () => {
    for (const [section, schema] of Object.entries(configSchema.shape)) {
      const keys = Object.keys((schema as { unwrap(): { shape: object } }).unwrap().shape);
      const begin = text.search(new RegExp(`^(?:# )?\\[${section}\\]`, "m"));
      const part = text.slice(begin).split(/\n(?=\[)/)[0] ?? "";
      for (const key of keys) {
        expect(part, `${section}.${key}`).toMatch(new RegExp(`^(?:# )?${key} = `, "m"));
      }
    }
  });
});
