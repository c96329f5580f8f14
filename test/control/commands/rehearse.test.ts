import { describe, expect, it } from "vitest";
import { compare } from "../../../src/control/commands/rehearse.ts";

const a = { uniqueId: "a", octets: 1 };
const b = { uniqueId: "b", octets: 2 };
const c = { uniqueId: "c", octets: 3 };
const same = { again: 0, missing: 0, otherSize: 0, otherPlace: 0 };

describe("compare", () => {
  it.each([
    ["nothing", [a, b, c], [a, b, c], { ...same, messages: 3 }],
    ["an empty maildrop", [], [], { ...same, messages: 0 }],
    ["a new unique-id", [a, b], [a, { ...b, uniqueId: "x" }], { ...same, messages: 2, again: 1, missing: 1 }],
    ["a message that is only there", [a, b, c], [a, c], { ...same, messages: 2, missing: 1 }],
    ["a message that is only here", [a, c], [a, b, c], { ...same, messages: 3, again: 1 }],
    ["another size", [a, b], [a, { ...b, octets: 9 }], { ...same, messages: 2, otherSize: 1 }],
    ["another order", [a, b, c], [b, a, c], { ...same, messages: 3, otherPlace: 2 }],
  ])("tells %s", (_what, old, ours, expected) => {
    expect(compare(old, ours)).toEqual(expected);
  });
});
