// Who may still come in: counts a login process's connections in all and by network, hears from master what the other
// login processes have, and says no beyond the limits. No connection waits for a word from another process: for some
// hundredths of a second several processes may have let in more than the limit together, and each then ends its part.
import { z } from "zod";
import { networkOf } from "../host/networks.ts";

/** Networks and their connections; ALL for those of everybody. 0: none any more. */
const counts = z.record(z.string().max(64), z.int().nonnegative().max(1_000_000));

export type Counts = z.infer<typeof counts>;

/** Login process to master: what has changed. */
export const sessionsHere = z.strictObject({ kind: z.literal("sessions-here"), counts });

/** Master to a login process: what all the others have, where that has changed. */
export const sessionsElsewhere = z.strictObject({ kind: z.literal("sessions-elsewhere"), counts });

const ALL = "";

export interface SessionLimitOptions {
  readonly maxSessions: number;
  readonly maxSessionsPerAddress: number;
  /** What this process has descriptors for. */
  readonly maxSessionsHere: number;
}

/** Names as the config has them; what `open_files` allows is the unit's LimitNOFILE. */
export type SessionLimit = "sessions" | "sessions_per_address" | "open_files";

export interface Excess {
  readonly limit: SessionLimit;
  /** As networkOf() gives it; undefined: from wherever. */
  readonly network: string | undefined;
  readonly count: number;
}

/** In a login process or worker. */
export class SessionLimits {
  readonly #here = new Map<string, number>();
  readonly #elsewhere = new Map<string, number>();
  readonly #changed = new Set<string>();
  readonly #tell: ((counts: Counts) => void) | undefined;
  #options: SessionLimitOptions;
  #timer: NodeJS.Timeout | undefined;

  /** @param tell tells master; undefined where nobody else counts */
  constructor(options: SessionLimitOptions, tell?: (counts: Counts) => void) {
    this.#options = options;
    this.#tell = tell;
  }

  configure(options: SessionLimitOptions): void {
    this.#options = options;
  }

  /** Counts a connection; or says which limit it would exceed, and counts nothing. */
  enter(): SessionLimit | undefined {
    if (this.#count(this.#here, ALL) >= this.#options.maxSessionsHere) return "open_files";
    if (this.#everywhere(ALL) >= this.#options.maxSessions) return "sessions";
    this.#add(ALL, 1);
    return undefined;
  }

  leave(): void {
    this.#add(ALL, -1);
  }

  /** The same for its address. One that is no address is not counted. */
  enterFrom(address: string): SessionLimit | undefined {
    const network = networkOf(address);
    if (network === undefined) return undefined;
    if (this.#everywhere(network) >= this.#options.maxSessionsPerAddress) return "sessions_per_address";
    this.#add(network, 1);
    return undefined;
  }

  leaveFrom(address: string): void {
    const network = networkOf(address);
    if (network !== undefined) this.#add(network, -1);
  }

  /** Master tells. @returns how many of ours are too many */
  heard(counts: Counts): Excess[] {
    for (const [key, count] of Object.entries(counts)) {
      if (count === 0) this.#elsewhere.delete(key);
      else this.#elsewhere.set(key, count);
    }
    return Object.keys(counts)
      .map((key) => this.#excess(key))
      .filter(({ count }) => count > 0);
  }

  /** Each process ends as large a part of what is too many as it has of all, rounded so that none is ended for nothing. */
  #excess(key: string): Excess {
    const { maxSessions, maxSessionsPerAddress } = this.#options;
    const [limit, max, network] =
      key === ALL
        ? (["sessions", maxSessions, undefined] as const)
        : (["sessions_per_address", maxSessionsPerAddress, key] as const);
    const all = this.#everywhere(key);
    const count = all <= max ? 0 : Math.floor(((all - max) * this.#count(this.#here, key)) / all);
    return { limit, network, count };
  }

  #everywhere(key: string): number {
    return this.#count(this.#here, key) + this.#count(this.#elsewhere, key);
  }

  #count(map: ReadonlyMap<string, number>, key: string): number {
    return map.get(key) ?? 0;
  }

  #add(key: string, change: number): void {
    const count = this.#count(this.#here, key) + change;
    if (count === 0) this.#here.delete(key);
    else this.#here.set(key, count);
    if (this.#tell === undefined) return;
    this.#changed.add(key);
    this.#timer ??= setTimeout(() => this.#tellChanges(), TELL_MS);
  }

  #tellChanges(): void {
    this.#timer = undefined;
    const told = [...this.#changed].slice(0, MAX_KEYS);
    for (const key of told) this.#changed.delete(key);
    this.#tell?.(Object.fromEntries(told.map((key) => [key, this.#count(this.#here, key)])));
    if (this.#changed.size > 0) this.#timer = setTimeout(() => this.#tellChanges(), TELL_MS);
  }
}

/** A login process, as the adding up sees it. */
export interface CountingProcess {
  hear(counts: Counts): void;
}

/** In master: adds up what the login processes tell, and tells each what the others have. */
export class SessionSums {
  readonly #told = new Map<CountingProcess, Map<string, number>>();

  /** It serves. */
  joined(process: CountingProcess): void {
    if (!this.#told.has(process)) this.#told.set(process, new Map());
    const keys = new Set([...this.#told.values()].flatMap((counts) => [...counts.keys()]));
    this.#hear(process, [...keys]);
  }

  told(process: CountingProcess, counts: Counts): void {
    const known = this.#told.get(process) ?? new Map<string, number>();
    this.#told.set(process, known);
    const changed: string[] = [];
    for (const [key, count] of Object.entries(counts)) {
      if (count === 0) known.delete(key);
      // More than a process can have connections: it was taken over, and harms nobody but by what it counts.
      else if (known.has(key) || known.size < MAX_NETWORKS) known.set(key, count);
      else continue;
      changed.push(key);
    }
    this.#hearAllBut(process, changed);
  }

  /** It has ended, and its connections with it. */
  left(process: CountingProcess): void {
    const known = this.#told.get(process);
    if (known === undefined) return;
    this.#told.delete(process);
    this.#hearAllBut(process, [...known.keys()]);
  }

  #hearAllBut(process: CountingProcess, keys: readonly string[]): void {
    for (const other of this.#told.keys()) if (other !== process) this.#hear(other, keys);
  }

  #hear(process: CountingProcess, keys: readonly string[]): void {
    for (let at = 0; at < keys.length; at += MAX_KEYS) {
      const entries = keys
        .slice(at, at + MAX_KEYS)
        .map((key) => [key, this.#sumWithout(process, key)] as const);
      process.hear(Object.fromEntries(entries));
    }
  }

  #sumWithout(process: CountingProcess, key: string): number {
    let sum = 0;
    for (const [other, counts] of this.#told) if (other !== process) sum += counts.get(key) ?? 0;
    return Math.min(sum, 1_000_000);
  }
}

/** How late other processes may be with a connection, beside the message's own way, ms. */
const TELL_MS = 20;

/** Of one message. */
const MAX_KEYS = 1_000;

const MAX_NETWORKS = 100_000;
