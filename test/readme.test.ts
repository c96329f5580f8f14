// Every code block of README.md and of the guides that it leads to is run by a test, and what they name is there.
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseConfig } from "../src/config/load.ts";
import { guides, readmeBlock, readmeBlocks, textOf } from "./support/readme.ts";
import { type BlockName, readmeRuns } from "./support/readme-runs.ts";

const checkout = new URL("../", import.meta.url);
const names = Object.keys(readmeRuns) as BlockName[];

describe("the code blocks", () => {
  it.each(readmeBlocks().map((block) => [`${block.file}:${block.lineNumber}`, block] as const))(
    "%s is run by one test",
    (_, { file, text }) => {
      const running = names.filter(
        (name) => readmeRuns[name].file === file && text.startsWith(readmeRuns[name].begins),
      );
      expect(running, text).toHaveLength(1);
    },
  );

  it.each(names)("the test that is named for %s takes it", (name) => {
    expect(readmeBlock(name)).not.toBe("");
    expect(readFileSync(new URL(readmeRuns[name].by, import.meta.url), "utf8")).toContain(
      `readmeBlock("${name}")`,
    );
  });

  it.each(readmeBlocks().filter(({ language }) => language === "toml"))(
    "$file:$lineNumber has keys that there are",
    ({ text, file }) => {
      const result = parseConfig(text, file);
      expect(result.kind === "faulty" ? result.faults : []).toEqual([]);
    },
  );

  it("whatever decides whether a checkout is sound types what README says of the tests", () => {
    const steps = textOf(".ci/run");
    for (const command of readmeBlock("tests").trim().split(" && ")) expect(steps).toContain(`"${command}"`);
  });

  it("the picture of the processes names those that there are", () => {
    for (const name of ["login", "mailbox", "auth", "master"]) {
      expect(readmeBlock("picture")).toContain(name);
      expect(existsSync(new URL(`src/processes/${name}.ts`, checkout))).toBe(true);
    }
  });

  it("the workloads that the bench is told to run are known", () => {
    const [, workloads = ""] = /--only (\S+)/.exec(readmeBlock("bench")) ?? [];
    const known = textOf("test/bench/workloads.ts");
    for (const name of workloads.split(",")) expect(known).toContain(`"${name}"`);
  });
});

describe("README.md", () => {
  it("shows the limits with their defaults", () => {
    const rows = [...textOf("README.md").matchAll(/^\| `([a-z]+)\.([a-z_]+)` \| `(.+?)` \|/gm)];
    expect(rows.length).toBeGreaterThan(8);
    const defaults = textOf("etc/config.md");
    for (const [, section, key, value] of rows)
      expect(defaults).toMatch(
        new RegExp(`^### ${section}\\.${key}\\n\\n\\*.*\\*\\. Default: \`${value}\``, "m"),
      );
  });

  it.each(guides)("%s links to files and headings that are there", (guide) => {
    for (const [, path = "", heading] of textOf(guide).matchAll(/\]\(([^)#:]*)(?:#([^)]+))?\)/g)) {
      const target = path === "" ? guide : new URL(path, new URL(guide, "file:///")).pathname.slice(1);
      expect(existsSync(new URL(target, checkout)), `${guide}: ${path}`).toBe(true);
      if (heading === undefined) continue;
      const headings = [...textOf(target).matchAll(/^#+ (.+)$/gm)].map(([, text = ""]) =>
        text
          .toLowerCase()
          .replace(/[^a-z0-9 -]/g, "")
          .replaceAll(" ", "-"),
      );
      expect(headings, `${guide}: ${path}`).toContain(heading);
    }
  });
});
