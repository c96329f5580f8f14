// Slows down who guesses passwords: counts failures by address, by account and by both, and says when the next attempt
// may begin and how long a refusal is held back. Pure; the auth process wires it (processes/login-throttle.ts).
//
// One delay serves for both: a refusal is answered when the next attempt may begin, so whoever waits for the answer never
// waits again, and whoever doesn't gains nothing. It is `firstDelayMs`, and doubles with each failure beyond the free ones.
import { createHmac, randomBytes } from "node:crypto";
import { BoundedMap } from "./bounded-map.ts";
import type { ThrottleEvent } from "./throttle-events.ts";

export interface ThrottleOptions {
  readonly firstDelayMs: number;
  readonly longestDelayMs: number;
}

export interface Attempt {
  readonly account: string;
  /** As networkOf() gives it; undefined for a client without an address. */
  readonly network: string | undefined;
  /** Many people come from there (the host's webmail, a proxy): it is not held against them together. */
  readonly isShared: boolean;
}

export type Turn =
  | { readonly kind: "go"; readonly running: RunningAttempt }
  /** Until then, or until another attempt of the same address or account has ended. */
  | { readonly kind: "wait"; readonly untilMs: number; readonly queue: WaitingQueue }
  /** So many wait already that this one is not worth the memory. */
  | { readonly kind: "crowded" };

/** Those who wait for the same reason; whoever waits counts itself. */
export interface WaitingQueue {
  waiting: number;
}

/** Counted already; ends in one of three ways, once. */
export interface RunningAttempt {
  /** The account has logged in from there: strangers elsewhere cannot lock it out any more. */
  succeeded(): void;
  /** @returns when the refusal may be answered. @param guess the same one again is not counted again; undefined if unknown */
  failed(nowMs: number, guess: Uint8Array | undefined): number;
  /** There is no verdict: as if it had not been. */
  abandoned(): void;
}

export interface ThrottleEntry {
  readonly account: string | undefined;
  readonly network: string | undefined;
  readonly failures: number;
  /** The next attempt may begin then; in the past, at once. */
  readonly nextAtMs: number;
}

type CounterKind = "network" | "account" | "pair";

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

export class Throttle {
  #options: ThrottleOptions;
  readonly #byNetwork: BoundedMap<string, Counter>;
  readonly #byAccount: BoundedMap<string, Counter>;
  readonly #byPair: BoundedMap<string, Counter>;
  /** Pairs that have logged in. */
  readonly #known = new BoundedMap<string, true>(MAX_KNOWN);
  /** Digests of account and wrong password. */
  readonly #guesses = new BoundedMap<string, true>(MAX_GUESSES);
  readonly #guessKey = randomBytes(32);

  readonly #onEvent: (event: ThrottleEvent) => void;

  /** @param onEvent told what the throttles of other hosts should count, too */
  constructor(
    options: ThrottleOptions,
    maxCounters: number = MAX_COUNTERS,
    onEvent: (event: ThrottleEvent) => void = () => {},
  ) {
    this.#options = options;
    this.#onEvent = onEvent;
    this.#byNetwork = new BoundedMap(maxCounters, isIdle);
    this.#byAccount = new BoundedMap(maxCounters, isIdle);
    this.#byPair = new BoundedMap(maxCounters, isIdle);
  }

  /** After a reload: what was counted stays. */
  configure(options: ThrottleOptions): void {
    this.#options = options;
  }

