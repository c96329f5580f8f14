// The commands and options of pop3-passwd, with their help.
import { Command, Option } from "commander";
import { findAccount } from "../../accounts/file/account-edits.ts";
import { WRITABLE_SCHEMES } from "../../accounts/passwords/hash-policy.ts";
import { DEFAULT_CONFIG_FILE } from "../../config/load.ts";
import { nearest } from "../../config/nearest.ts";
import { addAccountCommands, setUser } from "./account-commands.ts";
import { addAuditCommands } from "./audit-commands.ts";
import { type GlobalOptions, passwdFileOf, Refusal, readLines, withExamples } from "./context.ts";
import { addDeviceCommands } from "./device-commands.ts";
import { addListCommand } from "./list-command.ts";
import { addTransferCommands } from "./transfer-commands.ts";

export function passwdProgram(): Command {
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
      if (program.args.length > 1) unknownCommand(program, user);
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
  // Behind them, who would inherit it.
  return program.allowExcessArguments();
}

/** A user alone is a command of its own: with more words behind, the first one was meant as a command. */
function unknownCommand(program: Command, word: string): never {
  const meant = nearest(
    word,
    program.commands.map((command) => command.name()),
  );
  const hint = meant === undefined ? "" : ` (Did you mean ${meant}?)`;
  program.error(`unknown command '${word}'${hint}`, { code: "commander.unknownCommand" });
}
