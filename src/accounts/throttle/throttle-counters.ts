// The failures that a throttle has counted, by address, by account and by both: bounded, forgiven with time, shown, handed to
// another process. Pure; used by throttle.ts.
import { BoundedMap } from "../../host/bounded-map.ts";

export type CounterKind = "network" | "account" | "pair";

export interface Counter {
  readonly account: string | undefined;
  readonly network: string | undefined;
  readonly free: number;
  failures: number;
  lastFailureMs: number;
  /** The next attempt may begin then; in the past, at once. */
  nextAtMs: number;
  /** Under way, without a verdict so far. */
  running: number;
  /** Those who wait for their turn; whoever does counts itself. */
  waiting: number;
}

export type ThrottleEntry = Pick<Counter, "account" | "network"> &
  Readonly<Pick<Counter, "failures" | "nextAtMs">>;

/** Without clocks, so that another process understands it. */
export interface CountedFailures {
  readonly kind: CounterKind;
  /** "" for a network's. */
  readonly account: string;
  readonly network?: string | undefined;
  readonly failures: number;
  /** Since the last one. */
  readonly agoMs: number;
  /** Until the next attempt may begin. */
  readonly waitMs: number;
}

interface Whom {
  readonly account?: string | undefined;
  readonly network?: string | undefined;
}

export class ThrottleCounters {
  readonly #maps: Readonly<Record<CounterKind, BoundedMap<string, Counter>>>;

  /** @param maxCounters of each kind */
  constructor(maxCounters: number = MAX_COUNTERS) {
    const map = (): BoundedMap<string, Counter> => new BoundedMap(maxCounters, isIdle);
    this.#maps = { network: map(), account: map(), pair: map() };
  }

  /** The one that counts them; it begins now if there was none. */
  of(kind: CounterKind, { account, network }: Whom): Counter {
    const key = { network: network ?? "", account: account ?? "", pair: pairOf({ account, network }) }[kind];
    const found = this.#maps[kind].get(key);
    if (found !== undefined) return found;
    const counts = { failures: 0, running: 0, waiting: 0, nextAtMs: 0, lastFailureMs: 0 };
    const counter = { account, network, free: FREE[kind], ...counts };
    this.#maps[kind].set(key, counter);
    return counter;
  }

  reset(kind: CounterKind, key: string): void {
    const counter = this.#maps[kind].get(key);
    if (counter !== undefined) reset(counter);
  }

  /** @returns how many were counted */
  clear({ account, network }: Whom): number {
    let cleared = 0;
    for (const [, counter] of this.#all()) {
      if (account !== undefined && counter.account !== account) continue;
      if (network !== undefined && counter.network !== network) continue;
      if (counter.failures > 0) cleared++;
      reset(counter);
    }
    return cleared;
  }

  list(nowMs: number): ThrottleEntry[] {
    return this.#counted(nowMs).map(([, { account, network, failures, nextAtMs }]) => {
      return { account, network, failures, nextAtMs };
    });
  }

  delayed(nowMs: number): Readonly<Record<"address" | "account" | "account-and-address", number>> {
    const delayedIn = (kind: CounterKind): number =>
      [...this.#maps[kind].values()].filter(({ nextAtMs }) => nextAtMs > nowMs).length;
    return {
      address: delayedIn("network"),
      account: delayedIn("account"),
      "account-and-address": delayedIn("pair"),
    };
  }

  /** The most failures first. */
  export(nowMs: number): CountedFailures[] {
    return this.#counted(nowMs)
      .sort(([, a], [, b]) => b.failures - a.failures)
      .map(([kind, { account = "", network, failures, lastFailureMs, nextAtMs }]) => ({
        kind,
        account,
        network,
        failures,
        agoMs: Math.max(0, Math.round(nowMs - lastFailureMs)),
        waitMs: Math.max(0, Math.ceil(nextAtMs - nowMs)),
      }));
  }

  import(counted: readonly CountedFailures[], nowMs: number): void {
    for (const { kind, account, network, failures, agoMs, waitMs } of counted) {
      const counter = this.of(kind, {
        account: kind === "network" ? undefined : account,
        network: kind === "account" ? undefined : network,
      });
      counter.failures = Math.min(failures, counter.free + MAX_BEYOND_FREE);
      counter.lastFailureMs = nowMs - agoMs;
      counter.nextAtMs = nowMs + waitMs;
    }
  }

  *#all(): Generator<[CounterKind, Counter]> {
    for (const kind of ["network", "account", "pair"] as const)
      for (const counter of this.#maps[kind].values()) yield [kind, counter];
  }

  /** Those that were forgiven left out. */
  #counted(nowMs: number): [CounterKind, Counter][] {
    return [...this.#all()].filter(([, counter]) => {
      forgive(counter, nowMs);
      return counter.failures > 0;
    });
  }
}

/** An account's name has no space, and a network neither. */
export function pairOf({ account, network }: Whom): string {
  return `${network ?? ""} ${account}`;
}

export function forgive(counter: Counter, nowMs: number): void {
  const forgiven = Math.floor((nowMs - counter.lastFailureMs) / FORGIVE_MS);
  if (forgiven <= 0 || counter.failures === 0) return;
  counter.failures = Math.max(0, counter.failures - forgiven);
  counter.lastFailureMs += forgiven * FORGIVE_MS;
}

export function reset(counter: Counter): void {
  counter.failures = 0;
  counter.nextAtMs = 0;
}

function isIdle(counter: Counter): boolean {
  return counter.running === 0;
}

/**
 * Failures without a longer delay. Someone who tries all the passwords that might be it; a household, or a password that
 * was changed and is still in three devices; an office behind one address.
 */
const FREE = { pair: 5, account: 10, network: 20 } as const;

/** One failure is forgotten after each of these, so that a quiet hour or two forgives all. */
const FORGIVE_MS = 5 * 60_000;

/** Beyond this many doublings nothing grows, and nobody waits for days to be forgiven. */
export const MAX_BEYOND_FREE = 10;

/** Some 200 bytes each, of three kinds. Whoever fills one kind forgets the oldest of that kind, and pushes no other out. */
const MAX_COUNTERS = 50_000;
