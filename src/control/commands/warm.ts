// `pop3-ctl warm`: makes indexes before their owners log in, one Maildir after the other. A run that was ended goes on
// where it was.
import { surrogateKindOf } from "../../config/mail-policy.ts";
import type { Config } from "../../config/schema.ts";
import { escapeControls } from "../../log/safe-text.ts";
import { eachAccount } from "../mailbox/each-account.ts";
import { findMail, storageOf } from "../mailbox/mail-owner.ts";
import { askMailbox } from "../mailbox/mailbox-client.ts";
import type { MailboxAnswer } from "../mailbox/mailbox-protocol.ts";
import type { Printer } from "../terminal/printer.ts";
import { drawBar, progressBar } from "../terminal/progress-bar.ts";
import { Refusal } from "../terminal/refusal.ts";
import { amount, duration } from "../terminal/units.ts";

type Progress = Extract<MailboxAnswer, { kind: "progress" | "warm" | "stopped" }>;

interface Outcome {
  readonly account: string;
  readonly result: "warm" | "stopped" | "locked" | "failed";
  readonly messages: number;
  readonly counted: number;
  readonly bytes: number;
  readonly reason?: string;
}

export async function warm(
  config: Config,
  printer: Printer,
  users: readonly string[],
  isAll: boolean,
): Promise<void> {
  // The process that counts hears Ctrl-C as well, and keeps what it has counted.
  const { outcomes, isStopped } = await eachAccount(config, users, isAll, async (user, number, total) => {
    const outcome = await warmOne(config, printer, user, total > 1 ? `${number}/${total} ` : "");
    if (!printer.json) printer.line(outcomeLine(outcome));
    return outcome;
  });
  if (printer.json) printer.value(outcomes);
  const failed = outcomes.filter(({ result }) => result === "failed");
  if (isStopped) throw new Refusal("stopped; what was counted is kept, the next run goes on from there");
  if (failed.length > 0) throw new Refusal(`${failed.length} of ${outcomes.length} accounts failed`);
}

async function warmOne(config: Config, printer: Printer, user: string, which: string): Promise<Outcome> {
  const beginMs = performance.now();
  let last: Progress = { kind: "progress", messages: 0, toCount: 0, counted: 0, bytes: 0 };
  let result: Outcome["result"] = "failed";
  let reason: string | undefined;
  try {
    const mail = await findMail(config, user);
    const surrogate = surrogateKindOf(config.mail.utf8_headers);
    await askMailbox(mail, { kind: "warm", ...storageOf(config), surrogate }, (answer) => {
      if (answer.kind === "locked") result = "locked";
      if (answer.kind !== "progress" && answer.kind !== "warm" && answer.kind !== "stopped") return;
      last = answer;
      if (answer.kind !== "progress") result = answer.kind;
      drawBar(printer, bar(`${which}${user}`, answer, performance.now() - beginMs, printer.columns));
    });
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    reason = error.message;
  } finally {
    drawBar(printer, "");
  }
  const { messages, counted, bytes } = last;
  return { account: user, result, messages, counted, bytes, ...(reason === undefined ? {} : { reason }) };
}

/** "mrose  [#######-------------] 35000/100000  12 MB/s  1m 20s left" */
export function bar(
  name: string,
  { toCount, counted, bytes }: Progress,
  elapsedMs: number,
  columns: number,
): string {
  const leftMs = counted === 0 ? undefined : (elapsedMs / counted) * (toCount - counted);
  const details = [
    `${(bytes / 1e3 / Math.max(1, elapsedMs)).toFixed(1)} MB/s`,
    ...(leftMs === undefined ? [] : [`${duration(leftMs)} left`]),
  ];
  return progressBar(name, counted, toCount, details, columns);
}

function outcomeLine({ account, result, messages, counted, bytes, reason }: Outcome): string {
  const name = escapeControls(account);
  switch (result) {
    case "warm":
      return `${name}: ${messages} messages, ${counted} counted now (${amount(bytes)}B)`;
    case "stopped":
      return `${name}: stopped after ${counted} messages`;
    case "locked":
      return `${name}: a session has the maildrop, it counts what it needs itself`;
    case "failed":
      return reason ?? `${name}: failed`;
    default:
      return result satisfies never;
  }
}
