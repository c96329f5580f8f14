// `pop3-ctl export-uidl`: has a Dovecot that takes over tell the unique-ids that we told, so that leaving costs no client a
// download.
import type { Config } from "../../config/schema.ts";
import { escapeControls } from "../../log/safe-text.ts";
import { controlFolder } from "../control-folder.ts";
import { type DovecotConfig, readDovecotConfig } from "../dovecot-config.ts";
import { eachAccount } from "../each-account.ts";
import { findMail, storageOf } from "../mail-owner.ts";
import { askMailbox } from "../mailbox-client.ts";
import type { MailboxAnswer } from "../mailbox-protocol.ts";
import type { Printer } from "../printer.ts";
import { drawBar, progressBar } from "../progress-bar.ts";
import { Refusal } from "../refusal.ts";

export interface ExportOptions {
  readonly all?: true;
  readonly to: "dovecot";
  readonly dovecotConfig?: string;
  readonly dryRun?: true;
  /** Seconds. */
  readonly wait: number;
}

type Answer = Extract<MailboxAnswer, { kind: "export" }>;
type WithoutKind<A> = A extends Answer ? Omit<A, "kind"> : never;
type Outcome = { readonly account: string } & (
  | WithoutKind<Answer>
  | { readonly result: "failed"; readonly reason: string }
);

export async function exportUidl(
  config: Config,
  printer: Printer,
  users: readonly string[],
  options: ExportOptions,
): Promise<void> {
  const dovecot = await readDovecotConfig(options.dovecotConfig);
  const { outcomes, isStopped } = await eachAccount(
    config,
    users,
    options.all === true,
    async (user, number, total) => {
      drawBar(printer, progressBar(user, number - 1, total, [], printer.columns));
      const outcome = await exportOne(config, user, options, dovecot);
      drawBar(printer, "");
      if (!printer.json) printer.line(outcomeLine(outcome));
      return outcome;
    },
  );
  if (printer.json) printer.value(outcomes);
  if (isStopped) throw new Refusal("stopped; what was written stays, the next run goes on from there");
  const undone = outcomes.filter(({ result }) => result === "failed" || result === "locked");
  if (undone.length > 0) throw new Refusal(`${undone.length} of ${outcomes.length} accounts were not done`);
}

async function exportOne(
  config: Config,
  user: string,
  { dryRun, wait }: ExportOptions,
  dovecot: DovecotConfig | undefined,
): Promise<Outcome> {
  let outcome: Outcome | undefined;
  try {
    const mail = await findMail(config, user);
    const request = {
      kind: "export",
      ...storageOf(config),
      ...controlFolder(dovecot, mail),
      dryRun: dryRun === true,
      lockWaitMs: wait * 1000,
    } as const;
    await askMailbox(mail, request, (answer) => {
      if (answer.kind !== "export") return;
      const { kind: _, ...exported } = answer;
      outcome = { account: user, ...exported };
    });
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { account: user, result: "failed", reason: error.message };
  }
  return outcome ?? { account: user, result: "failed", reason: `${user}: no answer` };
}

function outcomeLine(outcome: Outcome): string {
  const name = escapeControls(outcome.account);
  switch (outcome.result) {
    case "exported":
    case "would-export": {
      const { messages, changed, unwritable, backup } = outcome;
      const verb = outcome.result === "exported" ? "saved" : "would save";
      return [
        `${name}: ${verb} ${changed} of ${messages} unique-ids in dovecot-uidlist`,
        ...(unwritable === 0 ? [] : [`${unwritable} have names that it cannot hold`]),
        ...(backup === null ? [] : [`as it was: ${escapeControls(backup)}`]),
      ].join(", ");
    }
    case "unchanged":
      return `${name}: ${outcome.messages} messages, nothing to do`;
    case "missing":
      return `${name}: no Maildir yet`;
    case "locked":
      return outcome.by === "session"
        ? `${name}: a session has the maildrop, run it again later`
        : `${name}: a Dovecot has locked dovecot-uidlist, run it again later`;
    case "failed":
      return escapeControls(outcome.reason);
    default:
      return outcome satisfies never;
  }
}
