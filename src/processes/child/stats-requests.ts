// What every process has counted, asked for through master: the one thing that the metrics process may ask. Runs in it.
import { type Stats, statsOf } from "../../control/figures/stats.ts";
import { readAnswer } from "../../control/link/protocol.ts";
import type { ToChild, ToMaster } from "./messages.ts";

export interface GatheredStats {
  readonly stats: Stats;
  /** How many processes owe an answer. */
  readonly silent: number;
}

export type StatsMessage = Extract<ToChild, { kind: "stats" | "stats-end" }>;

export class StatsRequests {
  readonly #send: (message: ToMaster) => void;
  #answers: Parameters<typeof statsOf>[0][number][] = [];
  #asked: Promise<GatheredStats> | undefined;
  #settle: ((gathered: GatheredStats) => void) | undefined;

  constructor(send: (message: ToMaster) => void) {
    this.#send = send;
  }

  /** Those who ask at the same time get the same. */
  ask(): Promise<GatheredStats> {
    this.#asked ??= new Promise((resolve) => {
      this.#settle = resolve;
      this.#answers = [];
      this.#send({ kind: "ask-stats" });
    });
    return this.#asked;
  }

  /** @throws Error when another process's answer is not of the form: its counters and ours are of one version */
  came(message: StatsMessage): void {
    if (message.kind === "stats") {
      const answer = readAnswer("stats", message.answer);
      if (answer.kind === "malformed") throw new Error(`stats of ${message.from}: ${answer.reason}`);
      this.#answers.push({ from: message.from, answer: answer.value });
      return;
    }
    this.#settle?.({ stats: statsOf(this.#answers), silent: message.silent });
    this.#asked = undefined;
  }
}
