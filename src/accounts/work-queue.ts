// Keeps the tasks under way within a capacity, the others wait in the order they came. verifier.ts bounds password hashing with two:
// one counts verifications, one their memory, since every argon2 verification holds its whole memory cost while it runs.

/** First in, first out: a heavy task at the front is not passed by light ones behind it, so it gets its turn. */
export class WorkQueue {
  readonly #capacity: number;
  readonly #waiting: { readonly weight: number; readonly start: () => void }[] = [];
  #running = 0;

  constructor(capacity: number) {
    if (!Number.isInteger(capacity) || capacity < 1) throw new RangeError("the capacity must be at least 1");
    this.#capacity = capacity;
  }

  /**
   * Resolves or rejects as the task does; a failed task frees its part as well.
   *
   * @param weight what the task takes of the capacity; more than all of it counts as all of it, and then the task runs alone
   */
  async run<T>(task: () => Promise<T>, weight = 1): Promise<T> {
    const taken = Math.min(weight, this.#capacity);
    if (this.#waiting.length > 0 || this.#running + taken > this.#capacity)
      await new Promise<void>((start) => this.#waiting.push({ weight: taken, start }));
    else this.#running += taken;
    try {
      return await task();
    } finally {
      this.#running -= taken;
      this.#startWaiting();
    }
  }

  /** What a starting task takes is counted here, before it runs, so that a newcomer cannot slip past those who wait. */
  #startWaiting(): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (this.#running + next.weight > this.#capacity) return;
      this.#waiting.shift();
      this.#running += next.weight;
      next.start();
    }
  }
}
