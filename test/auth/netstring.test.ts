import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  formatNetstring,
  MAX_REQUEST_OCTETS,
  NetstringSplitter,
  type SplitNetstring,
} from "../../src/auth/netstring.ts";

/** What the splitter makes of the chunks; a netstring's octets as text. */
function texts(chunks: readonly Uint8Array[]): string[] {
  const splitter = new NetstringSplitter();
  return chunks.flatMap((chunk) => splitter.push(chunk)).map(text);
}

function text(found: SplitNetstring): string {
  return found.kind === "netstring" ? Buffer.from(found.octets).toString() : `malformed: ${found.reason}`;
}

/** The octets cut at any places. */
function cut(octets: Uint8Array, places: readonly number[]): Uint8Array[] {
  const sorted = [0, ...places.map((place) => place % (octets.length + 1)), octets.length].sort(
    (a, b) => a - b,
  );
  return sorted.slice(1).map((end, index) => octets.subarray(sorted[index], end));
}

describe("NetstringSplitter", () => {
  it("finds what was formatted, however it is cut", () => {
    const payload = fc.string({ unit: "binary", maxLength: 60 });
    fc.assert(
      fc.property(fc.array(payload), fc.array(fc.nat()), (payloads, places) => {
        const octets = Buffer.concat(payloads.map(formatNetstring));
        expect(texts(cut(octets, places))).toEqual(payloads);
      }),
    );
  });

  it("makes the same of any octets, whole or cut, and never goes on behind a fault", () => {
    const octet = fc.oneof(fc.constantFrom(...Buffer.from("0123:,")), fc.nat(255));
    fc.assert(
      fc.property(fc.array(octet), fc.array(fc.nat()), (values, places) => {
        const octets = Uint8Array.from(values);
        const whole = texts([octets]);
        expect(texts(cut(octets, places))).toEqual(whole);
        expect(whole.slice(0, -1).filter((found) => found.startsWith("malformed"))).toEqual([]);
      }),
    );
  });

  it("copies what it keeps and what it returns: the chunk's buffer may be used again", () => {
    const splitter = new NetstringSplitter();
    const chunk = Buffer.from("3:abc,5:he");
    const [first] = splitter.push(chunk);
    chunk.fill(0);
    expect(text(first!)).toBe("abc");
    expect(splitter.push(Buffer.from("llo,")).map(text)).toEqual(["hello"]);
  });

  it.each([
    ["abc", "its length is no number"],
    [":abc,", "its length is missing"],
    ["03:abc,", "its length begins with 0"],
    ["-1:,", "its length is no number"],
    ["3:abcd", "no comma at its end"],
    ["3 :abc,", "its length is no number"],
    [`${MAX_REQUEST_OCTETS + 1}:`, `longer than ${MAX_REQUEST_OCTETS} octets`],
    ["99999999999999999999", `longer than ${MAX_REQUEST_OCTETS} octets`],
  ])("%j is malformed: %s", (input, reason) => {
    expect(texts([Buffer.from(`0:,${input}`)])).toEqual(["", `malformed: netstring malformed: ${reason}`]);
  });

  it("takes one of the greatest length", () => {
    const longest = "x".repeat(MAX_REQUEST_OCTETS);
    expect(texts([formatNetstring(longest)])).toEqual([longest]);
  });
});
