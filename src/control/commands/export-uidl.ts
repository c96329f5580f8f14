// `pop3-ctl export-uidl`: has a Dovecot that takes over tell the unique-ids that we told, so that leaving costs no client a
// download.
import type { Config } from "../../config/schema.ts";
import { escapeControls } from "../../log/safe-text.ts";
import { controlFolder } from "../dovecot/control-folder.ts";
import { readDovecotConfig } from "../dovecot/dovecot-config.ts";
import { type AccountOutcome, workOnAccounts } from "../mailbox/each-account.ts";
import { storageOf } from "../mailbox/mail-owner.ts";
import type { MailboxAnswer } from "../mailbox/mailbox-protocol.ts";
import type { Printer } from "../terminal/printer.ts";

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
type Exported = WithoutKind<Answer>;

export async function exportUidl(
  config: Config,
  printer: Printer,
  users: readonly string[],
  options: ExportOptions,
): Promise<void> {
  const dovecot = await readDovecotConfig(options.dovecotConfig);
  await workOnAccounts<Exported>(
    config,
    printer,
    { users, isAll: options.all === true },
    {
      request: (mail) => ({
        kind: "export",
        ...storageOf(config),
        ...controlFolder(dovecot, mail),
        dryRun: options.dryRun === true,
        lockWaitMs: options.wait * 1000,
      }),
      outcomeOf: (answer) => {
        if (answer.kind !== "export") return undefined;
        const { kind: _, ...exported } = answer;
        return exported;
      },
      lineOf: outcomeLine,
      isUndone: ({ result }) => result === "failed" || result === "locked",
      stopped: "what was written stays",
    },
  );
}

function outcomeLine(outcome: AccountOutcome<Exported>): string {
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
