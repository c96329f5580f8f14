#!/usr/bin/env node
// pop3-passwd: the accounts of the passwd file. Run by the administrator, as root or as the file's owner.
// Exit status: 0 done, 1 refused with one line on standard error, 2 usage, 130 interrupted at the prompt.
import { Command, CommanderError, Option } from "commander";
import { findAccount } from "../accounts/account-edits.ts";
import { WRITABLE_SCHEMES } from "../accounts/hash-policy.ts";
import { DEFAULT_CONFIG_FILE } from "../config/load.ts";
import { addAccountCommands, setUser } from "./passwd/account-commands.ts";
import { addAuditCommands } from "./passwd/audit-commands.ts";
import { type GlobalOptions, passwdFileOf, Refusal, readLines, withExamples } from "./passwd/context.ts";
import { addDeviceCommands } from "./passwd/device-commands.ts";
import { addListCommand } from "./passwd/list-command.ts";
import { addTransferCommands } from "./passwd/transfer-commands.ts";

const program: Command = new Command("pop3-passwd")
  .description(
    "Accounts of the passwd file. With a user alone, sets that user's password.\n" +
      "A password is asked for twice at a terminal, else it is the first line of standard input.",
  )
  .usage("[options] COMMAND | USER")
  .argument("[user]", "whose password to set")
  .option("--file <file>", "the passwd file (default: auth.passwd_file of the config)")
  .option("--config <file>", `the server's config (default: ${DEFAULT_CONFIG_FILE})`)
  .addOption(
    new Option(
      "--scheme <scheme>",
      "how to hash (default: auth.password_scheme of the config, else argon2id); a crypt scheme where an MTA reads the file itself",
    ).choices(WRITABLE_SCHEMES),
  )
  .configureHelp({ showGlobalOptions: true })
  .exitOverride()
  .action(async (user: string | undefined, options: GlobalOptions) => {
    if (user === undefined) program.help({ error: true });
    const found = findAccount(await readLines(passwdFileOf(options)), user);
    // The word may have been meant as a command.
    if (found.kind === "missing") throw new Refusal(`${found.reason}, and no such command`);
    await setUser(user, options);
  });
withExamples(
  program,
  "mrose@example.org",
  "add mrose@example.org --home /var/mail/example.org/mrose",
  "audit",
);

addAccountCommands(program);
addListCommand(program);
addDeviceCommands(program);
addTransferCommands(program);
addAuditCommands(program);

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else if (error instanceof Refusal) {
    if (error.message !== "") console.error(`pop3-passwd: ${error.message}`);
    process.exitCode = error.exitCode;
  } else throw error;
}
