// What is open in a process, and who waits until nothing is: a set that tells when it is empty. Used wherever a process
// makes room for another one.

export class OpenSet<T> extends Set<T> {
  #waiting: (() => void)[] = [];

  override delete(value: T): boolean {
    const wasThere = super.delete(value);
    if (this.size === 0) for (const resolve of this.#waiting.splice(0)) resolve();
    return wasThere;
  }

  /** At once if it is. */
  async whenEmpty(): Promise<void> {
    if (this.size > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}

/** Resolves when all of them are empty at the same time, and what followed from the last one's end has been done. */
export async function whenAllEmpty(...sets: readonly OpenSet<unknown>[]): Promise<void> {
  do {
    for (const set of sets) await set.whenEmpty();
    await new Promise(setImmediate);
  } while (sets.some(({ size }) => size > 0));
}
