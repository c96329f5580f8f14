// What the programs say of words that they do not understand: which program, which word, and where help is.
import type { Command } from "commander";

/** Of a program and all its commands: "pop3-ctl: unknown command 'wo' (Did you mean who?)" and a line that names the help. */
export function explainUsage(program: Command): Command {
  explain(program, program.name(), program.name());
  return program;
}

function explain(command: Command, program: string, typed: string): void {
  command.configureOutput({
    outputError: (text, write) => {
      const said = text
        .replace(/^error: /, "")
        .trimEnd()
        .replaceAll("\n", " ");
      write(`${program}: ${said}\nTry: ${typed} --help\n`);
    },
  });
  for (const each of command.commands) explain(each, program, `${typed} ${each.name()}`);
}
