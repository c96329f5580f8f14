import fc from "fast-check";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { Place, SessionLimits } from "../../../src/processes/login/session-limits.ts";
import { type CountingProcess, partsOf, SessionSums } from "../../../src/processes/master/session-sums.ts";
import { ALL, type Counts } from "../../../src/processes/session-counts.ts";

const limits = { maxSessions: 5, maxSessionsPerAddress: 2 };

/** Lets in, and turns away at once what it is told to, newest first, but who has logged in; messages take as long as the test wants. */
class LoginProcess implements CountingProcess {
  readonly turnsAway = true;
  readonly #limits: SessionLimits;
  readonly #sums: SessionSums;
  readonly #delayMs: () => number;
  #arrivesAtMs = { there: 0, here: 0 };
  #isDead = false;
  open: { readonly address: string; readonly place: Place; isLoggedIn: boolean }[] = [];
  turnedAway = 0;

  constructor(sums: SessionSums, options = limits, delayMs = () => 0) {
    this.#limits = new SessionLimits({ ...options, maxSessionsHere: 1_000 }, (counts) =>
      this.#after("there", () => sums.told(this, counts)),
    );
    this.#sums = sums;
    this.#delayMs = delayMs;
    sums.joined(this);
  }

  /** In its turn, as on a channel. */
  #after(way: "there" | "here", act: () => void): void {
    const atMs = Math.max(this.#arrivesAtMs[way], Date.now() + this.#delayMs());
    this.#arrivesAtMs[way] = atMs;
    setTimeout(() => this.#isDead || act(), atMs - Date.now());
  }

  hear(counts: Counts): void {
    this.#after("here", () => this.#limits.heard(counts));
  }

  keepTo(parts: Counts): void {
    this.#after("here", () => {
      const kept: Counts = {};
      for (const { network, count } of this.#limits.excessOver(parts)) {
        const key = network ?? ALL;
        const last = this.open
          .filter((one) => !one.isLoggedIn && (network === undefined || one.place.network === network))
          .reverse()
          .slice(0, count);
        for (const one of last) {
          one.place.closed();
          this.open.splice(this.open.indexOf(one), 1);
          this.turnedAway++;
        }
        if (last.length < count) kept[key] = parts[key]! + count - last.length;
      }
      if (Object.keys(kept).length > 0) this.#after("there", () => this.#sums.kept(this, kept));
    });
  }

  enter(address: string): boolean {
    const place = this.#limits.enter();
    if (!(place instanceof Place)) return false;
    if (place.enterFrom(address) !== undefined) {
      place.closed();
      return false;
    }
    this.open.push({ address, place, isLoggedIn: false });
    return true;
  }

  logIn(): void {
    const one = this.open.find(({ isLoggedIn }) => !isLoggedIn);
    if (one !== undefined) one.isLoggedIn = true;
  }

  leave(): void {
    this.open.shift()?.place.closed();
  }

  die(): void {
    this.#isDead = true;
    this.open = [];
    this.#sums.left(this);
  }
}

function openIn(processes: readonly LoginProcess[], address?: string): number {
  return processes
    .flatMap(({ open }) => open)
    .filter((one) => address === undefined || one.address === address).length;
}

function dispensableIn(processes: readonly LoginProcess[], address?: string): number {
  return processes
    .flatMap(({ open }) => open)
    .filter((one) => !one.isLoggedIn && (address === undefined || one.address === address)).length;
}

