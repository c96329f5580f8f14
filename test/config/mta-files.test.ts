// README and etc/ tell administrators the same; what they tell is what test/peers feeds to Postfix and Exim.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseConfig } from "../../src/config/load.ts";

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
const readme = read("README.md");

/** The code blocks of one section. */
function blocks(heading: string, language: string): string[] {
  const section = readme.slice(readme.indexOf(`### ${heading}`)).split(/\n(?=##)/)[0] ?? "";
  const fences = section.split("```");
  return fences
    .filter((_, index) => index % 2 === 1)
    .filter((block) => block.startsWith(`${language}\n`))
    .map((block) => block.slice(language.length + 1));
}

describe("README", () => {
  it("shows etc/postfix/main.cf as it stands", () => {
    const lines = read("etc/postfix/main.cf")
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"));
    expect(blocks("Beside Postfix", "")[0]).toBe(`${lines.join("\n")}\n`);
  });

  it.each(["Beside Postfix", "Beside Exim"])("%s: its config.toml is sound", (heading) => {
    const [toml] = blocks(heading, "toml");
    const result = parseConfig(toml ?? "no block", "README.md");
    expect(result).toMatchObject({
      kind: "config",
      config: { mta: { postfix_maps: { type: expect.any(String) } } },
    });
  });

  it("Beside Exim: names the sockets and folders that etc/exim/macros has by default", () => {
    const [toml] = blocks("Beside Exim", "toml");
    const macros = read("etc/exim/macros");
    for (const path of ["/run/dewey-pop3/exim-auth", "/var/lib/dewey-pop3/postfix"]) {
      expect(toml).toContain(`"${path}"`);
      expect(macros).toContain(`= ${path}\n`);
    }
  });
});
