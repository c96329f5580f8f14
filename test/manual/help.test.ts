// --help is where the manual pages come from.
import type { Command } from "commander";
import { describe, expect, it } from "vitest";
import { examplesOf } from "../../src/manual/command-page.ts";
import { commandPages } from "../../src/manual/command-pages.ts";

/** Commands that do something, with what is typed for them. */
function commandsOf(command: Command, typed: string): [string, Command][] {
  const below = command.commands.filter((each) => each.name() !== "help");
  return below.length === 0
    ? [[typed, command]]
    : below.flatMap((each) => commandsOf(each, `${typed} ${each.name()}`));
}

const commands = commandPages().flatMap(({ command }) => commandsOf(command, command.name()));

describe("--help", () => {
  it.each(commands)("of %s has examples of it, and says what it does", (typed, command) => {
    expect(command.description()).not.toBe("");
    const examples = examplesOf(command);
    expect(examples.length).toBeGreaterThan(0);
    // Options of all commands may stand before the command's own words.
    const words = new RegExp(typed.split(" ").join(".* "));
    for (const example of examples) expect(example).toMatch(words);
  });

  it("explains every option and argument", () => {
    for (const [typed, command] of commands) {
      for (const { flags, description } of command.options)
        expect(description, `${typed} ${flags}`).not.toBe("");
    }
  });
});
