import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Line, LineReader } from "../../src/pop3/line-reader.ts";
import { inPieces, octets } from "../support/in-pieces.ts";

function read(pieces: readonly Uint8Array[], maxOctets?: (start: string) => number): Line[] {
  const reader = new LineReader(maxOctets);
  const lines: Line[] = [];
  for (const piece of pieces) {
    reader.push(piece);
    for (let line = reader.next(); line !== undefined; line = reader.next()) lines.push(line);
  }
  return lines;
}

const line = (text: string): Line => ({ kind: "line", text });
const tooLong: Line = { kind: "too-long" };

describe("LineReader", () => {
  it("cuts CRLF and bare LF lines alike, however the octets arrive", () => {
    for (const pieces of inPieces(octets("USER mrose\r\nPASS a\rb \r\n\r\nQUIT\nhalf"))) {
      expect(read(pieces)).toEqual([line("USER mrose"), line("PASS a\rb "), line(""), line("QUIT")]);
    }
  });

  it("keeps every octet of a line as one character", () => {
    const all = Array.from({ length: 256 }, (_, octet) => octet).filter(
      (octet) => octet !== 10 && octet !== 13,
    );
    const [first] = read([Uint8Array.of(...all, 13, 10)], () => 1000);
    expect(first).toEqual(line(String.fromCharCode(...all)));
  });

  it("takes a line of 255 octets and refuses one of 256, CRLF included", () => {
    for (const pieces of inPieces(octets(`${"a".repeat(253)}\r\n${"b".repeat(254)}\r\nNOOP\r\n`))) {
      expect(read(pieces)).toEqual([line("a".repeat(253)), tooLong, line("NOOP")]);
    }
  });

  it("refuses a line once, however long it gets, and holds none of it", () => {
    const reader = new LineReader();
    for (let i = 0; i < 10_000; i++) {
      reader.push(new Uint8Array(1000).fill(97));
      expect(reader.next()).toBeUndefined();
      expect(reader.hasOctets).toBe(false);
    }
    reader.push(octets("\r\nNOOP\r\n"));
    expect(reader.next()).toEqual(tooLong);
    expect(reader.next()).toEqual(line("NOOP"));
  });

  it("keeps of a large chunk no more than the line that is not whole yet", () => {
    const reader = new LineReader();
    reader.push(Buffer.from(`${"NOOP\r\n".repeat(10_000)}ST`));
    for (let i = 0; i < 10_000; i++) expect(reader.next()).toEqual(line("NOOP"));
    expect(reader.next()).toBeUndefined();
    reader.push(octets("AT\r\nQU"));
    expect([reader.next(), reader.next()]).toEqual([line("STAT"), undefined]);
    expect(reader.takeRest().buffer.byteLength).toBe(2);
  });

  it("asks for the limit of a longer line by its first characters", () => {
    const limit = (start: string): number => (start.toUpperCase() === "AUTH " ? 1000 : 255);
    const auth = `AUTH PLAIN ${"A".repeat(600)}`;
    for (const pieces of inPieces(octets(`${auth}\r\nUSER ${"b".repeat(600)}\r\n`))) {
      expect(read(pieces, limit)).toEqual([line(auth), tooLong]);
    }
  });

  it("gives the octets not yet read as lines, and is empty then", () => {
    const reader = new LineReader();
    reader.push(octets("PASS secret\r\nSTAT\r\nLI"));
    expect(reader.next()).toEqual(line("PASS secret"));
    expect(reader.takeRest()).toEqual(octets("STAT\r\nLI"));
    expect(reader.hasOctets).toBe(false);
    expect(reader.next()).toBeUndefined();
  });

  it("reads the same lines wherever the octets are split", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), fc.array(fc.nat(600)), (input, cuts) => {
        const places = [...new Set(cuts.filter((cut) => cut < input.length))].sort((a, b) => a - b);
        const pieces = [...places, input.length].map((end, index) =>
          input.slice(places[index - 1] ?? 0, end),
        );
        expect(read(pieces)).toEqual(read([input]));
      }),
    );
  });
});
