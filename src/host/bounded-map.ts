// A map that forgets what was used the longest ago rather than grow without bounds. For what strangers can make a process
// remember.

export class BoundedMap<K, V> {
  readonly #maxEntries: number;
  readonly #mayForget: (value: V) => boolean;
  /** In order of use, the least recently used first. */
  readonly #entries = new Map<K, V>();

  /** @param maxEntries and up to a sixteenth more. @param mayForget entries for which this is false stay, beyond the bound if need be */
  constructor(maxEntries: number, mayForget: (value: V) => boolean = () => true) {
    this.#maxEntries = maxEntries;
    this.#mayForget = mayForget;
  }

  has(key: K): boolean {
    return this.get(key) !== undefined;
  }

  /** A use. */
  get(key: K): V | undefined {
    const value = this.#entries.get(key);
    if (value === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, value);
    return value;
  }

  set(key: K, value: V): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    // Many at a time: V8 passes over all that was deleted from a map's front before it finds the first entry.
    if (this.#entries.size <= this.#maxEntries + (this.#maxEntries >> 4)) return;
    for (const [oldest, its] of this.#entries) {
      if (this.#entries.size <= this.#maxEntries) return;
      if (this.#mayForget(its) && oldest !== key) this.#entries.delete(oldest);
    }
  }

  /** Those used the longest ago first, as `values`. */
  keys(): IterableIterator<K> {
    return this.#entries.keys();
  }

  values(): IterableIterator<V> {
    return this.#entries.values();
  }

  delete(key: K): void {
    this.#entries.delete(key);
  }

  clear(): void {
    this.#entries.clear();
  }
}
