// The code blocks of README.md and of the guides that it leads to, and which test runs each: a block that nobody runs is
// refused by test/readme.test.ts.
import { readFileSync } from "node:fs";
import { type BlockName, readmeRuns } from "./readme-runs.ts";

export interface ReadmeBlock {
  /** "README.md", "etc/MOVING.md" … */
  readonly file: string;
  /** "sh", "toml", "ts" …; "" where none is named. */
  readonly language: string;
  readonly text: string;
  /** Of its first line in the file, from 1. */
  readonly lineNumber: number;
}

export const guides = [
  "README.md",
  "etc/INSTALL.md",
  "etc/MOVING.md",
  "etc/SCALING.md",
  "etc/MAIL.md",
  "etc/SECURITY.md",
] as const;

export const textOf = (file: string): string =>
  readFileSync(new URL(`../../${file}`, import.meta.url), "utf8");

export function readmeBlocks(): ReadmeBlock[] {
  return guides.flatMap((file) => {
    const text = textOf(file);
    return [...text.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map((match) => ({
      file,
      language: match[1] ?? "",
      text: match[2] ?? "",
      lineNumber: text.slice(0, match.index).split("\n").length + 1,
    }));
  });
}

/** The block of this name, for the test that runs it. */
export function readmeBlock(name: BlockName): string {
  const { file, begins } = readmeRuns[name];
  const found = readmeBlocks().filter((block) => block.file === file && block.text.startsWith(begins));
  if (found.length !== 1) throw new Error(`${found.length} blocks of ${file} begin with: ${begins}`);
  return found[0]!.text;
}

/** A block of commands, one at a time as they are typed, without the remarks behind them. */
export function typedLines(block: string): string[] {
  return block
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => line.replace(/ {2,}#.*$/, ""));
}