  /** Asked again after a wait. @param nowMs of any clock that never goes back, the same for all calls */
  begin(attempt: Attempt, nowMs: number): Turn {
    const isKnown = this.#known.has(pairOf(attempt));
    const counters = this.#countersOf(attempt, isKnown);
    let untilMs = nowMs;
    let queue: Counter | undefined;
    for (const counter of counters) {
      forgive(counter, nowMs);
      // Those under way may all fail: no more of them at a time than failures are free, or one.
      const isFull = counter.running >= Math.max(1, counter.free - counter.failures);
      const counterUntilMs = isFull ? Number.POSITIVE_INFINITY : counter.nextAtMs;
      if (counterUntilMs <= untilMs) continue;
      untilMs = counterUntilMs;
      queue = counter;
    }
    if (queue !== undefined) {
      const mostWaiting = queue.failures > 0 ? MAX_WAITING : MAX_WAITING_WITHOUT_FAILURES;
      return queue.waiting < mostWaiting ? { kind: "wait", untilMs, queue } : { kind: "crowded" };
    }
    for (const counter of counters) counter.running++;
    return { kind: "go", running: this.#run(attempt, isKnown, counters, nowMs) };
  }

  /** Another host's throttle said so. @param atMs when it happened, by the clock of `begin` */
  heard(event: ThrottleEvent, atMs: number): void {
    switch (event.kind) {
      case "failed": {
        const { account, network, isShared, isKnown } = event;
        const counters = this.#countersOf({ account, network, isShared }, isKnown);
        for (const counter of counters) forgive(counter, atMs);
        this.#countFailure(counters, atMs, atMs);
        return;
      }
      case "succeeded": {
        const pair = pairOf({ account: event.account, network: event.network });
        this.#known.set(pair, true);
        const counter = this.#byPair.get(pair);
        if (counter !== undefined) reset(counter);
        return;
      }
      case "cleared":
        this.#clear(event);
        return;
      default:
        event satisfies never;
    }
  }

  /** Who is counted at the moment, those that were forgiven left out. */
  list(nowMs: number): ThrottleEntry[] {
    return this.#maps()
      .flatMap(([, map]) => [...map.values()])
      .filter((counter) => {
        forgive(counter, nowMs);
        return counter.failures > 0;
      })
      .map(({ account, network, failures, nextAtMs }) => ({ account, network, failures, nextAtMs }));
  }

  /** How many of each kind have to wait for their next attempt. */
  delayed(nowMs: number): Readonly<Record<"address" | "account" | "account-and-address", number>> {
    const delayedIn = (map: BoundedMap<string, Counter>): number =>
      [...map.values()].filter(({ nextAtMs }) => nextAtMs > nowMs).length;
    return {
      address: delayedIn(this.#byNetwork),
      account: delayedIn(this.#byAccount),
      "account-and-address": delayedIn(this.#byPair),
    };
  }

  /** The most failures first, so many at most: for another process that goes on counting. */
  export(nowMs: number, most: number): CountedFailures[] {
    return this.#maps()
      .flatMap(([kind, map]) => [...map.values()].map((counter) => ({ kind, counter })))
      .filter(({ counter }) => {
        forgive(counter, nowMs);
        return counter.failures > 0;
      })
      .sort((a, b) => b.counter.failures - a.counter.failures)
      .slice(0, most)
      .map(({ kind, counter: { account = "", network, failures, lastFailureMs, nextAtMs } }) => ({
        kind,
        account,
        network,
        failures,
        agoMs: Math.max(0, Math.round(nowMs - lastFailureMs)),
        waitMs: Math.max(0, Math.ceil(nextAtMs - nowMs)),
      }));
  }

  import(counted: readonly CountedFailures[], nowMs: number): void {
    const maps = new Map(this.#maps());
    for (const { kind, account, network, failures, agoMs, waitMs } of counted) {
      const key = { network: network ?? "", account, pair: pairOf({ account, network }) }[kind];
      const about = {
        account: kind === "network" ? undefined : account,
        network: kind === "account" ? undefined : network,
      };
      const counter = this.#counter(maps.get(kind)!, key, { ...about, free: FREE[kind] });
      counter.failures = Math.min(failures, counter.free + MAX_BEYOND_FREE);
      counter.lastFailureMs = nowMs - agoMs;
      counter.nextAtMs = nowMs + waitMs;
    }
  }

  /** Forgives everybody, or an account, or a network. @returns how many were counted */
  clear(only: { readonly account?: string; readonly network?: string } = {}): number {
    this.#onEvent({ kind: "cleared", ...only });
    return this.#clear(only);
  }

  #clear(only: { readonly account?: string | undefined; readonly network?: string | undefined }): number {
    let cleared = 0;
    for (const [, map] of this.#maps()) {
      for (const counter of map.values()) {
        if (only.account !== undefined && counter.account !== only.account) continue;
        if (only.network !== undefined && counter.network !== only.network) continue;
        if (counter.failures > 0) cleared++;
        reset(counter);
      }
    }
    return cleared;
  }

  /** Those that an attempt is counted by; the pair's own first. */
  #countersOf(attempt: Attempt, isKnown: boolean): Counter[] {
    const { account, network } = attempt;
    const pair = pairOf({ account, network });
    const counters = [this.#counter(this.#byPair, pair, { account, network, free: FREE.pair })];
    if (isKnown) return counters;
    counters.push(
      this.#counter(this.#byAccount, account, { account, network: undefined, free: FREE.account }),
    );
    if (network !== undefined && !attempt.isShared) {
      counters.push(
        this.#counter(this.#byNetwork, network, { account: undefined, network, free: FREE.network }),
      );
    }
    return counters;
  }

  /** @returns when the refusal may be answered */
  #countFailure(counters: readonly Counter[], nowMs: number, startedMs: number): number {
    let answerAtMs = startedMs + this.#delayMs(0);
    for (const counter of counters) {
      counter.failures = Math.min(counter.failures + 1, counter.free + MAX_BEYOND_FREE);
      counter.lastFailureMs = nowMs;
      const excess = counter.failures - counter.free;
      if (excess < 0) continue;
      counter.nextAtMs = Math.max(counter.nextAtMs, startedMs + this.#delayMs(excess));
      answerAtMs = Math.max(answerAtMs, counter.nextAtMs);
    }
    return answerAtMs;
  }

  #run(attempt: Attempt, isKnown: boolean, counters: readonly Counter[], startedMs: number): RunningAttempt {
    const { account, network } = attempt;
    let isOver = false;
    const end = (): boolean => {
      if (isOver) return false;
      isOver = true;
      for (const counter of counters) counter.running--;
      return true;
    };
    return {
      succeeded: () => {
        if (!end()) return;
        // Told where it makes a difference: most logins are those of every day.
        if (counters.some(({ failures }) => failures > 0))
          this.#onEvent({ kind: "succeeded", account, network });
        this.#known.set(pairOf({ account, network }), true);
        // Its own failures only: whoever guesses other accounts from there is not forgiven for having one.
        reset(counters[0]!);
      },
      failed: (nowMs, guess) => {
        if (!end()) return nowMs;
        // Not counted again, and held back as the first time.
        if (guess !== undefined && this.#isRepeated(account, guess)) return startedMs + this.#delayMs(0);
        this.#onEvent({ kind: "failed", account, network, isShared: attempt.isShared, isKnown });
        return this.#countFailure(counters, nowMs, startedMs);
      },
      abandoned: () => void end(),
    };
  }

  #delayMs(excess: number): number {
    const { firstDelayMs, longestDelayMs } = this.#options;
    return Math.min(firstDelayMs * 2 ** excess, Math.max(firstDelayMs, longestDelayMs));
  }

  #isRepeated(account: string, guess: Uint8Array): boolean {
    const digest = createHmac("sha256", this.#guessKey).update(`${account}\0`).update(guess).digest("base64");
    const isRepeated = this.#guesses.has(digest);
    this.#guesses.set(digest, true);
    return isRepeated;
  }

  #maps(): readonly (readonly [CounterKind, BoundedMap<string, Counter>])[] {
    return [
      ["network", this.#byNetwork],
      ["account", this.#byAccount],
      ["pair", this.#byPair],
    ];
  }

  #counter(
    map: BoundedMap<string, Counter>,
    key: string,
    about: Pick<Counter, "account" | "network" | "free">,
  ): Counter {
    const found = map.get(key);
    if (found !== undefined) return found;
    const counter = { ...about, failures: 0, running: 0, waiting: 0, nextAtMs: 0, lastFailureMs: 0 };
    map.set(key, counter);
    return counter;
  }
}

interface Counter extends WaitingQueue {
  readonly account: string | undefined;
  readonly network: string | undefined;
  readonly free: number;
  failures: number;
  lastFailureMs: number;
  nextAtMs: number;
  /** Under way, without a verdict so far. */
  running: number;
}

/**
 * Failures without a longer delay. Someone who tries all the passwords that might be it; a household, or a password that
 * was changed and is still in three devices; an office behind one address.
 */
const FREE = { pair: 5, account: 10, network: 20 } as const;

/**
 * Each one that waits holds a request and its password: who guesses must not pile them up. Many right passwords at once, as
 * after a restart, are another thing.
 */
const MAX_WAITING = 20;
const MAX_WAITING_WITHOUT_FAILURES = 500;

/** One failure is forgotten after each of these, so that a quiet hour or two forgives all. */
const FORGIVE_MS = 5 * 60_000;

/** Beyond this many doublings nothing grows, and nobody waits for days to be forgiven. */
const MAX_BEYOND_FREE = 10;

/** Some 200 bytes each, of three kinds. Whoever fills one kind forgets the oldest of that kind, and pushes no other out. */
const MAX_COUNTERS = 50_000;
const MAX_KNOWN = 200_000;
const MAX_GUESSES = 50_000;

function pairOf({ account, network }: Pick<Attempt, "account" | "network">): string {
  // An account's name has no space, and a network neither.
  return `${network ?? ""} ${account}`;
}

function isIdle(counter: Counter): boolean {
  return counter.running === 0;
}

function forgive(counter: Counter, nowMs: number): void {
  const forgiven = Math.floor((nowMs - counter.lastFailureMs) / FORGIVE_MS);
  if (forgiven <= 0 || counter.failures === 0) return;
  counter.failures = Math.max(0, counter.failures - forgiven);
  counter.lastFailureMs += forgiven * FORGIVE_MS;
}

function reset(counter: Counter): void {
  counter.failures = 0;
  counter.nextAtMs = 0;
}
