// Slows down who guesses passwords: counts failures by address, by account and by both, and says when the next attempt
// may begin and how long a refusal is held back. Pure; the auth process wires it (processes/auth/login-throttle.ts).
//
// One delay serves for both: a refusal is answered when the next attempt may begin, so whoever waits for the answer never
// waits again, and whoever doesn't gains nothing. It is `firstDelayMs`, and doubles with each failure beyond the free ones.
import { createHmac, randomBytes } from "node:crypto";
import { BoundedMap } from "../../host/bounded-map.ts";
import {
  type CountedFailures,
  type Counter,
  forgive,
  MAX_BEYOND_FREE,
  pairOf,
  reset,
  ThrottleCounters,
  type ThrottleEntry,
} from "./throttle-counters.ts";
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

/** What one throttle leaves another, without clocks. */
export interface Inheritance {
  readonly counted: readonly CountedFailures[];
  /** Pairs that have logged in, as pairOf() writes them; those longest ago first. */
  readonly known: readonly string[];
}

export class Throttle {
  #options: ThrottleOptions;
  readonly #counters: ThrottleCounters;
  /** Pairs that have logged in. */
  readonly #known = new BoundedMap<string, true>(MAX_KNOWN);
  /** Digests of account and wrong password. */
  readonly #guesses = new BoundedMap<string, true>(MAX_GUESSES);
  readonly #guessKey = randomBytes(32);

  readonly #onEvent: (event: ThrottleEvent) => void;

  /** @param onEvent told what the throttles of other hosts should count, too */
  constructor(
    options: ThrottleOptions,
    maxCounters?: number,
    onEvent: (event: ThrottleEvent) => void = () => {},
  ) {
    this.#options = options;
    this.#onEvent = onEvent;
    this.#counters = new ThrottleCounters(maxCounters);
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
        this.#counters.reset("pair", pair);
        return;
      }
      case "cleared":
        this.#counters.clear(event);
        return;
      default:
        event satisfies never;
    }
  }

  /** Who is counted at the moment, those that were forgiven left out. */
  list(nowMs: number): ThrottleEntry[] {
    return this.#counters.list(nowMs);
  }

  /** How many of each kind have to wait for their next attempt. */
  delayed(nowMs: number): ReturnType<ThrottleCounters["delayed"]> {
    return this.#counters.delayed(nowMs);
  }

  /** For another process that goes on counting: the most failures first, then who has logged in from where. */
  export(nowMs: number): Inheritance {
    return { counted: this.#counters.export(nowMs), known: [...this.#known.keys()] };
  }

  /** Of guesses that are repeated there nothing is known: each is counted once more. */
  import({ counted, known }: Inheritance, nowMs: number): void {
    this.#counters.import(counted, nowMs);
    for (const pair of known) this.#known.set(pair, true);
  }

  /** Forgives everybody, or an account, or a network. @returns how many were counted */
  clear(only: { readonly account?: string; readonly network?: string } = {}): number {
    this.#onEvent({ kind: "cleared", ...only });
    return this.#counters.clear(only);
  }

  /** Those that an attempt is counted by; the pair's own first. */
  #countersOf(attempt: Attempt, isKnown: boolean): Counter[] {
    const { account, network } = attempt;
    const counters = [this.#counters.of("pair", { account, network })];
    if (isKnown) return counters;
    counters.push(this.#counters.of("account", { account, network: undefined }));
    if (network !== undefined && !attempt.isShared)
      counters.push(this.#counters.of("network", { account: undefined, network }));
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
}

/**
 * Each one that waits holds a request and its password: who guesses must not pile them up. Many right passwords at once, as
 * after a restart, are another thing.
 */
const MAX_WAITING = 20;
const MAX_WAITING_WITHOUT_FAILURES = 500;

const MAX_KNOWN = 200_000;
const MAX_GUESSES = 50_000;
