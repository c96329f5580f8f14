import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { escapeTabs, unescapeTabs } from "../../../src/auth/protocol/tab-escape.ts";

const PAIRS = [
  ["", ""],
  ["Jürgen Rose", "Jürgen Rose"],
  ["a\tb", "a\x01tb"],
  ["a\nb", "a\x01nb"],
  ["a\rb", "a\x01rb"],
  ["a\0b", "a\x010b"],
  ["a\x01b", "a\x011b"],
  ["\x01t", "\x011t"],
] as const;

describe("escapeTabs", () => {
  it.each(PAIRS)("%j becomes %j", (value, escaped) => {
    expect(escapeTabs(value)).toBe(escaped);
  });

  it("leaves nothing that could end a field or a line", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (value) => {
        expect(escapeTabs(value)).not.toMatch(/[\t\n\r\0]/);
      }),
    );
  });
});

describe("unescapeTabs", () => {
  it.each(PAIRS)("gives %j back from %j", (value, escaped) => {
    expect(unescapeTabs(escaped)).toBe(value);
  });

  it.each(["\x01", "a\x01", "\x01x", "\x01\x01", "\x012"])("refuses %j", (escaped) => {
    expect(unescapeTabs(escaped)).toBeUndefined();
  });

  it("undoes escapeTabs for every string", () => {
    const special = fc.array(fc.constantFrom("\x01", "\0", "\t", "\n", "\r", "0", "1", "t", "n", "r"));
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: "binary" }),
          special.map((parts) => parts.join("")),
        ),
        (value) => {
          expect(unescapeTabs(escapeTabs(value))).toBe(value);
        },
      ),
    );
  });
});
