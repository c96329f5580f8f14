import { describe, expect, it } from "vitest";
import {
  COMMAND_BUCKETS,
  countCommand,
  readCommandCounts,
  readCommandTimes,
  sumCommandTimes,
} from "../../../src/control/counters/command-times.ts";

/** As many as there are buckets, and one for what took longer than all. */
const buckets = (numbers: Readonly<Record<number, number>>): number[] =>
  Array.from({ length: COMMAND_BUCKETS.length + 1 }, (_, index) => numbers[index] ?? 0);

describe("command times", () => {
  it("fall into the bucket whose bound they do not exceed, and are counted by status", () => {
    countCommand("RETR", false, 0.1);
    countCommand("RETR", false, 0.11);
    countCommand("RETR", true, 31_000);
    countCommand("STAT", false, 0);
    const [retr, stat] = readCommandTimes();
    expect(retr?.buckets).toEqual(buckets({ 0: 1, 1: 1, [COMMAND_BUCKETS.length]: 1 }));
    expect(retr?.microseconds).toBe(31_000_210);
    expect(stat).toEqual({ command: "STAT", buckets: buckets({ 0: 1 }), microseconds: 0 });
    expect(readCommandCounts()).toEqual([
      { labels: ["RETR", "ok"], value: 2 },
      { labels: ["RETR", "err"], value: 1 },
      { labels: ["STAT", "ok"], value: 1 },
    ]);
  });

  it("sum over processes", () => {
    expect(
      sumCommandTimes([
        { command: "RETR", buckets: buckets({ 0: 2, 3: 1 }), microseconds: 5 },
        { command: "TOP", buckets: buckets({ 1: 1 }), microseconds: 2 },
        { command: "RETR", buckets: buckets({ 3: 4 }), microseconds: 10 },
      ]),
    ).toEqual([
      { command: "RETR", buckets: buckets({ 0: 2, 3: 5 }), microseconds: 15 },
      { command: "TOP", buckets: buckets({ 1: 1 }), microseconds: 2 },
    ]);
  });
});
