import { describe, expect, it } from "vitest";
import { amount, duration } from "../../../src/control/terminal/units.ts";

describe("duration", () => {
  it.each([
    [0, "0s"],
    [4_400, "4s"],
    [60_000, "1m"],
    [200_000, "3m 20s"],
    [3_600_000, "1h"],
    [7_559_000, "2h 5m"],
    [86_400_000 * 8 + 3_600_000 * 3, "8d 3h"],
  ])("of %d ms is %s", (ms, text) => expect(duration(ms)).toBe(text));
});

describe("amount", () => {
  it.each([
    [0, "0"],
    [999, "999"],
    [1_000, "1.0k"],
    [1_240, "1.2k"],
    [9_949, "9.9k"],
    [9_960, "10k"],
    [999_600, "1.0M"],
    [34_000_000, "34M"],
    [2.5e9, "2.5G"],
  ])("of %d is %s", (value, text) => expect(amount(value)).toBe(text));
});
