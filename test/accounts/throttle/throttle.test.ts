import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Attempt, type RunningAttempt, Throttle } from "../../../src/accounts/throttle/throttle.ts";
import { formatThrottleEvent, parseThrottleEvent } from "../../../src/accounts/throttle/throttle-events.ts";
import { atLeast } from "../../support/fuzz.ts";

const options = { firstDelayMs: 2_000, longestDelayMs: 15_000 };
const owner: Attempt = { account: "mrose", network: "192.0.2.1", isShared: false };
const from = (network: string, account = "mrose"): Attempt => ({ account, network, isShared: false });
const guess = (text: string | number): Uint8Array => Buffer.from(`${text}`);
const MINUTE = 60_000;

/** Begins an attempt that must be allowed to. */
function begin(throttle: Throttle, attempt: Attempt, nowMs: number): RunningAttempt {
  const turn = throttle.begin(attempt, nowMs);
  if (turn.kind !== "go") throw new Error(`not its turn at ${nowMs}: ${JSON.stringify(turn)}`);
  return turn.running;
}

/** Guesses one wrong password after the other, each when the last one was answered. @returns the delays */
function guessInTurn(throttle: Throttle, attempts: readonly Attempt[], nowMs = 0): number[] {
  return attempts.map((attempt, index) => {
    const answerAtMs = begin(throttle, attempt, nowMs).failed(nowMs, guess(`${attempt.network} ${index}`));
    const delayMs = answerAtMs - nowMs;
    nowMs = answerAtMs;
    return delayMs;
  });
}

