// Says that a limit turns clients away: one line when it begins, then one a minute with how many there were, however
// many come; and counts each. Used by login and mailbox processes.
import { count } from "../../control/counters.ts";
import type { LogFields } from "../../log/fields.ts";
import type { Log } from "../../log/log.ts";

type ClientFields = Pick<LogFields, "session" | "account" | "address">;

export class LimitLog {
  readonly #log: Log;
  /** By limit: refusals that no line has told of yet. */
  readonly #bursts = new Map<string, number>();

  constructor(log: Log) {
    this.#log = log;
  }

  /** @param limit as the config names it. @param first about the client that begins a burst */
  refused(limit: string, first: Partial<ClientFields>): void {
    count("limits_reached", [limit]);
    const more = this.#bursts.get(limit);
    if (more !== undefined) {
      this.#bursts.set(limit, more + 1);
      return;
    }
    this.#log.warn({ limit, ...first }, "limit reached, refusing");
    this.#bursts.set(limit, 0);
    setTimeout(() => this.#goOn(limit), BURST_MS).unref();
  }

  #goOn(limit: string): void {
    const refused = this.#bursts.get(limit) ?? 0;
    if (refused === 0) {
      this.#bursts.delete(limit);
      return;
    }
    this.#log.warn({ limit, refused }, "limit still reached, refused since the last line");
    this.#bursts.set(limit, 0);
    setTimeout(() => this.#goOn(limit), BURST_MS).unref();
  }
}

const BURST_MS = 60_000;
