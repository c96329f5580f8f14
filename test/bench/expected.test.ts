// The regression guard: what is written as expected holds, what falls below its tolerance is told.
import { expect, it } from "vitest";
import { chart } from "./chart.ts";
import { compare, expectedFrom } from "./expected.ts";
import type { Report, Result } from "./results.ts";

function result(
  candidate: string,
  maker: Result["maker"],
  rateRatio: number,
  cpuRatio: number | null,
): Result {
  const sessionMs = { p50: 1, p95: 2, p99: 3 };
  const figures = {
    unitsPerSecond: 1,
    unitsPerSecondByRound: [1],
    cpuMsPerUnit: 1,
    memoryMib: 1,
    driverCpuShare: 0.1,
  };
  return { candidate, maker, ...figures, sessionMs, rateRatio, cpuRatio, memoryRatio: null };
}

function report(rateRatio: number, cpuRatio: number | null): Report {
  const results = [
    result("dewey, separate", "dewey", rateRatio, cpuRatio),
    result("dovecot, fast", "dovecot", 1, 1),
  ];
  const workload = { name: "poll-100", title: "log in", unit: "session", counts: "cpu", results } as const;
  return { machine: { cpu: "x", cores: 2, node: "v20" }, rounds: 1, measureMs: 1, workloads: [workload] };
}

it("expects of ours alone what was measured, by the ratio that counts", () => {
  expect(expectedFrom(report(3, 1.5), {})).toEqual({
    "poll-100": { tolerance: 0.2, ratios: { "dewey, separate": 1.5 } },
  });
});

it("keeps tolerances and the workloads that were not measured", () => {
  const other = { tolerance: 0.1, ratios: { "dewey, combined": 2 } };
  const before = { "fetch-5m": other, "poll-100": { tolerance: 0.5, ratios: {} } };
  expect(expectedFrom(report(3, 1.5), before)).toEqual({
    "fetch-5m": other,
    "poll-100": { tolerance: 0.5, ratios: { "dewey, separate": 1.5 } },
  });
});

it("tells what is beyond the tolerance, in either direction", () => {
  const expected = expectedFrom(report(1, 2), {});
  expect(compare(report(1, 1.7), expected)).toEqual({ worse: [], better: [], compared: 1 });
  expect(compare(report(9, 1.5), expected)).toEqual({
    worse: ["poll-100, dewey, separate: 1.50 × Dovecot (cpu), expected 2.00 ± 20 %"],
    better: [],
    compared: 1,
  });
  expect(compare(report(1, 2.5), expected).better).toHaveLength(1);
});

it("compares nothing where nothing could be measured or is expected", () => {
  const expected = expectedFrom(report(1, 2), {});
  expect(compare(report(1, null), expected).compared).toBe(0);
  expect(compare(report(1, 2), {}).compared).toBe(0);
});

it("draws a bar from 1 to the ratio for each of ours", () => {
  const svg = chart(report(1, 2));
  const one = /<line x1="([\d.]+)"[^>]*class="one"/.exec(svg)?.[1];
  expect(svg.match(/<rect x="([\d.]+)"[^>]*><title>dewey, separate/)?.[1]).toBe(one);
  expect(svg).toContain(">2.00<");
  expect(svg).not.toContain("NaN");
});
