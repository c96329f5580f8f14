// Every code block of README.md is claimed by something that would notice if it were wrong.
import { existsSync, readFileSync } from "node:fs";
import type { Command } from "commander";
import { describe, expect, it } from "vitest";
import { parseConfig } from "../src/config/load.ts";
import { lineFields, logFields } from "../src/log/fields.ts";
import { commandPages } from "../src/manual/command-pages.ts";
import { type ReadmeBlock, readme, readmeBlocks } from "./support/readme.ts";

const checkout = new URL("../", import.meta.url);
const fileText = (path: string): string => readFileSync(new URL(path, checkout), "utf8");
const programs = new Map(commandPages().map(({ command }) => [command.name(), command]));

/** Whether it speaks for the block; `check` then says what is wrong with it. */
interface Claim {
  fits(block: ReadmeBlock): boolean;
  check(block: ReadmeBlock): void;
}

const claims: readonly Claim[] = [
  {
    fits: ({ language }) => language === "toml",
    check: ({ text }) => {
      const result = parseConfig(text, "README.md");
      expect(result.kind === "faulty" ? result.faults : []).toEqual([]);
    },
  },
  {
    fits: ({ language, text }) => language === "sh" || text.startsWith("$ "),
    check: ({ language, text }) => {
      const lines = text.split("\n").filter((line) => line !== "");
      const typed = language === "sh" ? lines : lines.filter((line) => line.startsWith("$ "));
      for (const line of typed) for (const command of commandsOf(line)) checkCommand(command);
    },
  },
  {
    fits: ({ language }) => language === "json",
    check: ({ text }) => {
      const known = new Set([...Object.keys(lineFields), ...Object.keys(logFields)]);
      const unknown = Object.keys(JSON.parse(text) as object).filter((name) => !known.has(name));
      expect(unknown).toEqual([]);
    },
  },
  {
    fits: ({ text }) => text.startsWith("smtpd_sasl_type"),
    check: ({ text }) => {
      const settings = new Set(mainCfLines(fileText("etc/postfix/main.cf")));
      expect(mainCfLines(text).filter((line) => !settings.has(line))).toEqual([]);
    },
  },
  // Played by other tests, which take them from README.
  playedBy("server/commands.test.ts", ({ text }) => text.startsWith("S: +OK"), "playReadme"),
  playedBy("server/library-example.test.ts", ({ language }) => language === "ts", "runLibraryExample"),
  {
    fits: ({ text }) => text.startsWith("listen pop3s"),
    check: ({ text }) => {
      const options = /send-proxy-v2\S*/.exec(text)?.[0] ?? "none";
      expect(fileText("test/peers/haproxy.test.ts")).toContain(options);
    },
  },
  // The picture of the processes names those that there are.
  {
    fits: ({ text }) => text.includes("master: opens sockets"),
    check: ({ text }) => {
      for (const name of ["login", "mailbox", "auth", "master"]) {
        expect(text).toContain(name);
        expect(existsSync(new URL(`src/processes/${name}.ts`, checkout))).toBe(true);
      }
    },
  },
];

function playedBy(file: string, fits: Claim["fits"], by: string): Claim {
  return { fits, check: () => expect(fileText(`test/${file}`)).toContain(by) };
}

function mainCfLines(text: string): string[] {
  return text
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => line.replace(/\s+/g, " ").trim());
}

function commandsOf(line: string): string[] {
  return line
    .replace(/^\$ /, "")
    .replace(/\s+#.*$/, "")
    .split(/ && /);
}

/** The words are known to whatever they are typed for, and the files of the checkout that they name are there. */
function checkCommand(line: string): void {
  const [first = "", ...words] = line.split(/\s+/);
  const name = first.replace(/^scripts\//, "");
  const program = programs.get(name);
  if (program !== undefined) checkWords(program, words, line);
  if (name === "npm" && words[0] === "run") {
    const { scripts } = JSON.parse(fileText("package.json")) as { scripts: object };
    expect(Object.keys(scripts), line).toContain(words[1]);
  }
  expect(
    [
      "npm",
      "install",
      "ln",
      "chown",
      "apt-get",
      "systemctl",
      "systemd-sysusers",
      "chmod",
      "doveadm",
      "rm",
    ].includes(name) || program !== undefined,
    `README: nobody knows ${line}`,
  ).toBe(true);
  for (const word of words.map((each) => each.replace(/^"?\$PWD\/|"$/g, "")))
    if (/^(?:etc|scripts)\/\S+$/.test(word)) expect(existsSync(new URL(word, checkout)), word).toBe(true);
}

function checkWords(program: Command, words: readonly string[], line: string): void {
  let command = program;
  const options = [...program.options];
  for (const word of words) {
    const below = command.commands.find((each) => each.name() === word);
    if (below !== undefined) {
      command = below;
      options.push(...below.options);
    }
  }
  if (program.commands.length > 0 && program.name() === "pop3-ctl") expect(command, line).not.toBe(program);
  for (const word of words.filter((each) => each.startsWith("--")))
    expect(
      options.map(({ long }) => long),
      line,
    ).toContain(word);
}

describe("README.md", () => {
  it.each(readmeBlocks().map((block) => [block.lineNumber, block] as const))(
    "the code block at line %i is claimed by one test, and right",
    (_, block) => {
      const claimed = claims.filter((claim) => claim.fits(block));
      expect(claimed, block.text).toHaveLength(1);
      claimed[0]!.check(block);
    },
  );

  it("links to files that are there", () => {
    for (const [, path] of readme.matchAll(/\]\(([^)#:]+)\)/g))
      expect(existsSync(new URL(path!, checkout)), path).toBe(true);
  });
});
