// Says that clients are turned away for one reason or another: a line when that begins, then one a minute with how many
// there were, however many come; and counts each. Used by login and mailbox processes.
import { count } from "../../control/counters/counters.ts";
import type { LogFields } from "../../log/fields.ts";
import type { Log } from "../../log/log.ts";

type ClientFields = Pick<LogFields, "session" | "account" | "address" | "listener">;

/** What clients are turned away for, and what the log says of it. */
export interface TurningAway {
  readonly counter: "limits_reached" | "proxies_refused";
  /** The log's field that has the cause. */
  fieldOf(cause: string): Partial<Pick<LogFields, "limit" | "reason">>;
  readonly begins: string;
  readonly goesOn: string;
}

/** By the limit's name in the config. */
export const atLimits: TurningAway = {
  counter: "limits_reached",
  fieldOf: (limit) => ({ limit }),
  begins: "limit reached, refusing",
  goesOn: "limit still reached, refused since the last line",
};

export class BurstLog {
  readonly #log: Log;
  readonly #turningAway: TurningAway;
  /** By what they are for: those that no line has told of yet. */
  readonly #bursts = new Map<string, number>();

  constructor(log: Log, turningAway: TurningAway) {
    this.#log = log;
    this.#turningAway = turningAway;
  }

  /** @param cause one of few, never a client's words. @param first about the client that begins a burst */
  refused(cause: string, first: Partial<ClientFields>): void {
    const { counter, begins } = this.#turningAway;
    count(counter, [cause]);
    const more = this.#bursts.get(cause);
    if (more !== undefined) {
      this.#bursts.set(cause, more + 1);
      return;
    }
    this.#log.warn({ ...this.#turningAway.fieldOf(cause), ...first }, begins);
    this.#bursts.set(cause, 0);
    setTimeout(() => this.#goOn(cause), BURST_MS).unref();
  }

  #goOn(cause: string): void {
    const refused = this.#bursts.get(cause) ?? 0;
    if (refused === 0) {
      this.#bursts.delete(cause);
      return;
    }
    this.#log.warn({ ...this.#turningAway.fieldOf(cause), refused }, this.#turningAway.goesOn);
    this.#bursts.set(cause, 0);
    setTimeout(() => this.#goOn(cause), BURST_MS).unref();
  }
}

const BURST_MS = 60_000;
