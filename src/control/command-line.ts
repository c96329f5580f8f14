// The commands and options of pop3-ctl, with their help. What runs, what completes in a shell and what the manual says
// all come from here.
import { Command } from "commander";
import { DEFAULT_CONFIG_FILE } from "../config/load.ts";
import type { Config } from "../config/schema.ts";
import { reload } from "./commands/reload.ts";
import { clearThrottle, listThrottle } from "./commands/throttle.ts";
import { kick, who } from "./commands/who.ts";
import { createPrinter, type Printer } from "./printer.ts";
import { readConfig, ServerLink } from "./server-link.ts";

interface GlobalOptions {
  readonly config: string;
  readonly json?: true;
}

interface Context {
  readonly config: Config;
  readonly server: ServerLink;
  readonly printer: Printer;
}

export function commandLine(): Command {
  const program = new Command("pop3-ctl")
    .description("Runs a dewey-pop3 server: who is connected, what it does, what stands in a maildrop.")
    .option("--config <file>", "the server's config", DEFAULT_CONFIG_FILE)
    .option("--json", "print JSON, for programs")
    .configureHelp({ showGlobalOptions: true, sortSubcommands: false })
    .exitOverride();

  program
    .command("who")
    .description("who is connected: account, address, TLS, state, idle time, messages and octets so far")
    .addHelpText(
      "after",
      examples(["pop3-ctl who", "everybody"], ["pop3-ctl who --json", "the same for a program"]),
    )
    .action((_: unknown, command: Command) => {
      const { server, printer } = contextOf(command);
      return who(server, printer);
    });
  program
    .command("kick")
    .description("end sessions, without UPDATE: nothing is deleted, the client is told [SYS/TEMP]")
    .argument("<account|session>", "an account, or a session's id or the begin of one, as `who` shows it")
    .addHelpText(
      "after",
      examples(
        ["pop3-ctl kick mrose@example.org", "all sessions of the account"],
        ["pop3-ctl kick 99060f10", "this session"],
      ),
    )
    .action((target: string, _: unknown, command: Command) => {
      const { server, printer } = contextOf(command);
      return kick(server, printer, target);
    });
  program
    .command("reload")
    .description("read the config again, as SIGHUP does, and say what came of it")
    .addHelpText(
      "after",
      examples(["pop3-ctl reload", "exit status 1 and the faults where the config has any"]),
    )
    .action((_: unknown, command: Command) => {
      const { server, printer } = contextOf(command);
      return reload(server, printer);
    });
  const throttle = program
    .command("throttle")
    .description("whom wrong passwords are counted against, and forgiving them");
  throttle
    .command("list")
    .description("accounts and addresses with failures, and when their next attempt is looked at")
    .action((_: unknown, command: Command) => {
      const { server, printer } = contextOf(command);
      return listThrottle(server, printer);
    });
  throttle
    .command("clear")
    .description("forgive failures: of an account from everywhere, of an address for all accounts, or all")
    .argument("[account|address]", "as `throttle list` shows it")
    .addHelpText(
      "after",
      examples(
        ["pop3-ctl throttle clear mrose@example.org", "the account, from wherever"],
        ["pop3-ctl throttle clear 192.0.2.7", "the address, whomever it tried"],
        ["pop3-ctl throttle clear", "everybody"],
      ),
    )
    .action((whom: string | undefined, _: unknown, command: Command) => {
      const { server, printer } = contextOf(command);
      return clearThrottle(server, printer, whom);
    });
  return program;
}

function contextOf(command: Command): Context {
  const { config: file, json } = command.optsWithGlobals<GlobalOptions>();
  const printer = createPrinter(json === true);
  const config = readConfig(file);
  return { config, printer, server: new ServerLink(config.server.runtime_dir, printer) };
}

function examples(...lines: readonly (readonly [command: string, does: string])[]): string {
  const width = Math.max(...lines.map(([command]) => command.length));
  return `\nExamples:\n${lines.map(([command, does]) => `  ${command.padEnd(width)}  ${does}`).join("\n")}`;
}
