// The commands of pop3-ctl that look at the whole host, and that work before there is a server: setup, import-config, doctor.
import type { Command } from "commander";
import { createPrinter } from "../../control/terminal/printer.ts";
import { type DoctorOptions, doctor } from "../../doctor/doctor.ts";
import { type ImportConfigOptions, importConfig } from "../../setup/import-config.ts";
import { type SetupOptions, setup } from "../../setup/setup.ts";

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
  program
    .command("setup")
    .description(
      "look at the host, propose a config and the MTA's lines, write them with --yes, call the doctor",
    )
    .option("--yes", "write what is proposed; what others wrote or changed stays as it is")
    .option("--name <host>", "the name that clients connect to (default: the host's)")
    .option("--root <folder>", "the host's files are below this folder: for images")
    .addHelpText(
      "after",
      `
Examples:
  pop3-ctl setup                             look and propose; writes nothing
  pop3-ctl setup --name mail.example.org     as clients know the host
  pop3-ctl setup --yes                       write it, and see what the doctor says`,
    )
    .action(async (_: unknown, command: Command) => {
      const { config, json, ...options } = command.optsWithGlobals<GlobalOptions & SetupOptions>();
      process.exitCode = await setup(config, createPrinter(json === true), options);
    });
  program
    .command("import-config")
    .description("propose a config.toml for what Dovecot or Courier did, and name what has no counterpart")
    .argument("<path>", "/etc/dovecot, dovecot.conf, what doveconf -n printed, or /etc/courier")
    .option("--write <file>", "write it there; what others wrote or changed stays as it is")
    .option("--name <host>", "the name that clients connect to (default: the host's)")
    .addHelpText(
      "after",
      `
Examples:
  pop3-ctl import-config /etc/dovecot                         look and propose; writes nothing
  pop3-ctl import-config /etc/courier --write new.toml        then: pop3-server --config new.toml --check`,
    )
    .action((path: string, _: unknown, command: Command) => {
      const { json, ...options } = command.optsWithGlobals<GlobalOptions & ImportConfigOptions>();
      importConfig(path, createPrinter(json === true), options);
    });
}
