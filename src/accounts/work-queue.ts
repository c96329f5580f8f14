// Runs at most so many tasks at once, the others wait in the order they came. verifier.ts keeps password hashing within
// bounds of memory with it: every argon2 verification under way holds its whole memory cost.

/** First in, first out; waiting costs one closure a task. */
export class WorkQueue {
  readonly #maxParallel: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(maxParallel: number) {
    if (!Number.isInteger(maxParallel) || maxParallel < 1)
      throw new RangeError("maxParallel must be at least 1");
    this.#maxParallel = maxParallel;
  }

  /** Resolves or rejects as the task does; a failed task frees its place as well. */
  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#maxParallel) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#running += 1;
    try {
      return await task();
    } finally {
      // The place is handed on without being freed in between, so that a newcomer cannot slip past those who wait.
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }
}
