// The commands of pop3-ctl that look at the whole host, and that work before there is a server: setup, doctor.
import type { Command } from "commander";
import { createPrinter } from "../../control/printer.ts";
import { type DoctorOptions, doctor } from "../../doctor/doctor.ts";

interface GlobalOptions {
  readonly config: string;
  readonly json?: true;
}

export function addHostCommands(program: Command): void {
  program
    .command("doctor")
    .description("check what goes wrong in practice, and say how to mend it: 0 well, 1 warnings, 2 errors")
    .option("--login <account>", "log in as this account, its password from standard input")
    .addHelpText(
      "after",
      `
Examples:
  pop3-ctl doctor                      everything: config, ports, certificates, accounts, Maildirs, MTA, host
  pop3-ctl doctor --login mrose        and a real login, which deletes and moves nothing
  pop3-ctl doctor --json | jq .status  for monitoring: "ok", "note", "warning" or "error"`,
    )
    .action(async (_: unknown, command: Command) => {
      const { config, json, ...options } = command.optsWithGlobals<GlobalOptions & DoctorOptions>();
      process.exitCode = await doctor(config, createPrinter(json === true), options);
    });
}
