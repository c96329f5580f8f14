// The code blocks of README.md, for the tests that run them.
import { readFileSync } from "node:fs";

export interface ReadmeBlock {
  /** "sh", "toml", "ts" …; "" where none is named. */
  readonly language: string;
  readonly text: string;
  /** Of its first line in README.md, from 1. */
  readonly lineNumber: number;
}

export const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");

export function readmeBlocks(): ReadmeBlock[] {
  return [...readme.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map((match) => ({
    language: match[1] ?? "",
    text: match[2] ?? "",
    lineNumber: readme.slice(0, match.index).split("\n").length + 1,
  }));
}

/** The one block that has this in it. */
export function readmeBlock(mark: string): string {
  const found = readmeBlocks().filter(({ text }) => text.includes(mark));
  if (found.length !== 1) throw new Error(`${found.length} blocks of README have: ${mark}`);
  return found[0]!.text;
}
