// README and etc/ tell administrators the same; what they tell is what test/peers feeds to Postfix and Exim.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseConfig } from "../../src/config/load.ts";
import { readmeBlock } from "../support/readme.ts";

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
describe("README", () => {
  it("shows etc/postfix/main.cf as it stands", () => {
    const lines = read("etc/postfix/main.cf")
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"));
    expect(readmeBlock("main.cf")).toBe(`${lines.join("\n")}\n`);
  });

  it.each([readmeBlock("postfix config"), readmeBlock("exim config")])(
    "its config.toml is sound: %s",
    (toml) => {
      const result = parseConfig(toml, "README.md");
      expect(result).toMatchObject({
        kind: "config",
        config: { mta: { postfix_maps: { type: expect.any(String) } } },
      });
    },
  );

  it("Beside Exim: names the sockets and folders that etc/exim/macros has by default", () => {
    const toml = readmeBlock("exim config");
    const macros = read("etc/exim/macros");
    for (const path of ["/run/dewey-pop3/exim-auth", "/var/lib/dewey-pop3/postfix"]) {
      expect(toml).toContain(`"${path}"`);
      expect(macros).toContain(`= ${path}\n`);
    }
  });
});
