import fc from "fast-check";
import { expect, it } from "vitest";
import { AS_STORED, presentedOctets } from "../../src/maildir/presentation.ts";
import { countWhole } from "../../src/maildir/sizes/count-message.ts";
import { WORKAROUNDS, type Workaround, WorkaroundFilter } from "../../src/mime/workarounds.ts";

function filtered(message: string, workarounds: readonly Workaround[], pieceBytes = message.length): string {
  const filter = new WorkaroundFilter(workarounds);
  const bytes = Buffer.from(message, "latin1");
  let result = "";
  for (let begin = 0; begin < bytes.length; begin += Math.max(1, pieceBytes))
    result += Buffer.from(filter.push(bytes.subarray(begin, begin + pieceBytes))).toString("latin1");
  return result + Buffer.from(filter.finish()).toString("latin1");
}

it.each([
  ["nul", "a\0b\r\0\n\0", "a\x80b\r\x80\n\x80"],
  ["bare-cr", "a\rb\r\nc\r\r\nd\r", "a b\r\nc \r\nd "],
  ["missing-end-of-headers", "A: 1\n", "A: 1\n\n"],
  ["missing-end-of-headers", "A: 1", "A: 1\r\n\n"],
  ["missing-end-of-headers", "", "\n"],
  ["missing-end-of-headers", "A: 1\r\n\r\n", "A: 1\r\n\r\n"],
  ["missing-end-of-headers", "\nbody\n", "\nbody\n"],
] as const)("%s: %j is sent as %j", (workaround, message, expected) => {
  expect(filtered(message, [workaround])).toBe(expected);
});

it("whatever the message and however it is cut, its size is what was counted for it", () => {
  const part = fc.constantFrom("\n", "\r\n", "\r", "\0", "a", "A: 1", "\xff", ".");
  fc.assert(
    fc.property(
      fc.array(part, { maxLength: 20 }),
      fc.subarray([...WORKAROUNDS]),
      fc.integer({ min: 1, max: 9 }),
      (parts, workarounds, pieceBytes) => {
        const message = parts.join("");
        const sent = filtered(message, workarounds, pieceBytes);
        expect(sent).toBe(filtered(message, workarounds));
        const octets = countWhole(Buffer.from(sent, "latin1"), "downgraded").octets;
        const counted = countWhole(Buffer.from(message, "latin1"), "downgraded");
        expect(presentedOctets(counted, { ...AS_STORED, workarounds })).toBe(octets);
        if (workarounds.includes("nul")) expect(sent).not.toContain("\0");
        if (workarounds.includes("bare-cr")) expect(sent).not.toMatch(/\r(?!\n)/);
        if (workarounds.includes("missing-end-of-headers")) expect(sent).toMatch(/(?:^|\n)\r?\n/);
      },
    ),
  );
});
