// Who may still come in: counts a login process's connections in all and by network, those that it has passed on included,
// hears from master what the other processes have, and says no beyond the limits. No connection waits for a word from
// another process: for some hundredths of a second several processes may have let in more than the limit together, and each
// then ends its part.
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

/** Connections that a process has, which it tells master. In a mailbox process: those that no login process counts any more. */
export class SessionsHere {
  readonly #counts = new Map<string, number>();
  readonly #changed = new Set<string>();
  readonly #tell: ((counts: Counts) => void) | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param tell tells master; undefined where nobody else counts */
  constructor(tell: ((counts: Counts) => void) | undefined) {
    this.#tell = tell;
  }

  /** Counts one whole connection. @returns counts it no more */
  enter(address: string): () => void {
    const keys = [ALL, networkOf(address)].filter((key) => key !== undefined);
    for (const key of keys) this.add(key, 1);
    return () => {
      for (const key of keys) this.add(key, -1);
    };
  }

  of(key: string): number {
    return this.#counts.get(key) ?? 0;
  }

  add(key: string, change: number): void {
    const count = this.of(key) + change;
    if (count === 0) this.#counts.delete(key);
    else this.#counts.set(key, count);
    if (this.#tell === undefined) return;
    this.#changed.add(key);
    this.#timer ??= setTimeout(() => this.#tellChanges(), TELL_MS);
  }

  #tellChanges(): void {
    this.#timer = undefined;
    const told = [...this.#changed].slice(0, MAX_KEYS);
    for (const key of told) this.#changed.delete(key);
    this.#tell?.(Object.fromEntries(told.map((key) => [key, this.of(key)])));
    if (this.#changed.size > 0) this.#timer = setTimeout(() => this.#tellChanges(), TELL_MS);
  }
}

/** In a login process or worker. */
export class SessionLimits {
  readonly #here: SessionsHere;
  readonly #elsewhere = new Map<string, number>();
  /** Of those that are counted here, how many have no descriptor here. */
  #passedOn = 0;
  #options: SessionLimitOptions;

  /** @param tell tells master; undefined where nobody else counts */
  constructor(options: SessionLimitOptions, tell?: (counts: Counts) => void) {
    this.#options = options;
    this.#here = new SessionsHere(tell);
  }

  configure(options: SessionLimitOptions): void {
    this.#options = options;
  }

  /** Counts a connection; or says which limit it would exceed, and counts nothing. */
  enter(): SessionLimit | undefined {
    if (this.#here.of(ALL) - this.#passedOn >= this.#options.maxSessionsHere) return "open_files";
    if (this.#everywhere(ALL) >= this.#options.maxSessions) return "sessions";
    this.#here.add(ALL, 1);
    return undefined;
  }

  leave(): void {
    this.#here.add(ALL, -1);
  }

  /** Another process has a connection that is still counted here; or had it. */
  passedOn(): void {
    this.#passedOn++;
  }

  passedIsOver(): void {
    this.#passedOn--;
  }

  /** The same for its address. One that is no address is not counted. */
  enterFrom(address: string): SessionLimit | undefined {
    const network = networkOf(address);
    if (network === undefined) return undefined;
    if (this.#everywhere(network) >= this.#options.maxSessionsPerAddress) return "sessions_per_address";
    this.#here.add(network, 1);
    return undefined;
  }

  leaveFrom(address: string): void {
    const network = networkOf(address);
    if (network !== undefined) this.#here.add(network, -1);
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
    const count = all <= max ? 0 : Math.floor(((all - max) * this.#here.of(key)) / all);
    return { limit, network, count };
  }

  #everywhere(key: string): number {
    return this.#here.of(key) + (this.#elsewhere.get(key) ?? 0);
  }
}

/** A process that counts, as the adding up sees it. */
export interface CountingProcess {
  hear(counts: Counts): void;
}

/** In master: adds up what the processes tell, and tells each what the others have. */
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
