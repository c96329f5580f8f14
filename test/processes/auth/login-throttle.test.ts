import { describe, expect, it } from "vitest";
import { type Guess, LoginThrottle, THAT_WAS_ALL } from "../../../src/processes/auth/login-throttle.ts";
import { MAX_MESSAGE_OCTETS } from "../../../src/processes/child/channel.ts";

const settings = { failureDelayMs: 1, maxFailureDelayMs: 1, throttleExemptNets: ["127.0.0.0/8"] };
/** So long that no test sees its end. */
const slow = { ...settings, failureDelayMs: 3_600_000, maxFailureDelayMs: 3_600_000 };
const password = Buffer.from("wrong");

interface Asked {
  readonly account?: string;
  readonly address?: string | undefined;
  readonly maxDelayMs?: number;
  readonly isAwaited?: () => boolean;
}

/** Waits for nobody unless told to. */
const guessOf = (throttle: LoginThrottle, asked: Asked = {}): Guess =>
  throttle.guess({ account: "mrose", address: "192.0.2.1", maxDelayMs: 0, isAwaited: () => true, ...asked });

async function failFiveTimes(throttle: LoginThrottle, asked: Asked = {}): Promise<void> {
  for (let i = 0; i < 5; i++) {
    const guess = guessOf(throttle, asked);
    expect(await guess.admit()).toBe(true);
    await guess.wrong(Buffer.from(`wrong ${i}`));
  }
}

