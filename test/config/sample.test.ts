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
    const withExamples = text.replace(/^# ([a-z_]+ = )/gm, "$1");
    expect(parse(withExamples)).toMatchObject({
      server: { name: "mail.example.org" },
      mail: { user: "vmail" },
    });
  });

  it("has every key that this version serves", () => {
    // TLS is refused by this version: see "refuses what can't work".
    const notYet = ["tls", "server.listen_tls"];
    const shapes = Object.entries(configSchema.shape).filter(([section]) => !notYet.includes(section));
    for (const [section, schema] of shapes) {
      const keys = Object.keys((schema as { unwrap(): { shape: object } }).unwrap().shape);
      const part = text.slice(text.indexOf(`[${section}]`)).split(/\n(?=\[)/)[0] ?? "";
      for (const key of keys.filter((key) => !notYet.includes(`${section}.${key}`))) {
        expect(part, `${section}.${key}`).toMatch(new RegExp(`^(?:# )?${key} = `, "m"));
      }
    }
  });
});
