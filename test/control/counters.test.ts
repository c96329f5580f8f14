import { describe, expect, it } from "vitest";
import { count, counterHelp, measure, readCounters, sumCounters } from "../../src/control/counters.ts";

describe("counters", () => {
  it("add up by name and labels", () => {
    count("commands", ["RETR", "ok"]);
    count("commands", ["RETR", "ok"]);
    count("commands", ["RETR", "err"]);
    count("octets_sent", [], 120);
    expect(readCounters()).toEqual([
      { name: "commands", labels: ["RETR", "ok"], value: 2 },
      { name: "commands", labels: ["RETR", "err"], value: 1 },
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

  it("are all described", () => {
    for (const { help } of Object.values(counterHelp)) expect(help).not.toBe("");
  });
});
