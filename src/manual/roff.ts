// man(7) as mandoc and groff read it. Pure.
import type { Release } from "./release.ts";
import { isCode, wrap } from "./wrap.ts";

/** Text of a line or a part of one: what roff takes as a command is escaped, `word` is bold. */
export function prose(text: string): string {
  return escaped(
    text.replaceAll(/(^|[\s("`/])(--?)(?=[a-z])/g, (_, before, dashes) => before + minus(dashes)),
  )
    .replaceAll(/`([^`]*)`/g, (_, word: string) => bold(word))
    .replaceAll("\u0001", "\\-");
}

/** Names and options as they are typed: their hyphens can be copied. */
export function bold(text: string): string {
  return `\\fB${typed(text)}\\fP`;
}

export function italic(text: string): string {
  return `\\fI${typed(text)}\\fP`;
}

/** "--config <file>", "[account...]": options and commands bold, what stands for something italic. */
export function usage(text: string): string {
  return text
    .split(/(<[^>]*>|\[[^\]]*\]|\s+)/)
    .filter((part) => part !== "")
    .map((part) => {
      if (part.startsWith("<")) return italic(part.slice(1, -1));
      if (part.startsWith("[")) return `[${italic(part.slice(1, -1))}]`;
      return part.trim() === "" ? " " : bold(part);
    })
    .join("");
}

export function section(title: string): string {
  return `.SH ${quoted(title)}`;
}

export function subsection(title: string): string {
  return `.SS ${quoted(title)}`;
}

/** What stands at the margin, and the paragraphs that explain it. */
export function item(term: string, ...body: readonly string[]): string[] {
  return [".TP", line(term), ...body];
}

/** Paragraphs, with lines of code as blocks. @param separator between paragraphs: .PP, or .IP within an item */
export function paragraphs(text: string, separator = ".PP"): string[] {
  return text.split("\n").flatMap((part, index) => {
    if (isCode(part)) return [".sp", ...code([part.trim()], separator === ".IP" ? 11 : 4)];
    return index === 0 ? filled(prose(part)) : [separator, ...filled(prose(part))];
  });
}

/** @param indent from the margin; the text of an item has 7 */
export function code(lines: readonly string[], indent = 4): string[] {
  return [`.RS ${indent}`, ".EX", ...lines.map((each) => line(typed(each))), ".EE", ".RE"];
}

/** Lines that roff fills: short ones, and a new one for each sentence, whose end it sees there. @param text escaped */
export function filled(text: string): string[] {
  return text
    .split(/(?<=[.?!]) (?=[A-Z])/)
    .flatMap((sentence) => wrap(sentence, 78))
    .map(line);
}

export function page(
  name: string,
  number: number,
  { version, date }: Release,
  lines: readonly string[],
): string {
  return `${[
    '.\\" Made by scripts/write-manual. Not to be edited.',
    `.TH ${typed(name.toUpperCase())} ${number} ${date} ${quoted(`dewey-pop3 ${version}`)}`,
    // Neither words broken, nor gaps in lines of options and paths.
    ".nr HY 0",
    ".nh",
    ".ad l",
    ...lines,
  ].join("\n")}\n`;
}

/** The pages that this one refers to. */
export function seeAlso(...pages: readonly (readonly [name: string, number: number])[]): string[] {
  return [
    section("SEE ALSO"),
    ...pages.map(([name, number], index) => {
      const comma = index < pages.length - 1 ? "," : "";
      return `.BR ${typed(name)} (${number})${comma}`;
    }),
  ];
}

function typed(text: string): string {
  return escaped(text.replaceAll("-", "\u0001")).replaceAll("\u0001", "\\-");
}

function minus(dashes: string): string {
  return "\u0001".repeat(dashes.length);
}

function escaped(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll(/[^\u0000-\u007e]/gu, (character) => {
      const hex = character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0");
      return `\\[u${hex}]`;
    })
    .replaceAll("~", "\\[ti]")
    .replaceAll("^", "\\[ha]");
}

/** A line that would begin with a command of roff's begins with nothing instead. */
function line(text: string): string {
  return /^[.']/.test(text) ? `\\&${text}` : text;
}

function quoted(text: string): string {
  return /\s/.test(text) ? `"${typed(text)}"` : typed(text);
}