describe("Throttle", () => {
  it("holds the answer back longer and longer, and whoever waits for it may try again at once", () => {
    const delays = guessInTurn(new Throttle(options), Array<Attempt>(10).fill(owner));
    expect(delays).toEqual([2, 2, 2, 2, 2, 4, 8, 15, 15, 15].map((seconds) => seconds * 1_000));
  });

  it("counts attempts that run side by side before they have failed", () => {
    const throttle = new Throttle(options);
    const running = Array.from({ length: 5 }, () => begin(throttle, owner, 0));
    expect(throttle.begin(owner, 0)).toMatchObject({ kind: "wait", untilMs: Number.POSITIVE_INFINITY });
    for (const [index, attempt] of running.entries()) attempt.failed(100, guess(index));
    expect(throttle.begin(owner, 100)).toMatchObject({ kind: "wait", untilMs: 2_000 });
    begin(throttle, owner, 2_000);
    expect(throttle.begin(owner, 2_000).kind).toBe("wait");
  });

  it("counts what others were told together with its own, and forgives what they forgive", () => {
    const hosts: Throttle[] = [];
    for (const self of [0, 1])
      hosts.push(
        new Throttle(options, undefined, (event) => {
          const told = parseThrottleEvent(formatThrottleEvent(event));
          if (told !== undefined) hosts[1 - self]!.heard(told, clockMs);
        }),
      );
    const [one, other] = hosts as [Throttle, Throttle];
    let clockMs = 0;
    const delays: number[] = [];
    for (let attempt = 0; attempt < 8; attempt++) {
      const answerAtMs = begin(hosts[attempt % 2]!, owner, clockMs).failed(clockMs, guess(attempt));
      delays.push(answerAtMs - clockMs);
      clockMs = answerAtMs;
    }
    expect(delays).toEqual([2, 2, 2, 2, 2, 4, 8, 15].map((seconds) => seconds * 1_000));
    expect(other.list(clockMs)).toEqual(one.list(clockMs));

    begin(one, owner, clockMs).succeeded();
    const ofPair = (from: Throttle) =>
      from.list(clockMs).filter(({ account, network }) => account && network);
    expect(ofPair(other)).toEqual([]);
    // Known there from now on: strangers elsewhere cannot hold it up on the other host either.
    for (let attempt = 0; attempt < 12; attempt++) {
      const stranger = from(`198.51.100.${attempt}`);
      clockMs = begin(one, stranger, clockMs).failed(clockMs, guess(`stranger ${attempt}`));
    }
    expect(other.begin(from("203.0.113.1"), clockMs - 1).kind).toBe("wait");
    expect(other.begin(owner, clockMs - 1).kind).toBe("go");

    one.clear({ account: "mrose" });
    expect(other.list(clockMs).filter(({ account }) => account === "mrose")).toEqual([]);
  });

  it("believes nothing that no throttle says", () => {
    for (const text of ["", "{", "[]", '{"kind":"failed"}', '{"kind":"cleared","all":true}'])
      expect(parseThrottleEvent(text)).toBeUndefined();
  });

  it("goes on in another process where this one was, whatever the clocks", () => {
    const throttle = new Throttle(options);
    guessInTurn(throttle, Array<Attempt>(8).fill(owner), 1_000_000);
    const nowMs = Math.max(...throttle.list(0).map(({ nextAtMs }) => nextAtMs)) - 5_000;
    const successor = new Throttle(options);
    successor.import(JSON.parse(JSON.stringify(throttle.export(nowMs))), 20);
    const relative = (from: Throttle, atMs: number) =>
      from.list(atMs).map((entry) => ({ ...entry, nextAtMs: Math.max(0, entry.nextAtMs - atMs) }));
    expect(relative(successor, 20)).toEqual(relative(throttle, nowMs));
    expect(successor.begin(owner, 20)).toMatchObject({ kind: "wait", untilMs: 5_020 });
    expect(throttle.export(nowMs).counted[0]).toMatchObject({
      kind: "network",
      network: "192.0.2.1",
      failures: 8,
    });
  });

  it("lets no crowd of guesses wait, and a larger one as long as nothing has failed", () => {
    const throttle = new Throttle(options);
    const waitAll = (attempt: Attempt): number => {
      for (let waiting = 0; ; waiting++) {
        const turn = throttle.begin(attempt, 0);
        if (turn.kind !== "wait") return waiting;
        turn.queue.waiting++;
      }
    };
    const other = from("203.0.113.1", "jpostel");
    for (let i = 0; i < 5; i++) begin(throttle, other, 0);
    expect(waitAll(other)).toBe(500);
    guessInTurn(throttle, Array<Attempt>(6).fill(owner));
    expect(waitAll(owner)).toBe(20);
    expect(throttle.begin(owner, 0)).toEqual({ kind: "crowded" });
  });

  it("lets right passwords side by side through, however many", () => {
    const throttle = new Throttle(options);
    for (let i = 0; i < 100; i++) {
      const running = Array.from({ length: 5 }, () => begin(throttle, owner, 0));
      for (const attempt of running) attempt.succeeded();
    }
    expect(throttle.list(0)).toEqual([]);
  });

  it("counts an attempt without a verdict as none", () => {
    const throttle = new Throttle(options);
    for (let i = 0; i < 50; i++) begin(throttle, owner, 0).abandoned();
    expect(throttle.list(0)).toEqual([]);
  });

  it("counts the same wrong password once, from wherever it comes", () => {
    const throttle = new Throttle(options);
    for (let i = 0; i < 50; i++) {
      expect(begin(throttle, from(`192.0.2.${i % 7}`), i * 2_000).failed(i * 2_000, guess("old"))).toBe(
        i * 2_000 + 2_000,
      );
    }
    expect(throttle.list(0).map(({ failures }) => failures)).toEqual([1, 1, 1]);
    // Of another account it is another guess.
    begin(throttle, from("192.0.2.1", "jpostel"), 0).failed(0, guess("old"));
    expect(throttle.list(0).filter(({ account }) => account === "jpostel")).toHaveLength(2);
  });

  it("counts every failure whose password is not known, as SCRAM's", () => {
    const throttle = new Throttle(options);
    for (let i = 0; i < 3; i++) begin(throttle, owner, 0).failed(0, undefined);
    expect(throttle.list(0).map(({ failures }) => failures)).toEqual([3, 3, 3]);
  });

  it("slows down who tries an account from many addresses", () => {
    const attempts = Array.from({ length: 14 }, (_, index) => from(`192.0.2.${index}`));
    expect(guessInTurn(new Throttle(options), attempts).slice(8)).toEqual(
      [2, 2, 4, 8, 15, 15].map((s) => s * 1_000),
    );
  });

  it("slows down who tries many accounts from one address, unless many people come from there", () => {
    const attempts = Array.from({ length: 23 }, (_, index) => from("192.0.2.1", `user${index}`));
    expect(guessInTurn(new Throttle(options), attempts).slice(18)).toEqual(
      [2, 2, 4, 8, 15].map((s) => s * 1_000),
    );
    const shared = attempts.map((attempt) => ({ ...attempt, isShared: true }));
    expect(new Set(guessInTurn(new Throttle(options), shared))).toEqual(new Set([2_000]));
  });

  it("does not let strangers lock out an address from which the account has logged in", () => {
    const throttle = new Throttle(options);
    begin(throttle, owner, 0).succeeded();
    const strangers = Array.from({ length: 30 }, (_, index) => from(`198.51.100.${index}`));
    guessInTurn(throttle, strangers);
    expect(throttle.begin(from("203.0.113.1"), 0).kind).toBe("wait");
    begin(throttle, owner, 0).succeeded();
    // Nor those who guess other accounts from the owner's own address.
    guessInTurn(
      throttle,
      Array.from({ length: 30 }, (_, index) => from("192.0.2.1", `user${index}`)),
      1e6,
    );
    expect(throttle.begin(from("192.0.2.1", "another"), 1e6).kind).toBe("wait");
    begin(throttle, owner, 1e6).succeeded();
  });

  it("slows the owner's address down for what goes wrong there, and forgives it at the right password", () => {
    const throttle = new Throttle(options);
    begin(throttle, owner, 0).succeeded();
    guessInTurn(throttle, Array<Attempt>(7).fill(owner));
    expect(throttle.begin(owner, 0).kind).toBe("wait");
    begin(throttle, owner, MINUTE).succeeded();
    begin(throttle, owner, MINUTE).failed(MINUTE, guess("once"));
    expect(throttle.list(MINUTE).map(({ failures }) => failures)).toEqual([1]);
  });

  it("does not forgive an address's guesses at other accounts because its own password is right", () => {
    const throttle = new Throttle(options);
    guessInTurn(
      throttle,
      Array.from({ length: 19 }, (_, index) => from("192.0.2.1", `user${index}`)),
    );
    begin(throttle, from("192.0.2.1", "mine"), 0).succeeded();
    expect(throttle.list(0)).toContainEqual(expect.objectContaining({ account: undefined, failures: 19 }));
  });

  it("forgets one failure each five minutes", () => {
    const throttle = new Throttle(options);
    for (let i = 0; i < 4; i++) begin(throttle, owner, 0).failed(0, guess(i));
    const failures = (nowMs: number) => throttle.list(nowMs).map((entry) => entry.failures);
    expect(failures(5 * MINUTE - 1)).toEqual([4, 4, 4]);
    expect(failures(5 * MINUTE)).toEqual([3, 3, 3]);
    expect(failures(20 * MINUTE)).toEqual([]);
  });

  it("lists whom it counts, and clears an account, a network, or everybody", () => {
    const throttle = new Throttle(options);
    begin(throttle, from("192.0.2.1"), 0).failed(0, guess(1));
    begin(throttle, from("192.0.2.2", "jpostel"), 0).failed(0, guess(1));
    expect(throttle.list(0)).toHaveLength(6);
    expect(throttle.list(0)).toContainEqual({
      account: "mrose",
      network: "192.0.2.1",
      failures: 1,
      nextAtMs: 0,
    });
    expect(throttle.clear({ account: "nobody" })).toBe(0);
    expect(throttle.clear({ account: "mrose" })).toBe(2);
    expect(throttle.clear({ network: "192.0.2.2" })).toBe(2);
    expect(throttle.clear()).toBe(2);
    expect(throttle.list(0)).toEqual([]);
  });

  it("keeps what it has counted when the delays change", () => {
    const throttle = new Throttle(options);
    guessInTurn(throttle, Array<Attempt>(7).fill(owner));
    throttle.configure({ firstDelayMs: 0, longestDelayMs: 0 });
    expect(throttle.list(0)[0]?.failures).toBe(7);
    expect(begin(throttle, owner, MINUTE).failed(MINUTE, guess("x"))).toBe(MINUTE);
  });

  it("ends an attempt once, whatever is said of it later", () => {
    const throttle = new Throttle(options);
    const running = begin(throttle, owner, 0);
    running.abandoned();
    running.failed(0, guess("x"));
    running.succeeded();
    expect(throttle.list(0)).toEqual([]);
    for (let i = 0; i < 5; i++) begin(throttle, owner, 0);
    expect(throttle.begin(owner, 0).kind).toBe("wait");
  });

  it("checks no more guesses than the delays allow, in whatever order and from wherever they come", () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ network: fc.nat(200), waitMs: fc.nat(500) }), { minLength: 50, maxLength: 300 }),
        (attempts) => {
          const throttle = new Throttle(options);
          let nowMs = 0;
          let checked = 0;
          for (const { network, waitMs } of attempts) {
            nowMs += waitMs;
            const turn = throttle.begin(from(`192.0.2.${network}`), nowMs);
            if (turn.kind !== "go") continue;
            checked++;
            turn.running.failed(nowMs, guess(checked));
          }
          // Ten are free, and from then on there is one at most each two seconds.
          expect(checked).toBeLessThanOrEqual(10 + Math.ceil(nowMs / 2_000));
        },
      ),
      atLeast(50),
    );
  });

  it("holds a bounded number of strangers, and forgets none of those under way", () => {
    const throttle = new Throttle(options, 100);
    const running = begin(throttle, from("192.0.2.1", "first"), 0);
    for (let i = 0; i < 1_000; i++) {
      begin(throttle, { account: `user${i}`, network: undefined, isShared: false }, 0).failed(0, undefined);
    }
    expect(throttle.list(0).length).toBeLessThanOrEqual(2 * 106);
    running.failed(0, guess("x"));
    expect(throttle.list(0).filter(({ account }) => account === "first")).toHaveLength(2);
  });
});
