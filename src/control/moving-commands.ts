// The commands of pop3-ctl for moving in from another server, and out again.
import { type Command, InvalidArgumentError, Option } from "commander";
import { parseUidlFormat } from "../maildir/other-servers/uidl-format.ts";
import { contextOf, examples, positive } from "./command-options.ts";
import { type ExportOptions, exportUidl } from "./commands/export-uidl.ts";
import { type ImportOptions, importUidl } from "./commands/import-uidl.ts";
import { type RehearseOptions, rehearse } from "./commands/rehearse.ts";

export function addMovingCommands(program: Command): void {
  program
    .command("rehearse")
    .description("ask the old server what it tells clients, and compare; changes nothing, there or here")
    .requiredOption("--old <host[:port]>", "the old server, which still runs on the same mail")
    .option("--tls", "POP3S, port 995 unless another is given")
    .option("--stls", "TLS by STLS, port 110 unless another is given")
    .option("--insecure", "take any certificate of the old server's")
    .requiredOption("--accounts <file>", "lines of user:password")
    .addHelpText(
      "after",
      examples([
        "pop3-ctl rehearse --old mail.example.org --tls --accounts FILE",
        "exit status 1 if anything changes",
      ]),
    )
    .action((options: RehearseOptions, command: Command) => {
      const { config, printer } = contextOf(command);
      return rehearse(config, printer, options);
    });
  program
    .command("import-uidl")
    .description(
      "keep the unique-ids that Dovecot or Courier gave, so that no client downloads its mail again",
    )
    .argument("[account...]", "the user names")
    .option("--all", "every account of the passwd file")
    .addOption(
      new Option(
        "--from <server>",
        "whose unique-ids; auto: whose list in the Maildir was written last; x-uidl: the messages' own headers (qpopper)",
      )
        .choices(["auto", "dovecot", "courier", "x-uidl", "filename"])
        .default("auto"),
    )
    .option(
      "--format <format>",
      "Dovecot's pop3_uidl_format, if its list and its config do not tell",
      uidlFormat,
    )
    .option("--dovecot-config <path>", "dovecot.conf, or what doveconf -n printed; default: this host's")
    .option("--dry-run", "say what would be done, and do nothing")
    .option("--replace", "change what an earlier import has frozen: while clients still use the old server")
    .option("--forget", "give up what was frozen: clients download their mail again")
    .option("--wait <seconds>", "for a session that has the maildrop", positive, 60)
    .addHelpText(
      "after",
      examples(
        ["pop3-ctl import-uidl --all --dry-run", "what a migration would find"],
        ["pop3-ctl import-uidl --all", "the old server is stopped, ours not yet in use"],
        ["pop3-ctl import-uidl mrose --from dovecot --format %v.%u --replace", "after a wrong format"],
      ),
    )
    .action((users: string[], options: ImportOptions, command: Command) => {
      const { config, printer } = contextOf(command);
      return importUidl(config, printer, users, options);
    });
  program
    .command("export-uidl")
    .description(
      "have Dovecot go on with the unique-ids that this server told, so that leaving costs nothing",
    )
    .argument("[account...]", "the user names")
    .option("--all", "every account of the passwd file")
    .addOption(new Option("--to <server>", "who takes over").choices(["dovecot"]).makeOptionMandatory())
    .option("--dovecot-config <path>", "dovecot.conf, or what doveconf -n printed; default: this host's")
    .option("--dry-run", "say what would be done, and do nothing")
    .option(
      "--wait <seconds>",
      "for a session that has the maildrop, or a Dovecot that writes its list",
      positive,
      60,
    )
    .addHelpText(
      "after",
      examples(
        ["pop3-ctl export-uidl --all --to dovecot --dry-run", "how many would be saved"],
        ["pop3-ctl export-uidl --all --to dovecot", "ours is stopped, no POP3 client uses Dovecot yet"],
      ),
    )
    .action((users: string[], options: ExportOptions, command: Command) => {
      const { config, printer } = contextOf(command);
      return exportUidl(config, printer, users, options);
    });
}

function uidlFormat(text: string): string {
  const parsed = parseUidlFormat(text);
  if (parsed.kind === "unsupported") throw new InvalidArgumentError(parsed.reason);
  return text;
}
