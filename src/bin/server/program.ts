// The options of pop3-server, with their help.
import { Command } from "commander";
import { DEFAULT_CONFIG_FILE } from "../../config/load.ts";

export interface ServerOptions {
  readonly config: string;
  readonly check?: true;
}

export function serverProgram(run: (options: ServerOptions) => Promise<void>): Command {
  return new Command("pop3-server")
    .description("POP3 server for Maildirs. Runs in the foreground and logs JSON lines to standard output.")
    .option("--config <file>", "configuration", DEFAULT_CONFIG_FILE)
    .option("--check", "check the configuration, name every fault, and exit: 0 when it is sound")
    .addHelpText(
      "after",
      `
Examples:
  pop3-server --check                    name file, line and key of every fault
  pop3-server                            serve until SIGTERM; SIGHUP reads the config again
  pop3-server --config ./config.toml     with another config`,
    )
    .exitOverride()
    .action(run);
}
