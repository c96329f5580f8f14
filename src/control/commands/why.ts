// `pop3-ctl why`: the support call answered. What happened to an account lately, who has its maildrop, and what a login
// would meet now.
import { hashFault } from "../../accounts/passwords/hash-fault.ts";
import { readPasswordField } from "../../accounts/passwords/password-field.ts";
import type { Config } from "../../config/schema.ts";
import { loginRefusals } from "../../log/reasons.ts";
import { escapeControls } from "../../log/safe-text.ts";
import type { AnswerOf } from "../link/questions.ts";
import type { ServerLink } from "../link/server-link.ts";
import { locateMail, readAccounts, storageOf } from "../mailbox/mail-owner.ts";
import { askMailbox } from "../mailbox/mailbox-client.ts";
import type { MailboxAnswer } from "../mailbox/mailbox-protocol.ts";
import type { Printer } from "../terminal/printer.ts";
import { Refusal } from "../terminal/refusal.ts";
import { duration, localTime } from "../terminal/units.ts";

type Happened = AnswerOf<"history">;
type Session = AnswerOf<"sessions">;
type Status = Extract<MailboxAnswer, { kind: "status" }>;

/** What a login with the right password would meet. */
interface Outlook {
  readonly wouldSucceed: boolean;
  readonly because: string;
}

export async function why(config: Config, server: ServerLink, printer: Printer, user: string): Promise<void> {
  const [history, sessions, throttle] = await Promise.all([
    server.ask({ kind: "history", account: user }),
    server.ask({ kind: "sessions" }),
    server.ask({ kind: "throttle" }),
  ]);
  const counted = throttle.map(({ answer }) => answer).filter(({ account }) => account === user);
  const happened = history.map(({ answer }) => answer).sort((a, b) => a.atMs - b.atMs);
  const present = sessions.map(({ answer }) => answer).filter(({ account }) => account === user);
  const outlook = await lookAhead(config, user, present);
  printer.result({ account: user, happened, sessions: present, throttle: counted, outlook }, [
    ...(happened.length === 0
      ? ["nothing happened since the server started"]
      : happened.map((event) => happenedLine(event, printer))),
    ...present.map(sessionLine),
    ...counted.map(throttleLine),
    "",
    `${outlook.wouldSucceed ? printer.paint("green", "now: ") : printer.paint("red", "now: ")}${outlook.because}`,
  ]);
}

/** A line of the account's story. */
export function happenedLine(event: Happened, { paint }: Pick<Printer, "paint">): string {
  const begin = `${localTime(event.atMs)}  ${event.address.padEnd(15)}  `;
  switch (event.kind) {
    case "login": {
      const by = `(${escapeControls(event.service)}, ${event.mechanism})`;
      return event.refusal === undefined
        ? `${begin}login accepted ${by}`
        : `${begin}${paint("red", "login refused")} ${by}: ${refusalText(event.refusal)}`;
    }
    case "not-opened":
      return `${begin}${paint("red", "maildrop not opened")}: ${escapeControls(event.reason)}`;
    case "session": {
      const { messages, retrieved, deleted, durationMs, reason, secured, device } = event;
      const by = device === undefined ? "" : ` by "${escapeControls(device)}"`;
      return (
        `${begin}session${by} of ${duration(durationMs)} ended by ${reason}${secured ? ", TLS" : ""}: ` +
        `${retrieved} of ${messages} retrieved, ${deleted} deleted, ${messages - deleted} left`
      );
    }
    default:
      return event satisfies never;
  }
}

/** Names come from another process: only those of the list are taken from it. */
const REFUSALS: ReadonlyMap<string, string> = new Map(Object.entries(loginRefusals));

function refusalText(reason: string): string {
  return REFUSALS.get(reason) ?? escapeControls(reason);
}

function sessionLine({ address, startedAtMs, idleMs, messages, session }: Session): string {
  return (
    `${localTime(startedAtMs)}  ${address.padEnd(15)}  connected since then, idle for ${duration(idleMs)}, ` +
    `${messages} retrieved so far (session ${session.slice(0, 8)})`
  );
}

function throttleLine({ network, failures, nextInMs }: AnswerOf<"throttle">): string {
  const next = nextInMs === 0 ? "at once" : `after ${duration(nextInMs)}`;
  return `throttle: failures from ${network ?? "anywhere"}: ${failures}; the next attempt counts ${next}`;
}

function maildropText({ messages, octets, uncounted }: Status): string {
  return uncounted > 0 ? `${messages} messages` : `${messages} messages (${octets} octets)`;
}

async function lookAhead(config: Config, user: string, present: readonly Session[]): Promise<Outlook> {
  const refused = (because: string): Outlook => ({ wouldSucceed: false, because });
  const account = (await readAccounts(config)).get(user);
  if (account === undefined) {
    return refused(
      `refused whatever the password: no account "${escapeControls(user)}" in ${config.auth.passwd_file}`,
    );
  }
  const field = readPasswordField(account.password);
  switch (field.kind) {
    case "locked":
      return refused("refused whatever the password: the account is locked (pop3-passwd unlock)");
    case "none":
      return refused("refused whatever the password: the account has no password (pop3-passwd set)");
    case "unusable":
      return refused(
        `refused with [SYS/PERM]: line ${account.lineNumber} of the passwd file: ${field.reason}`,
      );
    case "scheme": {
      const fault = hashFault(field, config.auth.verification_memory);
      if (fault !== undefined)
        return refused(`refused with [SYS/PERM]: line ${account.lineNumber} of the passwd file: ${fault}`);
      break;
    }
    default:
      return field satisfies never;
  }
  if (account.extra.has("nologin")) return refused("refused whatever the password: nologin is set");
  const mail = locateMail(config, account);
  if (typeof mail === "string") return refused(`refused with [SYS/PERM]: ${mail}`);
  const from = account.extra.get("allow_nets");
  const where = typeof from === "string" ? `, from ${escapeControls(from)} only` : "";
  let status: Status | undefined;
  try {
    await askMailbox(mail, { kind: "status", ...storageOf(config) }, (answer) => {
      if (answer.kind === "status") status = answer;
    });
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return error.message.includes("no Maildir yet")
      ? {
          wouldSucceed: true,
          because: `the right password finds an empty maildrop${where}: ${escapeControls(error.message)}`,
        }
      : refused(`the right password is not enough: ${escapeControls(error.message)}`);
  }
  const held = present.find(({ state }) => state !== "AUTHORIZATION");
  if (status?.isLocked) {
    const { lock_wait, takeover_idle } = config.limits;
    return refused(
      held === undefined
        ? `the right password gets [IN-USE] after ${duration(lock_wait)}: another program holds ${escapeControls(mail.maildir)}/dewey-pop3.lock`
        : `the right password waits ${duration(lock_wait)}, then takes over if that session is idle for ${duration(takeover_idle)}, else gets [IN-USE]`,
    );
  }
  return {
    wouldSucceed: true,
    because: `the right password finds ${status === undefined ? "the maildrop" : maildropText(status)}${where}`,
  };
}
