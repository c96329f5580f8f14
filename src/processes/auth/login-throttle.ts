// The throttle at work in the auth process: lets attempts wait for their turn, and holds refusals back. One for POP3 and
// for the MTAs, and the same one over a reload.
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { type Attempt, type RunningAttempt, Throttle } from "../../accounts/throttle/throttle.ts";
import { ThrottleStore } from "../../accounts/throttle/throttle-store.ts";
import { measure } from "../../control/counters/counters.ts";
import type { AnswerOf, Handlers } from "../../control/link/questions.ts";
import { type Networks, networkOf, networksOf } from "../../host/networks.ts";
import type { Log } from "../../log/log.ts";
import type { AuthSettings } from "../settings.ts";

type ThrottleSettings = Pick<
  AuthSettings,
  "failureDelayMs" | "maxFailureDelayMs" | "throttleExemptNets" | "throttleStore"
>;

export interface GuessRequest {
  readonly account: string;
  readonly address: string | undefined;
  /** From now to the answer. */
  readonly maxDelayMs: number;
  isAwaited(): boolean;
}

export class LoginThrottle {
  readonly #throttle: Throttle;
  #settings: ThrottleSettings;
  #exempt: Networks;
  /** Of attempts that wait for another one to end. */
  readonly #wakes = new Set<() => void>();

  readonly #log: Log | undefined;
  #store: ThrottleStore | undefined;

  /** Told whose guess was wrong, here or on another host that shares the store. */
  readonly #onWrong: (account: string) => void;

  /** @param log needed where there is a store that other hosts share */
  constructor(settings: ThrottleSettings, log?: Log, onWrong: (account: string) => void = () => {}) {
    this.#throttle = new Throttle(optionsOf(settings), undefined, (event) => this.#store?.publish(event));
    this.#log = log;
    this.#onWrong = onWrong;
    this.#store = this.#openStore(settings);
    this.#settings = settings;
    this.#exempt = networksOf(settings.throttleExemptNets);
    measure("throttled", () =>
      Object.entries(this.#throttle.delayed(performance.now())).map(([of, value]) => ({
        labels: [of],
        value,
      })),
    );
  }

  configure(settings: ThrottleSettings): void {
    this.#throttle.configure(optionsOf(settings));
    if (settings.throttleStore !== this.#settings.throttleStore) {
      this.#store?.close();
      this.#store = this.#openStore(settings);
    }
    this.#settings = settings;
    this.#exempt = networksOf(settings.throttleExemptNets);
  }

  close(): void {
    this.#store?.close();
  }

  #openStore({ throttleStore: url }: ThrottleSettings): ThrottleStore | undefined {
    if (url === undefined) return undefined;
    // Without user and password.
    const { host } = new URL(url);
    return new ThrottleStore({
      url,
      onEvent: (event, atMs) => {
        this.#throttle.heard(event, atMs);
        if (event.kind !== "failed") this.#wake();
        else this.#onWrong(event.account);
      },
      onState: (state) => {
        if (state === "reached") this.#log?.info({ store: host }, "throttle is shared with other hosts");
        else
          this.#log?.warn(
            { store: host, reason: state.away },
            "auth.throttle_store is away: failures are counted on this host alone until it is back",
          );
      },
    });
  }

  guess({ account, address, maxDelayMs, isAwaited }: GuessRequest): Guess {
    const exempt = this.#exempt;
    const attempt: Attempt = {
      account,
      network: address === undefined ? undefined : networkOf(address),
      // Looked up where it counts: who has logged in from there before is not counted by address.
      get isShared() {
        return address !== undefined && exempt.has(address);
      },
    };
    const arrivedMs = performance.now();
    return new Guess({
      deadlineMs: arrivedMs + maxDelayMs,
      refusedAtMs: arrivedMs + this.#settings.failureDelayMs,
      begin: (deadlineMs) => this.#begin(attempt, deadlineMs, isAwaited),
      onWrong: () => this.#onWrong(account),
      onEnd: () => this.#wake(),
    });
  }

  /** What pop3-ctl may ask. */
  readonly answers: Handlers = {
    throttle: (_, reply) => {
      for (const entry of this.list()) reply(entry);
    },
    "throttle-clear": ({ whom }, reply) => reply({ cleared: this.clear(whom) }),
  };

  /** The worst of them. */
  list(): AnswerOf<"throttle">[] {
    const nowMs = performance.now();
    return this.#throttle
      .list(nowMs)
      .sort((a, b) => b.failures - a.failures)
      .slice(0, MAX_LISTED)
      .map(({ account = null, network = null, failures, nextAtMs }) => ({
        account,
        network,
        failures,
        nextInMs: Math.max(0, Math.ceil(nextAtMs - nowMs)),
      }));
  }

  /** For the auth process that takes over, in messages of which THAT_WAS_ALL is the last. */
  handOver(): HandedPart[] {
    const { counted, known } = this.#throttle.export(performance.now());
    return [
      ...chunks(counted.filter(({ account }) => account.length <= MAX_ACCOUNT)).map((counted) => ({
        counted,
      })),
      ...chunks(known).map((known) => ({ known })),
    ];
  }

  /** @returns false when it is no part of what the process before left, or when that could not say all of it */
  succeed(left: unknown): boolean {
    const part = handed.safeParse(left);
    if (!part.success) return false;
    const { counted = [], known = [] } = part.data;
    this.#throttle.import({ counted, known }, performance.now());
    // It had heard of those.
    this.#store?.ignoreBefore(performance.now());
    return true;
  }

  /** @param whom an account, or an address; everybody if undefined. @returns how many were counted */
  clear(whom: string | undefined): number {
    const network =
      whom === undefined ? undefined : (networkOf(whom) ?? networkOf(whom.replace(/\/64$/, "")));
    const only = network !== undefined ? { network } : whom !== undefined ? { account: whom } : {};
    const cleared = this.#throttle.clear(only);
    this.#wake();
    return cleared;
  }

  #wake(): void {
    for (const wake of [...this.#wakes]) wake();
  }

  async #begin(
    attempt: Attempt,
    deadlineMs: number,
    isAwaited: () => boolean,
  ): Promise<RunningAttempt | undefined> {
    for (;;) {
      const nowMs = performance.now();
      const turn = this.#throttle.begin(attempt, nowMs);
      if (turn.kind === "go") return turn.running;
      if (turn.kind === "crowded" || nowMs >= deadlineMs || !isAwaited()) return undefined;
      turn.queue.waiting++;
      await this.#wait(Math.min(turn.untilMs, deadlineMs) - nowMs);
      turn.queue.waiting--;
    }
  }

  async #wait(ms: number): Promise<void> {
    const stop = new AbortController();
    const woken = new Promise<void>((resolve) => {
      const wake = (): void => {
        this.#wakes.delete(wake);
        resolve();
      };
      this.#wakes.add(wake);
      // Never late by the fraction that a timer cuts off: the loop would turn once more for it.
      delay(Math.ceil(ms), undefined, { signal: stop.signal }).then(wake, () => {});
    });
    await woken;
    stop.abort();
  }
}

