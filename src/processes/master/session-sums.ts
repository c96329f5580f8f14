// What all processes together have of connections: adds up what they tell, tells each what the others have, and divides what
// may be where it is too many.
import { ALL, type Counts, MAX_KEYS } from "../session-counts.ts";

/** A process that counts, as the adding up sees it. */
export interface CountingProcess {
  /** Whether it can turn connections away; others only tell. */
  readonly turnsAway: boolean;
  /** What all the others have. */
  hear(counts: Counts): void;
  /** There are too many: it is to turn away what it has beyond this. */
  keepTo(parts: Counts): void;
}

export interface SumLimits {
  readonly maxSessions: number;
  readonly maxSessionsPerAddress: number;
}

interface Told {
  readonly counts: Map<string, number>;
  /** What it was told to keep to and has not told of since: taken for done, or the others would give up for it, too. */
  readonly parts: Map<string, number>;
  /** What it kept beyond that, having nobody whom it could turn away: the others have to give up for it. */
  readonly kept: Map<string, number>;
}

export class SessionSums {
  readonly #processes = new Map<CountingProcess, Told>();
  readonly #limits: () => SumLimits;

  /** @param limits as of now: a reload may change them */
  constructor(limits: () => SumLimits) {
    this.#limits = limits;
  }

  /** It serves. */
  joined(process: CountingProcess): void {
    this.#of(process);
    const keys = new Set([...this.#processes.values()].flatMap(({ counts }) => [...counts.keys()]));
    this.#tell(process, [...keys]);
  }

  told(process: CountingProcess, counts: Counts): void {
    const known = this.#of(process);
    const changed: string[] = [];
    for (const [key, count] of Object.entries(counts)) {
      if (count === 0) known.counts.delete(key);
      // More than a process can have connections: it was taken over, and harms nobody but by what it counts.
      else if (known.counts.has(key) || known.counts.size < MAX_NETWORKS) known.counts.set(key, count);
      else continue;
      known.parts.delete(key);
      known.kept.delete(key);
      changed.push(key);
    }
    this.#tellAllBut(process, changed);
    this.#divide(changed);
  }

  /** It was told to keep to less, and cannot. */
  kept(process: CountingProcess, counts: Counts): void {
    const known = this.#of(process);
    const keys = Object.keys(counts).filter((key) => known.counts.has(key));
    for (const key of keys) known.kept.set(key, counts[key]!);
    this.#divide(keys);
  }

  /** It has ended, and its connections with it. */
  left(process: CountingProcess): void {
    const known = this.#processes.get(process);
    if (known === undefined) return;
    this.#processes.delete(process);
    this.#tellAllBut(process, [...known.counts.keys()]);
  }

  #of(process: CountingProcess): Told {
    const known = this.#processes.get(process) ?? { counts: new Map(), parts: new Map(), kept: new Map() };
    this.#processes.set(process, known);
    return known;
  }

  #tellAllBut(process: CountingProcess, keys: readonly string[]): void {
    for (const other of this.#processes.keys()) if (other !== process) this.#tell(other, keys);
  }

  #tell(process: CountingProcess, keys: readonly string[]): void {
    for (let at = 0; at < keys.length; at += MAX_KEYS) {
      const entries = keys
        .slice(at, at + MAX_KEYS)
        .map((key) => [key, this.#sumWithout(process, key)] as const);
      process.hear(Object.fromEntries(entries));
    }
  }

  #sumWithout(process: CountingProcess, key: string): number {
    let sum = 0;
    for (const [other, { counts }] of this.#processes) if (other !== process) sum += counts.get(key) ?? 0;
    return Math.min(sum, MAX_COUNT);
  }

  /** @param keys as many as one message may have */
  #divide(keys: readonly string[]): void {
    const { maxSessions, maxSessionsPerAddress } = this.#limits();
    const orders = new Map<CountingProcess, Counts>();
    for (const key of keys) {
      const max = key === ALL ? maxSessions : maxSessionsPerAddress;
      const giving: { readonly process: CountingProcess; readonly stays: number; readonly count: number }[] =
        [];
      let kept = 0;
      for (const [process, known] of this.#processes) {
        const told = known.counts.get(key) ?? 0;
        const stays = process.turnsAway ? Math.min(told, known.kept.get(key) ?? 0) : told;
        kept += stays;
        const count = Math.min(told, known.parts.get(key) ?? told) - stays;
        if (count > 0) giving.push({ process, stays, count });
      }
      const parts = partsOf(
        Math.max(0, max - kept),
        giving.map(({ count }) => count),
      );
      giving.forEach(({ process, stays, count }, index) => {
        if (parts[index] === count) return;
        const part = stays + parts[index]!;
        this.#processes.get(process)!.parts.set(key, part);
        const order = orders.get(process) ?? {};
        order[key] = part;
        orders.set(process, order);
      });
    }
    for (const [process, order] of orders) process.keepTo(order);
  }
}

/** @returns as many whole parts in proportion to the counts, `total` together; the counts themselves, if they are no more than that */
export function partsOf(total: number, counts: readonly number[]): readonly number[] {
  const sum = counts.reduce((before, count) => before + count, 0);
  if (sum <= total) return counts;
  let counted = 0;
  let given = 0;
  return counts.map((count) => {
    counted += count;
    const upToHere = Math.floor((total * counted) / sum);
    const part = upToHere - given;
    given = upToHere;
    return part;
  });
}

const MAX_NETWORKS = 100_000;

/** What a message may tell. */
const MAX_COUNT = 1_000_000;
