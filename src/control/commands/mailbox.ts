// `pop3-ctl mailbox list|show|status`: what stands in an account's maildrop. No message is
// changed; sizes that had to be counted are kept in the index.
import type { Config } from "../../config/schema.ts";
import { escapeControls, escapeText } from "../../log/safe-text.ts";
import { findMail, storageOf } from "../mailbox/mail-owner.ts";
import { askMailbox } from "../mailbox/mailbox-client.ts";
import type { MailboxAnswer } from "../mailbox/mailbox-protocol.ts";
import type { Printer } from "../terminal/printer.ts";
import { Refusal } from "../terminal/refusal.ts";
import { table } from "../terminal/table.ts";
import { amount, localTime } from "../terminal/units.ts";

type Message = Extract<MailboxAnswer, { kind: "message" }>;
type Content = Extract<MailboxAnswer, { kind: "content" }>;

export interface ListOptions {
  readonly number?: number;
  readonly last?: number;
}

export async function mailboxList(
  config: Config,
  printer: Printer,
  user: string,
  { number, last }: ListOptions,
): Promise<void> {
  const mail = await findMail(config, user);
  const messages: Message[] = [];
  const wanted = {
    kind: "list",
    ...(number === undefined ? {} : { number }),
    ...(last === undefined ? {} : { last }),
  };
  await askMailbox(mail, wanted as { kind: "list" }, (answer) => {
    if (answer.kind === "message") messages.push(answer);
  });
  printer.result(
    messages.map(({ kind: _, ...message }) => message),
    messages.length === 0 ? ["no messages"] : messageTable(messages, printer.columns),
  );
}

export function messageTable(messages: readonly Message[], columns: number): string[] {
  return table(
    [
      { title: "N", align: "right" },
      { title: "OCTETS", align: "right" },
      { title: "DATE" },
      { title: "FROM", least: 12 },
      { title: "SUBJECT", least: 12 },
      { title: "UNIQUE-ID", least: 10 },
    ],
    messages.map(({ number, octets, date, from, subject, uniqueId }) => [
      number,
      amount(octets),
      date === null ? "-" : localTime(Date.parse(date)).slice(0, 10),
      // The name, where there is one: both don't fit.
      /^"(.+)" <[^<>]*>$/.exec(from)?.[1] ?? from,
      subject,
      uniqueId,
    ]),
    columns,
  );
}

export async function mailboxShow(
  config: Config,
  printer: Printer,
  user: string,
  number: number,
): Promise<void> {
  const mail = await findMail(config, user);
  let content: Content | undefined;
  await askMailbox(mail, { kind: "show", number }, (answer) => {
    if (answer.kind === "content") content = answer;
  });
  if (content === undefined) throw new Refusal(`${user}: message ${number} cannot be shown`);
  const { kind: _, ...shown } = content;
  printer.result(shown, contentLines(content, printer));
}

export function contentLines(content: Content, { paint }: Pick<Printer, "paint">): string[] {
  const headers = content.headers.map(({ name, value }) => {
    return `${paint("cyan", `${escapeControls(name)}:`)} ${escapeText(value)}`;
  });
  const attachments = content.attachments.map(({ name, type, bytes }) => {
    return `[attachment: ${escapeControls(name) || "without a name"}, ${escapeControls(type)}, ${amount(bytes)}B]`;
  });
  return [
    paint(
      "dim",
      `message ${content.number}, unique-id ${escapeControls(content.uniqueId)}, ${content.octets} octets`,
    ),
    ...headers,
    "",
    ...escapeText(content.text).replace(/\n+$/, "").split("\n"),
    ...(attachments.length === 0 ? [] : ["", ...attachments]),
    ...(content.isCut ? ["", "[the message is longer, its begin is shown]"] : []),
  ];
}

export async function mailboxStatus(config: Config, printer: Printer, user: string): Promise<void> {
  const mail = await findMail(config, user);
  let status: Extract<MailboxAnswer, { kind: "status" }> | undefined;
  await askMailbox(mail, { kind: "status", ...storageOf(config) }, (answer) => {
    if (answer.kind === "status") status = answer;
  });
  if (status === undefined) throw new Refusal(`${user}: nothing is known of ${mail.maildir}`);
  const { kind: _, ...facts } = status;
  const { messages, newMessages, octets, uncounted, isLocked } = facts;
  printer.result({ account: user, maildir: mail.maildir, ...facts }, [
    `maildir   ${escapeControls(mail.maildir)}`,
    `messages  ${messages}, ${newMessages} of them new`,
    `octets    ${octets}${uncounted > 0 ? `, and ${uncounted} messages that are not counted yet` : ""}`,
    `locked    ${isLocked ? "yes, by a session" : "no"}`,
  ]);
}

/** @param sinceMs only what was removed in the last so many ms; all that is kept when undefined */
export async function mailboxUndelete(
  config: Config,
  printer: Printer,
  user: string,
  sinceMs: number | undefined,
): Promise<void> {
  const mail = await findMail(config, user);
  let undeleted: Extract<MailboxAnswer, { kind: "undeleted" }> | undefined;
  let isLocked = false;
  const since = sinceMs === undefined ? {} : { sinceMs: Date.now() - sinceMs };
  await askMailbox(mail, { kind: "undelete", ...storageOf(config), ...since }, (answer) => {
    if (answer.kind === "undeleted") undeleted = answer;
    if (answer.kind === "locked") isLocked = true;
  });
  if (isLocked)
    throw new Refusal(`${user}: a session has the maildrop, try again or end it (pop3-ctl kick ${user})`);
  if (undeleted === undefined) throw new Refusal(`${user}: nothing is known of ${mail.maildir}`);
  const { kind: _, ...outcome } = undeleted;
  const { restored, occupied, failed } = outcome;
  printer.result({ account: user, ...outcome }, [
    restored === 1 ? "1 message is back" : `${restored} messages are back`,
    ...(occupied > 0 ? [`${occupied} stay where they are: the maildrop has a message of the same name`] : []),
  ]);
  const [first] = failed;
  if (first !== undefined) {
    throw new Refusal(
      `${failed.length} cannot be put back, such as ${escapeControls(first.path)}: ${first.code}`,
    );
  }
  if (restored === 0 && occupied === 0 && config.mail.keep_deleted === 0) {
    printer.note("nothing was kept: mail.keep_deleted is not set, so that deleted messages are gone at once");
  }
}
