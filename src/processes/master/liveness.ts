// Asks every child for a sign of life, again and again: one that gives none is ended, and started anew by its supervision;
// the service manager hears that all is well only while they all answer. Runs in master.
import type { ServiceManager } from "../../host/systemd.ts";

export interface Probed {
  /** Asks again. @returns whether the last question was answered; one that has left `patience` unanswered is ended. */
  probe(patience: number): boolean;
}

export interface LivenessOptions {
  /** Without these the server does not serve. */
  readonly children: readonly Probed[];
  /** Others as there are at the moment; one that hangs is its own users' trouble. */
  readonly others: () => readonly Probed[];
  /** As of now: how long a child may take to answer. */
  hangMs(): number;
  /** How long the service manager waits for a sign of life from us. */
  readonly watchdogMs: number | undefined;
  readonly manager: ServiceManager;
  status(): string;
}

export class Liveness {
  readonly #options: LivenessOptions;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: LivenessOptions) {
    this.#options = options;
  }

  start(): void {
    const { hangMs, watchdogMs } = this.#options;
    const everyMs = Math.min(hangMs() / ROUNDS, (watchdogMs ?? Number.POSITIVE_INFINITY) / 4);
    this.#timer = setTimeout(() => {
      this.#round(Math.ceil(hangMs() / everyMs));
      this.start();
    }, everyMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  // In rounds, not by the clock: when master itself was held up, answers wait for it and are read before the next round.
  #round(patience: number): void {
    const { children, others, manager, status } = this.#options;
    const answers = children.map((child) => child.probe(patience));
    for (const other of others()) other.probe(patience);
    if (answers.every((isAlive) => isAlive)) manager.alive(status());
  }
}

const ROUNDS = 6;