describe("SessionSums", () => {
  beforeEach(() => {
    vi.useFakeTimers();
    return () => vi.useRealTimers();
  });

  it("lets each process know what the others have", () => {
    const sums = new SessionSums(() => limits);
    const all = [0, 1, 2].map(() => new LoginProcess(sums));
    const [a, b, c] = all as [LoginProcess, LoginProcess, LoginProcess];
    for (const [index, process] of [a, a, b, b, c].entries()) process.enter(`192.0.2.${1 + (index >> 1)}`);
    vi.advanceTimersByTime(100);
    for (const process of all) expect(process.enter("192.0.2.9")).toBe(false);
    a.leave();
    vi.advanceTimersByTime(100);
    expect(c.enter("192.0.2.2")).toBe(false);
    expect(c.enter("192.0.2.1")).toBe(true);
  });

  it("has each process give up its part of what was too many before they heard of each other, and no more", () => {
    const sums = new SessionSums(() => limits);
    const all = [0, 1].map(() => new LoginProcess(sums));
    for (const process of all) {
      for (let i = 0; i < 2; i++) expect(process.enter("2001:db8::1")).toBe(true);
      for (let i = 0; i < 3; i++) expect(process.enter(`192.0.2.${i}`)).toBe(true);
    }
    vi.advanceTimersByTime(1_000);
    expect(openIn(all, "2001:db8::1")).toBe(2);
    expect(openIn(all)).toBe(5);
    expect(all.map(({ turnedAway }) => turnedAway)).toEqual([3, 2]);
  });

  it("takes it from the others where somebody has only clients that have logged in", () => {
    const sums = new SessionSums(() => limits);
    const [a, b] = [new LoginProcess(sums), new LoginProcess(sums)];
    a.enter("192.0.2.1");
    a.logIn();
    for (let i = 2; i < 7; i++) b.enter(`192.0.2.${i}`);
    vi.advanceTimersByTime(1_000);
    expect([a.turnedAway, b.turnedAway]).toEqual([0, 1]);
    a.leave();
    vi.advanceTimersByTime(100);
    expect(b.enter("192.0.2.9")).toBe(true);
  });

  it("leaves those their place that only tell, and takes it from the others", () => {
    const sums = new SessionSums(() => limits);
    const told: Counts[] = [];
    const mailbox: CountingProcess = {
      turnsAway: false,
      hear: () => {},
      keepTo: (parts) => told.push(parts),
    };
    const login = new LoginProcess(sums);
    for (let i = 0; i < 4; i++) login.enter(`192.0.2.${i}`);
    sums.told(mailbox, { "": 3 });
    vi.advanceTimersByTime(1_000);
    expect(openIn([login])).toBe(2);
    expect(told).toEqual([]);
  });

  it("goes by the limits as they are after a reload", () => {
    let current = { ...limits, maxSessions: 100 };
    const sums = new SessionSums(() => current);
    const login = new LoginProcess(sums, current);
    for (let i = 0; i < 10; i++) login.enter(`192.0.2.${i}`);
    vi.advanceTimersByTime(1_000);
    expect(openIn([login])).toBe(10);
    current = limits;
    login.leave();
    vi.advanceTimersByTime(1_000);
    expect(openIn([login])).toBe(5);
  });

  it("forgets what a process had that has ended, and tells one that has just begun", () => {
    const sums = new SessionSums(() => limits);
    const [a, b] = [new LoginProcess(sums), new LoginProcess(sums)];
    for (let i = 0; i < 3; i++) a.enter(`192.0.2.${i}`);
    for (let i = 3; i < 5; i++) b.enter(`192.0.2.${i}`);
    vi.advanceTimersByTime(100);
    a.die();
    vi.advanceTimersByTime(100);
    for (let i = 5; i < 8; i++) expect(b.enter(`192.0.2.${i}`)).toBe(true);
    vi.advanceTimersByTime(100);
    const fresh = new LoginProcess(sums);
    vi.advanceTimersByTime(100);
    expect(fresh.enter("192.0.2.9")).toBe(false);
  });

  const ADDRESSES = ["192.0.2.1", "192.0.2.2", "2001:db8::1"];
  const step = fc.record({
    process: fc.nat(2),
    address: fc.constantFrom(...ADDRESSES),
    what: fc.constantFrom("enter", "burst", "log in", "log in", "leave", "wait", "die"),
  });

  it("never stays beyond a limit but for who has logged in, whoever comes, leaves or dies, and however late messages are", () => {
    const options = { maxSessions: 12, maxSessionsPerAddress: 5 };
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 60 }),
        fc.array(fc.nat(50), { minLength: 1, maxLength: 20 }),
        (steps, delaysMs) => {
          let at = 0;
          const delayMs = (): number => delaysMs[at++ % delaysMs.length]!;
          const sums = new SessionSums(() => options);
          const all = [0, 1, 2].map(() => new LoginProcess(sums, options, delayMs));
          for (const { process: index, address, what } of steps) {
            const process = all[index]!;
            if (what === "wait") vi.advanceTimersByTime(5 + 7 * index);
            else if (what === "enter") process.enter(address);
            else if (what === "burst") for (const one of all) while (one.enter(address));
            else if (what === "log in") process.logIn();
            else if (what === "leave") process.leave();
            else {
              process.die();
              all[index] = new LoginProcess(sums, options, delayMs);
            }
          }
          vi.advanceTimersByTime(10_000);
          expect(dispensableIn(all) === 0 || openIn(all) <= 12).toBe(true);
          for (const address of ADDRESSES) {
            const there = openIn(all, address);
            expect(dispensableIn(all, address) === 0 || there <= 5).toBe(true);
            const isRoom = there < 5 && openIn(all) < 12;
            for (const process of all) {
              expect(process.enter(address), `${there} of ${address}`).toBe(isRoom);
              if (isRoom) process.open.pop()!.place.closed();
            }
          }
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

describe("partsOf", () => {
  it("divides exactly what there is, giving nobody more than it had", () => {
    fc.assert(
      fc.property(fc.nat(1_000), fc.array(fc.nat(300)), (total, counts) => {
        const parts = partsOf(total, counts);
        const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);
        expect(sum(parts)).toBe(Math.min(total, sum(counts)));
        expect(parts.every((part, index) => part >= 0 && part <= counts[index]!)).toBe(true);
      }),
    );
  });
});
