// How long work that does not leave the thread may keep the process: then everybody else has a turn. Used by the Maildir
// engine in the mailbox process.
import { setImmediate as nextTurn } from "node:timers/promises";

const TURN_MS = 10;

export class Turns {
  #endsMs = performance.now() + TURN_MS;
  #next: Promise<void> | undefined;

  get isOver(): boolean {
    return performance.now() >= this.#endsMs;
  }

  /** Nothing is to be done at once until the next one. */
  get isAwaited(): boolean {
    return this.#next !== undefined;
  }

  /** One for all that wait for it. */
  next(): Promise<void> {
    this.#next ??= nextTurn().then(() => {
      this.#endsMs = performance.now() + TURN_MS;
      this.#next = undefined;
    });
    return this.#next;
  }
}
