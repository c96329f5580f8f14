// A command's work on accounts, one after the other: those that are named, or all. Ctrl-C ends it between two.
import type { Config } from "../../config/schema.ts";
import type { Printer } from "../terminal/printer.ts";
import { drawBar, progressBar } from "../terminal/progress-bar.ts";
import { Refusal } from "../terminal/refusal.ts";
import { type AccountMail, findMail, readAccounts } from "./mail-owner.ts";
import { askMailbox, type Wanted } from "./mailbox-client.ts";
import type { MailboxAnswer } from "./mailbox-protocol.ts";

export interface EachAccount<O> {
  readonly outcomes: readonly O[];
  readonly isStopped: boolean;
}

/** How a command that does something to each of many accounts does it to one, and tells of it. */
export interface AccountWork<O> {
  /** The request for the process of the mail's owner. */
  request(mail: AccountMail): Wanted;
  /** Undefined: it is none of the answers that tell the outcome. */
  outcomeOf(answer: MailboxAnswer): O | undefined;
  lineOf(outcome: AccountOutcome<O>): string;
  isUndone(outcome: AccountOutcome<O>): boolean;
  /** After Ctrl-C: what becomes of what was done. */
  readonly stopped: string;
}

export type Failed = { readonly result: "failed"; readonly reason: string };
export type AccountOutcome<O> = { readonly account: string } & (O | Failed);

/** Does it, with a bar of how many are done, and a line each. @throws Refusal where some were not done */
export async function workOnAccounts<O extends object>(
  config: Config,
  printer: Printer,
  { users, isAll }: { readonly users: readonly string[]; readonly isAll: boolean },
  work: AccountWork<O>,
): Promise<void> {
  const { outcomes, isStopped } = await eachAccount(config, users, isAll, async (user, number, total) => {
    drawBar(printer, progressBar(user, number - 1, total, [], printer.columns));
    const outcome: AccountOutcome<O> = { account: user, ...(await outcomeFor(config, user, work)) };
    drawBar(printer, "");
    if (!printer.json) printer.line(work.lineOf(outcome));
    return outcome;
  });
  if (printer.json) printer.value(outcomes);
  if (isStopped) throw new Refusal(`stopped; ${work.stopped}, the next run goes on from there`);
  const undone = outcomes.filter((outcome) => work.isUndone(outcome));
  if (undone.length > 0) throw new Refusal(`${undone.length} of ${outcomes.length} accounts were not done`);
}

async function outcomeFor<O extends object>(
  config: Config,
  user: string,
  { request, outcomeOf }: Pick<AccountWork<O>, "request" | "outcomeOf">,
): Promise<O | Failed> {
  let outcome: O | undefined;
  try {
    const mail = await findMail(config, user);
    await askMailbox(mail, request(mail), (answer) => {
      outcome = outcomeOf(answer) ?? outcome;
    });
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { result: "failed", reason: error.message };
  }
  return outcome ?? { result: "failed", reason: `${user}: no answer` };
}

/** @throws Refusal of usage unless it is either names or all */
export async function eachAccount<O>(
  config: Config,
  users: readonly string[],
  isAll: boolean,
  act: (user: string, number: number, total: number) => Promise<O>,
): Promise<EachAccount<O>> {
  if (isAll === users.length > 0) throw new Refusal("name the accounts, or say --all", 2);
  const names = isAll ? [...(await readAccounts(config)).keys()] : users;
  let isStopped = false;
  // The process that works on the Maildir hears Ctrl-C as well, and ends in good order.
  process.on("SIGINT", () => {
    isStopped = true;
  });
  const outcomes: O[] = [];
  for (const [index, user] of names.entries()) {
    if (isStopped) break;
    outcomes.push(await act(user, index + 1, names.length));
  }
  return { outcomes, isStopped };
}
