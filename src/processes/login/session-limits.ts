// Who may still come in: counts a login process's connections, those that it has passed on included, hears from master what
// the other processes have, and says no beyond the limits. No connection waits for a word from another process: for some
// hundredths of a second several processes may have let in more than the limit together. Master then tells each its part,
// and what is beyond is turned away again.
import { networkOf } from "../../host/networks.ts";
import { ALL, type Counts, SessionsHere } from "../session-counts.ts";

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

export class SessionLimits {
  readonly #here: SessionsHere;
  readonly #elsewhere = new Map<string, number>();
  /** Connections with a descriptor here, whether they count or not. */
  #open = 0;
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
  enter(): Place | SessionLimit {
    if (this.#open >= this.#options.maxSessionsHere) return "open_files";
    if (!this.has(ALL)) return "sessions";
    return new Place(this);
  }

  /** Whether there is room for one more. For places. */
  has(key: string): boolean {
    const { maxSessions, maxSessionsPerAddress } = this.#options;
    const all = this.#here.of(key) + (this.#elsewhere.get(key) ?? 0);
    return all < (key === ALL ? maxSessions : maxSessionsPerAddress);
  }

  /** For places. */
  take(key: string, change: 1 | -1): void {
    this.#here.add(key, change);
  }

  /** For places: so many descriptors more. */
  open(change: 1 | -1): void {
    this.#open += change;
  }

  /** What the other processes have. */
  heard(counts: Counts): void {
    for (const [key, count] of Object.entries(counts)) {
      if (count === 0) this.#elsewhere.delete(key);
      else this.#elsewhere.set(key, count);
    }
  }

  /** How much there is here beyond this process's part; each as it is when it comes, for what was turned away before counts. */
  *excessOver(parts: Counts): Generator<Excess> {
    const { [ALL]: partOfAll, ...byNetwork } = parts;
    for (const [network, part] of Object.entries(byNetwork)) {
      const count = this.#here.of(network) - part;
      if (count > 0) yield { limit: "sessions_per_address", network, count };
    }
    if (partOfAll === undefined) return;
    const count = this.#here.of(ALL) - partOfAll;
    if (count > 0) yield { limit: "sessions", network: undefined, count };
  }
}

/** What one connection takes of the limits. */
export class Place {
  readonly #limits: SessionLimits;
  #network: string | undefined;
  #counts = true;
  #isOpen = true;
  #isPassedOn = false;

  constructor(limits: SessionLimits) {
    this.#limits = limits;
    limits.take(ALL, 1);
    limits.open(1);
  }

  /** Takes one of its address, too, or says that there is none; once. What is no address has no limit. */
  enterFrom(address: string): SessionLimit | undefined {
    const network = networkOf(address);
    if (network === undefined || !this.#counts) return undefined;
    if (!this.#limits.has(network)) return "sessions_per_address";
    this.#limits.take(network, 1);
    this.#network = network;
    return undefined;
  }

  /** Where it came from, as networkOf() gives it, once that was counted. */
  get network(): string | undefined {
    return this.#network;
  }

  /** It counts no more, though it may still be open. */
  giveUp(): void {
    if (!this.#counts) return;
    this.#counts = false;
    this.#limits.take(ALL, -1);
    if (this.#network !== undefined) this.#limits.take(this.#network, -1);
  }

  /** Another process may have the connection, too: it counts until it is given up, whenever it is closed here. */
  passOn(): void {
    this.#isPassedOn = true;
  }

  /** Its descriptor here is closed. */
  closed(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#limits.open(-1);
    if (!this.#isPassedOn) this.giveUp();
  }
}
