import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { readCounters } from "../../../src/control/counters/counters.ts";
import type { Log } from "../../../src/log/log.ts";
import { atLimits, BurstLog } from "../../../src/processes/child/burst-log.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it("tells of the first, then once a minute of how many, until none came; and counts each", () => {
  const lines: unknown[] = [];
  const log = { warn: (fields: object, msg: string) => lines.push({ ...fields, msg }) };
  const bursts = new BurstLog(log as unknown as Log, atLimits);
  const told = () => lines.splice(0);
  for (let i = 0; i < 1_000; i++) bursts.refused("limits.sessions", { address: `192.0.2.${i % 256}` });
  bursts.refused("limits.sessions_per_address", { address: "198.51.100.7" });
  expect(told()).toEqual([
    { limit: "limits.sessions", address: "192.0.2.0", msg: "limit reached, refusing" },
    { limit: "limits.sessions_per_address", address: "198.51.100.7", msg: "limit reached, refusing" },
  ]);
  vi.advanceTimersByTime(60_000);
  expect(told()).toEqual([
    { limit: "limits.sessions", refused: 999, msg: "limit still reached, refused since the last line" },
  ]);
  bursts.refused("limits.sessions", { address: "192.0.2.1" });
  expect(told()).toEqual([]);
  vi.advanceTimersByTime(60_000);
  expect(told()).toMatchObject([{ refused: 1 }]);
  vi.advanceTimersByTime(600_000);
  expect(told()).toEqual([]);
  bursts.refused("limits.sessions", { address: "192.0.2.2" });
  expect(told()).toMatchObject([{ address: "192.0.2.2", msg: "limit reached, refusing" }]);
  const counted = readCounters().find(
    ({ name, labels }) => name === "limits_reached" && labels[0] === "limits.sessions",
  );
  expect(counted?.value).toBe(1_002);
});
