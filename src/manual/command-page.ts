// The manual page of a command, from what its --help says. Pure.
import type { Command } from "commander";
import type { Release } from "./release.ts";
import * as roff from "./roff.ts";

/** What a manual page has and --help has not. */
export interface PageText {
  readonly command: Command;
  readonly number: number;
  /** For NAME, apropos(1). */
  readonly summary: string;
  /** Paragraphs below the description. */
  readonly more?: readonly string[];
  readonly exitStatus: readonly (readonly [status: string, meaning: string])[];
  readonly sections?: readonly { title: string; items: readonly (readonly [term: string, text: string])[] }[];
  readonly files: readonly (readonly [path: string, text: string])[];
  readonly seeAlso: readonly (readonly [name: string, number: number])[];
}

export function commandPage(text: PageText, release: Release): string {
  const { command } = text;
  const help = command.createHelp();
  const leaves = leavesOf(command, []);
  const items = (list: readonly (readonly [string, string])[], term: (text: string) => string): string[] =>
    list.flatMap(([name, meaning]) => roff.item(term(name), ...roff.paragraphs(meaning, ".IP")));
  return roff.page(command.name(), text.number, release, [
    roff.section("NAME"),
    `${roff.prose(command.name()).replaceAll("-", "\\-")} \\- ${roff.prose(text.summary)}`,
    roff.section("SYNOPSIS"),
    roff.usage(help.commandUsage(command).replace(/COMMAND \| USER/, "<command> | <user>")),
    roff.section("DESCRIPTION"),
    ...roff.paragraphs(command.description()),
    ...(text.more ?? []).flatMap((paragraph) => [".PP", ...roff.paragraphs(paragraph)]),
    roff.section("OPTIONS"),
    ...optionItems(command),
    ...(leaves.length === 0 ? [] : [roff.section("COMMANDS"), ...leaves.flatMap(leafLines)]),
    ...exampleSection(command),
    ...(text.sections ?? []).flatMap(({ title, items: list }) => [
      roff.section(title),
      ...items(list, roff.bold),
    ]),
    roff.section("EXIT STATUS"),
    ...items(text.exitStatus, (status) => status),
    roff.section("FILES"),
    ...items(text.files, roff.italic),
    ...roff.seeAlso(...text.seeAlso),
  ]);
}

interface Leaf {
  readonly path: readonly string[];
  readonly command: Command;
}

/** Commands that do something, with the words that lead to them. */
function leavesOf(command: Command, path: readonly string[]): Leaf[] {
  return command.commands
    .filter((each) => each.name() !== "help")
    .flatMap((each) => {
      const below = [...path, each.name()];
      return each.commands.length === 0 ? [{ path: below, command: each }] : leavesOf(each, below);
    });
}

function leafLines({ path, command }: Leaf): string[] {
  const help = command.createHelp();
  const argumentItems = help
    .visibleArguments(command)
    .flatMap((argument) =>
      roff.item(
        roff.italic(help.argumentTerm(argument)),
        ...roff.paragraphs(sentence(help.argumentDescription(argument)), ".IP"),
      ),
    );
  const examples = examplesOf(command);
  return [
    roff.subsection([...path, usageOf(command)].join(" ").trim()),
    ...roff.paragraphs(sentence(command.description())),
    ...argumentItems,
    ...optionItems(command),
    ...(examples.length === 0 ? [] : [".PP", "Examples:", ".sp", ...roff.code(examples)]),
  ];
}

/** "<user> [options]", as --help has it, for a heading. */
function usageOf(command: Command): string {
  return command.usage().replace(/^\[options\] ?/, "");
}

function optionItems(command: Command): string[] {
  const help = command.createHelp();
  return help
    .visibleOptions(command)
    .filter((option) => option.long !== "--help")
    .flatMap((option) =>
      roff.item(
        roff.usage(help.optionTerm(option)),
        ...roff.paragraphs(sentence(help.optionDescription(option)), ".IP"),
      ),
    );
}

function exampleSection(command: Command): string[] {
  const examples = examplesOf(command);
  return examples.length === 0 ? [] : [roff.section("EXAMPLES"), ...roff.code(examples)];
}

/** The lines that --help has below "Examples:". */
export function examplesOf(command: Command): string[] {
  let text = "";
  const output = command.configureOutput();
  command.configureOutput({ ...output, writeOut: (part) => (text += part) });
  command.outputHelp();
  command.configureOutput(output);
  const [, examples = ""] = text.split("\nExamples:\n");
  return examples
    .split("\n")
    .map((line) => line.replace(/^ {2}/, ""))
    .filter((line) => line !== "");
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}
