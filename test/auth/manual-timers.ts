// Timers that run when the test says so.
import type { StartTimer } from "../../src/auth/timer.ts";

export class ManualTimers {
  readonly #pending = new Map<symbol, { readonly dueMs: number; readonly callback: () => void }>();
  #nowMs = 0;

  readonly start: StartTimer = (callback, delayMs) => {
    const key = Symbol();
    this.#pending.set(key, { dueMs: this.#nowMs + delayMs, callback });
    return () => this.#pending.delete(key);
  };

  /** How long until each pending timer, shortest first. */
  get delaysMs(): readonly number[] {
    return [...this.#pending.values()].map(({ dueMs }) => dueMs - this.#nowMs).sort((a, b) => a - b);
  }

  advance(ms: number): void {
    this.#nowMs += ms;
    for (const [key, { dueMs, callback }] of [...this.#pending]) {
      if (dueMs <= this.#nowMs && this.#pending.delete(key)) callback();
    }
  }
}
