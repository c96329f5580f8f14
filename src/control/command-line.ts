// The commands and options of pop3-ctl, with their help. What runs, what completes in a shell and what the manual says
// all come from here.
import { Argument, Command, InvalidArgumentError } from "commander";
import { parseDuration } from "../config/duration.ts";
import { DEFAULT_CONFIG_FILE } from "../config/load.ts";
import { contextOf, examples, positive } from "./command-options.ts";
import { followLog } from "./commands/log.ts";
import { mailboxList, mailboxShow, mailboxStatus, mailboxUndelete } from "./commands/mailbox.ts";
import { reload } from "./commands/reload.ts";
import { stats } from "./commands/stats.ts";
import { clearThrottle, listThrottle } from "./commands/throttle.ts";
import { type TopOptions, top } from "./commands/top.ts";
import { type TraceOptions, trace } from "./commands/trace.ts";
import { warm } from "./commands/warm.ts";
import { kick, who } from "./commands/who.ts";
import { why } from "./commands/why.ts";
import { completionScript, SHELLS, type Shell } from "./completions.ts";
import { addMovingCommands } from "./moving-commands.ts";

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
      examples(["pop3-ctl reload", "exit status 1 and the faults of config or certificates"]),
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
    .addHelpText("after", examples(["pop3-ctl throttle list", "most failures first"]))
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
  program
    .command("stats")
    .description("what was counted since the processes started, and what each of them takes")
    .addHelpText("after", examples(["pop3-ctl stats", "logins, commands, octets …"]))
    .action((_: unknown, command: Command) => {
      const { server, printer } = contextOf(command);
      return stats(server, printer);
    });
  program
    .command("top")
    .description(
      "what it does at the moment: logins, refusals, MB/s, processes, busiest accounts; Ctrl-C ends it",
    )
    .option("--interval <seconds>", "between two looks", positive, 2)
    .option("--count <n>", "looks before it ends (default: until Ctrl-C)", positiveInteger)
    .addHelpText(
      "after",
      examples(
        ["pop3-ctl top", "refreshed every 2 seconds"],
        ["pop3-ctl top --count 1 --json", "one look for a program"],
      ),
    )
    .action((options: TopOptions, command: Command) => {
      const { server, printer } = contextOf(command);
      return top(server, printer, options);
    });
  const log = program.command("log").description("the server's log").helpCommand(false);
  log
    .command("follow")
    .description("what it logs from now on, of all processes; Ctrl-C ends it")
    .argument("[account]", "only lines about this account")
    .addHelpText(
      "after",
      examples(
        ["pop3-ctl log follow", "all lines"],
        ["pop3-ctl log follow mrose@example.org", "of one account"],
      ),
    )
    .action((account: string | undefined, _: unknown, command: Command) => {
      const { server, printer } = contextOf(command);
      return followLog(server, printer, account);
    });
  program
    .command("trace")
    .description("what is said in the next sessions, secrets masked; Ctrl-C ends it")
    .argument("<account|address>", "whose sessions, or from where")
    .option("--sessions <n>", "end after so many", positiveInteger, 10)
    .addHelpText(
      "after",
      examples(
        ["pop3-ctl trace mrose@example.org", "the next ten sessions of the account"],
        ["pop3-ctl trace 192.0.2.7 --sessions 1", "the next one from this address"],
      ),
    )
    .action((target: string, options: TraceOptions, command: Command) => {
      const { server, printer } = contextOf(command);
      return trace(server, printer, target, options);
    });
  program
    .command("why")
    .description("an account's last logins, refusals and sessions, and what a login would meet now")
    .argument("<account>", "the user name")
    .addHelpText("after", examples(["pop3-ctl why mrose@example.org", "why can't they get their mail?"]))
    .action((user: string, _: unknown, command: Command) => {
      const { config, server, printer } = contextOf(command);
      return why(config, server, printer, user);
    });
  const mailbox = program.command("mailbox").description("an account's messages").helpCommand(false);
  mailbox
    .command("list")
    .description("number, octets, date, from, subject and unique-id, as a session would number them")
    .argument("<account>", "the user name")
    .argument("[n]", "only this message number", positiveInteger)
    .option("--last <n>", "only the newest so many", positiveInteger)
    .addHelpText(
      "after",
      examples(
        ["pop3-ctl mailbox list mrose --last 20", "the newest twenty"],
        ["pop3-ctl mailbox list mrose 3", "message 3"],
      ),
    )
    .action((user: string, number: number | undefined, options: { last?: number }, command: Command) => {
      const { config, printer } = contextOf(command);
      return mailboxList(config, printer, user, { ...options, ...(number === undefined ? {} : { number }) });
    });
  mailbox
    .command("show")
    .description("a message's headers and text, decoded, control characters escaped")
    .argument("<account>", "the user name")
    .argument("<n>", "the message number", positiveInteger)
    .addHelpText("after", examples(["pop3-ctl mailbox show mrose 3 | less", "message 3"]))
    .action((user: string, number: number, _: unknown, command: Command) => {
      const { config, printer } = contextOf(command);
      return mailboxShow(config, printer, user, number);
    });
  mailbox
    .command("status")
    .description("where it is, how many messages and octets, whether a session has it")
    .argument("<account>", "the user name")
    .addHelpText("after", examples(["pop3-ctl mailbox status mrose", "without reading a message"]))
    .action((user: string, _: unknown, command: Command) => {
      const { config, printer } = contextOf(command);
      return mailboxStatus(config, printer, user);
    });
  mailbox
    .command("undelete")
    .description("put messages back that sessions deleted, as long as mail.keep_deleted keeps them")
    .argument("<account>", "the user name")
    .option(
      "--since <duration>",
      'only what was deleted in the last "2h", "30m", "1d" (default: all)',
      durationMs,
    )
    .addHelpText(
      "after",
      examples(
        ["pop3-ctl mailbox undelete mrose", "all that is kept"],
        ["pop3-ctl mailbox undelete mrose --since 2h", "what was deleted in the last two hours"],
      ),
    )
    .action((user: string, { since }: { since?: number }, command: Command) => {
      const { config, printer } = contextOf(command);
      return mailboxUndelete(config, printer, user, since);
    });
  program
    .command("warm")
    .description("count messages' sizes before the first login; a run that was ended goes on where it was")
    .argument("[account...]", "the user names")
    .option("--all", "every account of the passwd file")
    .addHelpText(
      "after",
      examples(["pop3-ctl warm --all", "after a migration"], ["pop3-ctl warm mrose", "one account"]),
    )
    .action((users: string[], { all }: { all?: true }, command: Command) => {
      const { config, printer } = contextOf(command);
      return warm(config, printer, users, all === true);
    });
  addMovingCommands(program);
  program
    .command("completion")
    .description("print the completions for a shell")
    .addArgument(new Argument("<shell>", "which shell").choices(SHELLS))
    .addHelpText(
      "after",
      examples(
        ["pop3-ctl completion bash > /etc/bash_completion.d/pop3-ctl", "for everybody"],
        ["pop3-ctl completion fish > ~/.config/fish/completions/pop3-ctl.fish", "for oneself"],
      ),
    )
    .action((shell: Shell) => {
      process.stdout.write(completionScript(program, shell));
    });
  return program;
}

function durationMs(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined) throw new InvalidArgumentError('Expected a duration such as "2h", "30m" or "1d".');
  return ms;
}

function positiveInteger(text: string): number {
  if (/^[1-9][0-9]{0,8}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Expected a whole number above 0.");
}
