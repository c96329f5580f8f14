// What happened to each account lately, for `pop3-ctl why`: logins and refusals in auth, sessions in mailbox processes.
// Kept in memory, bounded, gone with the process.
import type { AnswerOf, Handlers } from "../../control/link/questions.ts";

export type Happened = AnswerOf<"history">;

/** @param maxAccounts those longest without an event are forgotten first */
export class History {
  readonly #events = new Map<string, Happened[]>();
  readonly #maxAccounts: number;

  constructor(maxAccounts = 5_000) {
    this.#maxAccounts = maxAccounts;
  }

  readonly answers: Handlers = {
    history: ({ account }, reply) => {
      for (const event of this.#events.get(account) ?? []) reply(event);
    },
  };

  add(account: string, event: Happened): void {
    const events = this.#events.get(account) ?? [];
    events.push(event);
    if (events.length > EVENTS_PER_ACCOUNT) events.shift();
    this.#events.delete(account);
    this.#events.set(account, events);
    if (this.#events.size <= this.#maxAccounts) return;
    for (const oldest of this.#events.keys()) {
      this.#events.delete(oldest);
      break;
    }
  }
}

const EVENTS_PER_ACCOUNT = 10;
