// All commands of pop3-ctl: those that ask the running server, and those that look at the whole host.
import type { Command } from "commander";
import { commandLine } from "../../control/command-line.ts";
import { addHostCommands } from "./host-commands.ts";

export function ctlProgram(): Command {
  const program = commandLine();
  addHostCommands(program);
  return program;
}
