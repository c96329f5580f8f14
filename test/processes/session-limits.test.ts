import fc from "fast-check";
import { beforeEach, describe, expect, it, vi } from "vitest";
import {
  type CountingProcess,
  type Counts,
  type Excess,
  SessionLimits,
  SessionSums,
} from "../../src/processes/session-limits.ts";

const options = { maxSessions: 5, maxSessionsPerAddress: 2, maxSessionsHere: 100 };

describe("SessionLimits", () => {
  it("says no to the connection beyond the limit, and yes again when one has left", () => {
    const limits = new SessionLimits(options);
    for (let i = 0; i < 5; i++) expect(limits.enter()).toBeUndefined();
    expect(limits.enter()).toBe("sessions");
    limits.leave();
    expect(limits.enter()).toBeUndefined();
    expect(limits.enter()).toBe("sessions");
  });

  it("counts an IPv4 address by itself, an IPv6 one with its /64", () => {
    const limits = new SessionLimits(options);
    for (const [address, limit] of [
      ["192.0.2.1", undefined],
      ["192.0.2.1", undefined],
      ["192.0.2.1", "sessions_per_address"],
      ["::ffff:192.0.2.1", "sessions_per_address"],
      ["192.0.2.2", undefined],
      ["2001:db8:1:2::1", undefined],
      ["2001:db8:1:2:ffff:ffff:ffff:ffff", undefined],
      ["2001:db8:1:2:3::", "sessions_per_address"],
      ["2001:db8:1:3::1", undefined],
    ] as const) {
      expect(limits.enterFrom(address), address).toBe(limit);
    }
    limits.leaveFrom("2001:db8:1:2::99");
    expect(limits.enterFrom("2001:db8:1:2:3::")).toBeUndefined();
  });

  it("keeps to what its process has descriptors for, whatever the config allows", () => {
    const limits = new SessionLimits({ ...options, maxSessionsHere: 1 });
    expect(limits.enter()).toBeUndefined();
    expect(limits.enter()).toBe("open_files");
  });

  it("follows a reload", () => {
    const limits = new SessionLimits(options);
    for (let i = 0; i < 5; i++) limits.enter();
    limits.configure({ ...options, maxSessions: 6 });
    expect(limits.enter()).toBeUndefined();
    limits.configure({ ...options, maxSessions: 2 });
    expect(limits.enter()).toBe("sessions");
  });
});

describe("SessionSums", () => {
  interface LoginProcess extends CountingProcess {
    readonly limits: SessionLimits;
  }

  function start(sums: SessionSums): LoginProcess {
    const limits = new SessionLimits(options, (counts) => {
      if (!dead.has(self)) sums.told(self, counts);
    });
    const self: LoginProcess = { limits, hear: (counts) => void limits.heard(counts) };
    sums.joined(self);
    return self;
  }
  const dead = new Set<LoginProcess>();

  beforeEach(() => {
    vi.useFakeTimers();
    return () => vi.useRealTimers();
  });

  it("lets each process know what the others have", () => {
    const sums = new SessionSums();
    const [a, b, c] = [start(sums), start(sums), start(sums)];
    const all = [a, b, c];
    for (const { limits } of [a, a, b, b, c]) limits.enter();
    a.limits.enterFrom("192.0.2.1");
    b.limits.enterFrom("192.0.2.1");
    vi.advanceTimersByTime(100);
    for (const { limits } of all) expect(limits.enter()).toBe("sessions");
    for (const { limits } of all) expect(limits.enterFrom("192.0.2.1")).toBe("sessions_per_address");
    a.limits.leave();
    b.limits.leaveFrom("192.0.2.1");
    vi.advanceTimersByTime(100);
    expect(c.limits.enter()).toBeUndefined();
    expect(c.limits.enterFrom("192.0.2.1")).toBeUndefined();
  });

  it("has each process end its part of what was too many before they heard of each other", () => {
    const sums = new SessionSums();
    const excesses: Excess[][] = [[], []];
    const all = [0, 1].map((index) => {
      const limits = new SessionLimits(options, (counts) => sums.told(self, counts));
      const self = { limits, hear: (counts: Counts) => void excesses[index]!.push(...limits.heard(counts)) };
      sums.joined(self);
      return self;
    });
    for (const { limits } of all) {
      for (let i = 0; i < 5; i++) expect(limits.enter()).toBeUndefined();
      for (let i = 0; i < 2; i++) expect(limits.enterFrom("2001:db8::1")).toBeUndefined();
    }
    vi.advanceTimersByTime(100);
    for (const found of excesses) {
      expect(found).toContainEqual({ limit: "sessions", network: undefined, count: 2 });
      expect(found).toContainEqual({
        limit: "sessions_per_address",
        network: "2001:db8:0:0::/64",
        count: 1,
      });
    }
  });

  it("forgets what a process had that has ended, and tells one that has just begun", () => {
    const sums = new SessionSums();
    const [a, b] = [start(sums), start(sums)];
    for (let i = 0; i < 3; i++) a.limits.enter();
    for (let i = 0; i < 2; i++) b.limits.enter();
    vi.advanceTimersByTime(100);
    sums.left(a);
    for (let i = 0; i < 3; i++) expect(b.limits.enter()).toBeUndefined();
    vi.advanceTimersByTime(100);
    const fresh = start(sums);
    expect(fresh.limits.enter()).toBe("sessions");
  });

  it("adds up to what there is, whoever comes, leaves or dies", () => {
    const step = fc.record({
      process: fc.nat(2),
      address: fc.constantFrom("192.0.2.1", "192.0.2.2", "2001:db8::1"),
      what: fc.constantFrom("enter", "leave", "settle", "die"),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const sums = new SessionSums();
        const all = [start(sums), start(sums), start(sums)];
        const open = all.map(() => [] as string[]);
        for (const { process, address, what } of steps) {
          const { limits } = all[process]!;
          if (what === "settle") vi.advanceTimersByTime(100);
          else if (what === "enter" && limits.enterFrom(address) === undefined) open[process]!.push(address);
          else if (what === "leave") {
            const left = open[process]!.pop();
            if (left !== undefined) limits.leaveFrom(left);
          } else if (what === "die") {
            dead.add(all[process]!);
            sums.left(all[process]!);
            all[process] = start(sums);
            open[process] = [];
          }
        }
        vi.advanceTimersByTime(1_000);
        for (const address of ["192.0.2.1", "192.0.2.2", "2001:db8::1"]) {
          const there = open.flat().filter((one) => one === address).length;
          for (const { limits } of all) {
            expect(limits.enterFrom(address) === undefined, `${there} of ${address}`).toBe(there < 2);
            if (there < 2) limits.leaveFrom(address);
          }
        }
      }),
    );
  });
});