const milliseconds = z.int().nonnegative();

/** No account's name is longer; what guessers come up with may be. */
const MAX_ACCOUNT = 255;

const counted = z.strictObject({
  kind: z.enum(["network", "account", "pair"]),
  account: z.string().max(MAX_ACCOUNT),
  network: z.string().max(64).optional(),
  failures: z.int().positive(),
  agoMs: milliseconds,
  waitMs: milliseconds,
});

/** As many as fit into one message. */
const MAX_HANDED = 1_000;

const handed = z.strictObject({
  counted: z.array(counted).max(MAX_HANDED).optional(),
  /** A network, a space, an account. */
  known: z
    .array(z.string().max(64 + 1 + MAX_ACCOUNT))
    .max(MAX_HANDED)
    .optional(),
});

type HandedPart = z.infer<typeof handed>;

/** Said last by the process before: everything has come. */
export const THAT_WAS_ALL: HandedPart = {};

function chunks<T>(all: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(all.length / MAX_HANDED) }, (_, index) =>
    all.slice(index * MAX_HANDED, (index + 1) * MAX_HANDED),
  );
}

/** Nobody reads more. */
const MAX_LISTED = 1_000;

interface GuessContext {
  readonly deadlineMs: number;
  /** Of a refusal that nobody counted. */
  readonly refusedAtMs: number;
  begin(deadlineMs: number): Promise<RunningAttempt | undefined>;
  onWrong(): void;
  onEnd(): void;
}

/** One attempt to log in. Ends by `right`, `wrong` or `undecided`; what comes after the first of these means nothing. */
export class Guess {
  readonly #context: GuessContext;
  #running: RunningAttempt | undefined;

  constructor(context: GuessContext) {
    this.#context = context;
  }

  /** Waits for its turn, and counts it. @returns false when the turn does not come in time: then nothing may be checked */
  async admit(): Promise<boolean> {
    this.#running = await this.#context.begin(this.#context.deadlineMs);
    return this.#running !== undefined;
  }

  right(): void {
    this.#running?.succeeded();
    this.#context.onEnd();
  }

  /** Resolves when the refusal may be answered. @param password undefined where it is not known */
  async wrong(password: Uint8Array | undefined): Promise<void> {
    const { deadlineMs, refusedAtMs, onWrong, onEnd } = this.#context;
    const answerAtMs = this.#running?.failed(performance.now(), password) ?? refusedAtMs;
    onWrong();
    onEnd();
    await delay(Math.max(0, Math.min(answerAtMs, deadlineMs) - performance.now()));
  }

  undecided(): void {
    this.#running?.abandoned();
    this.#context.onEnd();
  }
}

function optionsOf({ failureDelayMs, maxFailureDelayMs }: ThrottleSettings) {
  return { firstDelayMs: failureDelayMs, longestDelayMs: maxFailureDelayMs };
}
