import { describe, expect, it } from "vitest";
import { COMMAND_BUCKETS, readCommandTimes } from "../../../src/control/counters/command-times.ts";
import {
  type Counted,
  count,
  counterHelp,
  inheritCounts,
  measure,
  readCounters,
  sumCounters,
} from "../../../src/control/counters/counters.ts";

describe("counters", () => {
  it("add up by name and labels", () => {
    count("sessions", ["quit"]);
    count("sessions", ["quit"]);
    count("sessions", ["idle"]);
    count("octets_sent", [], 120);
    expect(readCounters()).toEqual([
      { name: "sessions", labels: ["quit"], value: 2 },
      { name: "sessions", labels: ["idle"], value: 1 },
      { name: "octets_sent", labels: [], value: 120 },
    ]);
  });

  it("are measured anew whenever they are read", () => {
    let days = 12;
    measure("certificate_days_left", () => [{ labels: ["/etc/a.pem"], value: days }]);
    const read = () => readCounters().filter(({ name }) => name === "certificate_days_left");
    expect(read()).toEqual([{ name: "certificate_days_left", labels: ["/etc/a.pem"], value: 12 }]);
    days = -1;
    expect(read()).toEqual([{ name: "certificate_days_left", labels: ["/etc/a.pem"], value: -1 }]);
    measure("certificate_days_left", () => []);
    expect(read()).toEqual([]);
  });

  it("sum over processes", () => {
    expect(
      sumCounters([
        { name: "sessions", labels: ["quit"], value: 2 },
        { name: "connections", labels: [], value: 1 },
        { name: "sessions", labels: ["quit"], value: 3 },
        { name: "sessions", labels: ["idle"], value: 1 },
      ]),
    ).toEqual([
      { name: "sessions", labels: ["quit"], value: 5 },
      { name: "connections", labels: [], value: 1 },
      { name: "sessions", labels: ["idle"], value: 1 },
    ]);
  });

  it("go on from what a process had counted that is no more, gauges left out", () => {
    const before = readCounters();
    inheritCounts(
      [
        { name: "sessions", labels: ["quit"], value: 5 },
        { name: "commands", labels: ["RETR", "err"], value: 2 },
        { name: "sessions_open", labels: [], value: 1 },
      ],
      [{ command: "RETR", buckets: [2, ...Array<number>(COMMAND_BUCKETS.length).fill(0)], microseconds: 7 }],
    );
    const numberOf = (counters: readonly Counted[], name: string, ...labels: string[]) =>
      counters.find((each) => each.name === name && each.labels.join() === labels.join())?.value;
    const now = readCounters();
    expect(numberOf(now, "sessions", "quit")).toBe((numberOf(before, "sessions", "quit") ?? 0) + 5);
    expect(numberOf(now, "commands", "RETR", "err")).toBe(2);
    expect(numberOf(now, "sessions_open")).toBeUndefined();
    expect(readCommandTimes()).toMatchObject([{ command: "RETR", microseconds: 7 }]);
  });

  it("are all described", () => {
    for (const { help } of Object.values(counterHelp)) expect(help).not.toBe("");
  });
});
