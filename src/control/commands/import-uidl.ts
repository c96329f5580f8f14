// `pop3-ctl import-uidl`: freezes the unique-ids that Dovecot or Courier gave, so that no client downloads its mail again.
import type { Config } from "../../config/schema.ts";
import { escapeControls } from "../../log/safe-text.ts";
import { controlFolder } from "../dovecot/control-folder.ts";
import { readDovecotConfig } from "../dovecot/dovecot-config.ts";
import { type AccountOutcome, workOnAccounts } from "../mailbox/each-account.ts";
import { storageOf } from "../mailbox/mail-owner.ts";
import type { MailboxAnswer } from "../mailbox/mailbox-protocol.ts";
import type { Printer } from "../terminal/printer.ts";

export interface ImportOptions {
  readonly all?: true;
  readonly from: "auto" | "dovecot" | "courier" | "x-uidl" | "filename";
  readonly format?: string;
  readonly dovecotConfig?: string;
  readonly dryRun?: true;
  readonly replace?: true;
  readonly forget?: true;
  /** Seconds. */
  readonly wait: number;
}

type Answer = Extract<MailboxAnswer, { kind: "import" }>;
type Counted = Extract<Answer, { messages: number }>;
type Imported = Omit<Counted, "kind"> | Omit<Exclude<Answer, Counted>, "kind">;

export async function importUidl(
  config: Config,
  printer: Printer,
  users: readonly string[],
  options: ImportOptions,
): Promise<void> {
  // Of an mbox that Dovecot made a Maildir of, its list has the order.
  const isDovecot = options.from !== "courier" && options.from !== "filename";
  const dovecot = isDovecot ? await readDovecotConfig(options.dovecotConfig) : undefined;
  const { from, format, dryRun, replace, forget, wait } = options;
  await workOnAccounts<Imported>(
    config,
    printer,
    { users, isAll: options.all === true },
    {
      request: (mail) => ({
        kind: "import",
        ...storageOf(config),
        from: forget === true ? "nothing" : from,
        ...(format !== undefined && { format }),
        ...(dovecot?.uidlFormat !== undefined && { configuredFormat: dovecot.uidlFormat }),
        ...controlFolder(dovecot, mail),
        renamesDuplicates: dovecot?.renamesDuplicates === true,
        reusesXUidl: dovecot?.reusesXUidl === true,
        replace: replace === true,
        dryRun: dryRun === true,
        lockWaitMs: wait * 1000,
      }),
      outcomeOf: (answer) => {
        if (answer.kind !== "import") return undefined;
        const { kind: _, ...imported } = answer;
        return imported;
      },
      lineOf: outcomeLine,
      isUndone: ({ result }) => UNDONE.has(result),
      stopped: "what was frozen stays",
    },
  );
}

const UNDONE: ReadonlySet<string> = new Set(["failed", "locked", "differs"]);

function outcomeLine(outcome: AccountOutcome<Imported>): string {
  const name = escapeControls(outcome.account);
  switch (outcome.result) {
    case "imported":
      return `${name}: ${counts("froze", outcome)}`;
    case "would-import":
      return `${name}: ${counts("would freeze", outcome)}`;
    case "unchanged":
      return `${name}: ${outcome.messages} messages, nothing to do`;
    case "differs":
      return (
        `${name}: ${outcome.changed} of ${outcome.messages} messages have another unique-id or place in the old ` +
        "server's list than here: --replace takes them, as long as clients still use the old server"
      );
    case "missing":
      return `${name}: no Maildir yet`;
    case "locked":
      return `${name}: a session has the maildrop, run it again later`;
    case "failed":
      return escapeControls(outcome.reason);
    default:
      return outcome satisfies never;
  }
}

function counts(
  verb: string,
  { from, format, messages, inherited, invalid, duplicate }: Omit<Counted, "kind">,
): string {
  if (from === "nothing") return `${verb} nothing: ${messages} messages have unique-ids of ours`;
  const own = messages - inherited;
  return [
    `${verb} ${inherited} of ${messages} unique-ids as ${from} gave them${format === null ? "" : ` (${format})`}`,
    ...(own === 0 ? [] : [`${own} get one of ours`]),
    ...(invalid === 0 ? [] : [`${invalid} of them had one that RFC 1939 does not allow`]),
    ...(duplicate === 0 ? [] : [`${duplicate} of them had another message's`]),
  ].join(", ");
}
