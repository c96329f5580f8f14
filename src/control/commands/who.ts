// `pop3-ctl who`: everybody who is connected. `pop3-ctl kick`: ends sessions.
import type { AnswerOf } from "../link/questions.ts";
import type { ServerLink } from "../link/server-link.ts";
import type { Printer } from "../terminal/printer.ts";
import { Refusal } from "../terminal/refusal.ts";
import { table } from "../terminal/table.ts";
import { amount, duration } from "../terminal/units.ts";

type Session = AnswerOf<"sessions">;

export async function who(server: ServerLink, printer: Printer): Promise<void> {
  const sessions = await allSessions(server);
  printer.result(
    sessions,
    sessions.length === 0 ? ["nobody is connected"] : sessionTable(sessions, printer.columns),
  );
}

/** @param target an account, or a session's id or the begin of one */
export async function kick(server: ServerLink, printer: Printer, target: string): Promise<void> {
  const found = sessionsOf(await allSessions(server), target);
  if (found.kind === "ambiguous")
    throw new Refusal(`several sessions begin with "${target}": give more of the id`);
  if (found.sessions.length === 0) throw new Refusal(`no session of account or id "${target}"`);
  const ids = found.sessions.map(({ session }) => session);
  const ended = (await server.ask({ kind: "kick", sessions: ids })).map(({ answer }) => answer.session);
  if (ended.length === 0) throw new Refusal(`the session of "${target}" has ended by itself`);
  printer.result(
    { ended },
    found.sessions
      .filter(({ session }) => ended.includes(session))
      .map(({ session, account, address }) => `ended ${session} (${account ?? "before login"}, ${address})`),
  );
}

export type SessionsFound =
  | { readonly kind: "found"; readonly sessions: readonly Session[] }
  | { readonly kind: "ambiguous" };

/** An account's name wins over an id that begins like it. */
export function sessionsOf(sessions: readonly Session[], target: string): SessionsFound {
  const ofAccount = sessions.filter(({ account }) => account === target);
  if (ofAccount.length > 0) return { kind: "found", sessions: ofAccount };
  const byId = target === "" ? [] : sessions.filter(({ session }) => session.startsWith(target));
  return byId.length > 1 ? { kind: "ambiguous" } : { kind: "found", sessions: byId };
}

async function allSessions(server: ServerLink): Promise<Session[]> {
  const answers = await server.ask({ kind: "sessions" });
  return answers.map(({ answer }) => answer).sort((a, b) => a.startedAtMs - b.startedAtMs);
}

const SHOWN_ID_CHARACTERS = 8;

export function sessionTable(sessions: readonly Session[], columns: number): string[] {
  const rows = sessions.map((session) => [
    session.account ?? "-",
    session.address,
    session.secured ? "yes" : "no",
    // RFC 1939's names are long, and before login the account says it all.
    session.state === "AUTHORIZATION" ? "login" : session.state.toLowerCase(),
    duration(session.idleMs),
    amount(session.messages),
    amount(session.octets),
    session.session.slice(0, SHOWN_ID_CHARACTERS),
  ]);
  return table(
    [
      { title: "ACCOUNT", least: 8 },
      { title: "ADDRESS", least: 12 },
      { title: "TLS" },
      { title: "STATE" },
      { title: "IDLE", align: "right" },
      { title: "MSGS", align: "right" },
      { title: "OCTETS", align: "right" },
      { title: "SESSION" },
    ],
    rows,
    columns,
  );
}