describe("LoginThrottle", () => {
  it("refuses an attempt whose turn does not come within its time", async () => {
    const throttle = new LoginThrottle(slow);
    await failFiveTimes(throttle);
    expect(await guessOf(throttle).admit()).toBe(false);
  });

  it("never holds an answer back for longer than the MTA's patience", async () => {
    const throttle = new LoginThrottle(slow);
    const guess = guessOf(throttle, { maxDelayMs: 1 });
    await guess.admit();
    await guess.wrong(password);
    expect(throttle.list()).toContainEqual({
      account: "mrose",
      network: "192.0.2.1",
      failures: 1,
      nextInMs: expect.any(Number),
    });
  });

  it("tells of each wrong guess, a repeated one too, before it is answered, and of nothing else", async () => {
    const told: string[] = [];
    const throttle = new LoginThrottle(settings, undefined, (account) => told.push(account));
    const ended = async (end: (guess: Guess) => void | Promise<void>): Promise<void> => {
      const guess = guessOf(throttle);
      expect(await guess.admit()).toBe(true);
      const ending = end(guess);
      expect(told.length).toBe(ending === undefined ? 0 : 1);
      await ending;
    };
    await ended((guess) => guess.right());
    await ended((guess) => guess.undecided());
    for (let i = 0; i < 2; i++) {
      await ended((guess) => guess.wrong(password));
      expect(told.splice(0)).toEqual(["mrose"]);
    }
  });

  it("lets attempts that wait go on when others end", async () => {
    const throttle = new LoginThrottle(settings);
    const first = Array.from({ length: 5 }, () => guessOf(throttle));
    expect(await Promise.all(first.map((guess) => guess.admit()))).toEqual(Array(5).fill(true));
    const waiting = Array.from({ length: 20 }, () => guessOf(throttle, { maxDelayMs: 60_000 }));
    let admitted = 0;
    const all = waiting.map(async (guess) => {
      expect(await guess.admit()).toBe(true);
      admitted++;
      guess.right();
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(admitted).toBe(0);
    first[0]!.right();
    await Promise.all(all);
    expect(admitted).toBe(20);
  });

  it("lets an attempt that waits for a delay go on after it", async () => {
    const throttle = new LoginThrottle({ ...settings, failureDelayMs: 20, maxFailureDelayMs: 20 });
    await failFiveTimes(throttle, { maxDelayMs: 0 });
    expect(await guessOf(throttle, { maxDelayMs: 60_000 }).admit()).toBe(true);
  });

  it("does not let an attempt wait that nobody waits for", async () => {
    const throttle = new LoginThrottle(slow);
    await failFiveTimes(throttle);
    expect(await guessOf(throttle, { maxDelayMs: 60_000, isAwaited: () => false }).admit()).toBe(false);
  });

  it("takes the addresses of a /64 for one, and those of exempt networks for many people", async () => {
    const throttle = new LoginThrottle(slow);
    for (let i = 0; i < 20; i++) {
      const guess = guessOf(throttle, { account: `user${i}`, address: `2001:db8::${i}` });
      expect(await guess.admit()).toBe(true);
      await guess.wrong(password);
    }
    expect(await guessOf(throttle, { account: "next", address: "2001:db8::ffff" }).admit()).toBe(false);
    expect(await guessOf(throttle, { account: "next", address: "2001:db8:0:1::1" }).admit()).toBe(true);
    for (let i = 0; i < 40; i++) {
      const guess = guessOf(throttle, { account: `user${i}`, address: "127.0.0.1" });
      expect(await guess.admit()).toBe(true);
      await guess.wrong(password);
    }
  });

  it("keeps what it has counted over a reload", async () => {
    const throttle = new LoginThrottle(slow);
    await failFiveTimes(throttle);
    throttle.configure({ ...slow, throttleExemptNets: [] });
    expect(await guessOf(throttle).admit()).toBe(false);
  });

  it("leaves all of it to the process that takes over, in parts that each fit a message", async () => {
    const throttle = new LoginThrottle(slow);
    for (let i = 0; i < 1_500; i++) {
      const guess = guessOf(throttle, { account: `user${i}`, address: "127.0.0.1" });
      await guess.admit();
      await guess.wrong(Buffer.from(`wrong ${i}`));
    }
    await failFiveTimes(throttle);
    const known = guessOf(throttle, { account: "known", address: "198.51.100.1" });
    await known.admit();
    known.right();
    const successor = new LoginThrottle(slow);
    const parts = throttle.handOver();
    for (const part of [...parts, THAT_WAS_ALL]) {
      const text = JSON.stringify(part);
      expect(text.length).toBeLessThan(MAX_MESSAGE_OCTETS / 2);
      expect(successor.succeed(JSON.parse(text))).toBe(true);
    }
    expect(parts).toHaveLength(5);
    expect(parts.flatMap(({ counted = [] }) => counted)).toHaveLength(3_003);
    expect(await guessOf(successor).admit()).toBe(false);
    for (let i = 0; i < 10; i++) {
      const stranger = guessOf(successor, { account: "known", address: `203.0.113.${i}` });
      await stranger.admit();
      await stranger.wrong(Buffer.from(`wrong ${i}`));
    }
    expect(await guessOf(successor, { account: "known", address: "203.0.113.99" }).admit()).toBe(false);
    expect(await guessOf(successor, { account: "known", address: "198.51.100.1" }).admit()).toBe(true);
    for (const none of [undefined, [], { counted: [{}] }]) expect(successor.succeed(none)).toBe(false);
  });

  it("clears by account, by address, by the network as it is listed, or all", async () => {
    for (const whom of ["mrose", "2001:db8::7", "2001:db8:0:0::/64", undefined]) {
      const throttle = new LoginThrottle(slow);
      await failFiveTimes(throttle, { address: "2001:db8::1" });
      expect(throttle.clear("nobody")).toBe(0);
      expect(throttle.clear(whom), whom).toBeGreaterThan(1);
      expect(await guessOf(throttle, { address: "2001:db8::1" }).admit(), whom).toBe(true);
    }
  });

  it("counts an attempt without a verdict as none", async () => {
    const throttle = new LoginThrottle(slow);
    for (let i = 0; i < 10; i++) {
      const guess = guessOf(throttle);
      expect(await guess.admit()).toBe(true);
      guess.undecided();
    }
    expect(throttle.list()).toEqual([]);
  });
});
