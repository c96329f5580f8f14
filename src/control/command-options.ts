// What the commands of pop3-ctl have in common: the options that all of them take, what values mean, how help looks.
import { type Command, InvalidArgumentError } from "commander";
import type { Config } from "../config/schema.ts";
import { readConfig, ServerLink } from "./link/server-link.ts";
import { createPrinter, type Printer } from "./terminal/printer.ts";

interface GlobalOptions {
  readonly config: string;
  readonly json?: true;
}

interface Context {
  readonly config: Config;
  readonly server: ServerLink;
  readonly printer: Printer;
}

export function contextOf(command: Command): Context {
  const { config: file, json } = command.optsWithGlobals<GlobalOptions>();
  const printer = createPrinter(json === true);
  const config = readConfig(file);
  return { config, printer, server: new ServerLink(config.server.runtime_dir, printer) };
}

export function positive(text: string): number {
  const value = Number(text);
  if (/^[0-9]{1,6}(?:\.[0-9]{1,3})?$/.test(text) && value > 0) return value;
  throw new InvalidArgumentError("Expected a number above 0.");
}

export function examples(...lines: readonly (readonly [command: string, does: string])[]): string {
  const width = Math.max(...lines.map(([command]) => command.length));
  return `\nExamples:\n${lines.map(([command, does]) => `  ${command.padEnd(width)}  ${does}`).join("\n")}`;
}
