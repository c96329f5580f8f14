// The lines of chosen sessions, for `pop3-ctl trace`: what the client says and what it is told, without its secrets.
// Costs nothing while nobody traces. In login and mailbox processes; a session's two halves are traced where they are.
import type { AnswerOf, Handlers, QuestionOf } from "../../control/link/questions.ts";
import { knownKeyword } from "../../pop3/command.ts";
import type { Line } from "../../pop3/line-reader.ts";

export type Speaker = TraceLine["speaker"];

type TraceLine = AnswerOf<"trace">;

interface Watcher {
  readonly wanted: QuestionOf<"trace">;
  reply(line: TraceLine): void;
}

export interface TracedSession {
  readonly session: string;
  readonly address: string;
  /** Undefined before login. */
  readonly account?: string;
}

class Tracing {
  readonly #watchers = new Set<Watcher>();

  readonly answers: Handlers = {
    trace: (wanted, reply, signal) =>
      new Promise((resolve) => {
        const watcher = { wanted, reply };
        this.#watchers.add(watcher);
        signal.addEventListener("abort", () => {
          this.#watchers.delete(watcher);
          resolve();
        });
      }),
  };

  /** At a session's begin: undefined when nobody wants to see it. */
  begin(session: TracedSession): SessionTrace | undefined {
    const watchers = [...this.#watchers].filter(
      ({ wanted }) =>
        wanted.target === session.address ||
        wanted.target === session.account ||
        session.account === undefined,
    );
    return watchers.length === 0 ? undefined : new SessionTrace(session, watchers);
  }
}

/** One for each process. */
export const tracing = new Tracing();

/** Lines of one session. Until it is known whose session it is, they are kept for those who wait for an account. */
export class SessionTrace {
  readonly #session: TracedSession;
  readonly #watchers: readonly Watcher[];
  readonly #admitted = new Set<Watcher>();
  #held: TraceLine[] = [];
  #account: string | null;
  #count = 0;

  constructor(session: TracedSession, watchers: readonly Watcher[]) {
    this.#session = session;
    this.#watchers = watchers;
    this.#account = session.account ?? null;
    for (const watcher of watchers) {
      if ([session.address, session.account].includes(watcher.wanted.target)) this.#admitted.add(watcher);
    }
  }

  /** @param text one line or reply, a byte string; secrets are masked already */
  line(speaker: Speaker, text: string): void {
    this.#count++;
    if (this.#count < MAX_LINES) this.#tell(speaker, shortened(text), false);
    else if (this.#count === MAX_LINES) this.#tell("-", "nothing more of this session is shown", false);
  }

  end(reason: string): void {
    this.#tell("-", `ended: ${reason}`, true);
  }

  #tell(speaker: Speaker, said: string, isEnd: boolean): void {
    const { session, address } = this.#session;
    const line = { session, address, account: this.#account, atMs: Date.now(), speaker, text: said, isEnd };
    if (this.#admitted.size < this.#watchers.length && this.#held.length < MAX_HELD) this.#held.push(line);
    for (const watcher of this.#admitted) watcher.reply(line);
  }

  /** The client claims to be this account, or has proven it. */
  isOf(account: string): void {
    this.#account = account;
    for (const watcher of this.#watchers) {
      if (watcher.wanted.target !== account || this.#admitted.has(watcher)) continue;
      this.#admitted.add(watcher);
      for (const line of this.#held) watcher.reply({ ...line, account });
    }
  }
}

/** Bounds of what one session costs. */
const MAX_LINES = 2_000;
const MAX_HELD = 100;
const MAX_REPLY_LINES = 12;
const MAX_REPLY_CHARACTERS = 2_000;

function shortened(text: string): string {
  const lines = text.slice(0, MAX_REPLY_CHARACTERS).replace(/\r\n$/, "").split("\r\n");
  if (lines.length <= MAX_REPLY_LINES && text.length <= MAX_REPLY_CHARACTERS) return lines.join("\n");
  return [...lines.slice(0, MAX_REPLY_LINES), `(${text.length} octets in all)`].join("\n");
}

export const MASK = "********";

/** What a client says. A line that answers a challenge, or that nobody understands, may be a secret. */
export function maskedLine(line: Line, isResponse: boolean): string {
  if (line.kind === "too-long") return "(a line that is too long)";
  const { text } = line;
  if (isResponse) return text === "*" ? text : MASK;
  const [word = "", ...rest] = text.split(" ");
  switch (knownKeyword(text)) {
    case undefined:
      return `(${text.length} octets that are no command)`;
    case "PASS":
    case "APOP":
      return rest.length === 0 ? text : `${word} ${MASK}`;
    case "AUTH":
      return rest.length < 2 ? text : `${word} ${rest[0]} ${MASK}`;
    default:
      return text;
  }
}

/** What it is told: a challenge may be part of a secret. */
export function maskedReply(text: string): string {
  return text.startsWith("+ ") ? `+ ${MASK}` : text;
}
