import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { countOctets, OctetCounter } from "../../../src/maildir/sizes/octets.ts";
import { inPieces } from "../../support/in-pieces.ts";

const count = (...chunks: (string | Uint8Array)[]): number => {
  const counter = new OctetCounter();
  for (const chunk of chunks)
    counter.add(typeof chunk === "string" ? Buffer.from(chunk, "latin1") : Buffer.from(chunk));
  return counter.octets;
};

/** As RFC 1939 would have it written out. */
const asSent = (stored: string): string => {
  const lines = stored.replace(/(?<!\r)\n/g, "\r\n");
  return lines === "" || lines.endsWith("\n") ? lines : `${lines}\r\n`;
};

describe("OctetCounter", () => {
  it.each([
    ["empty", "", 0],
    ["LF lines", "a\nb\n", 6],
    ["CRLF lines", "a\r\nb\r\n", 6],
    ["mixed lines", "a\nb\r\n", 6],
    ["no final line end", "a\nb", 6],
    ["a final bare CR", "a\r", 4],
    ["a bare CR inside", "a\rb\n", 5],
    ["CR CR LF", "a\r\r\n", 4],
    ["NUL", "\0\n", 3],
    ["8-bit", "\xff\xfe\n", 4],
    ["only line ends", "\n\n\n", 6],
    ["LF CR", "\n\r", 5],
  ])("counts %s", (_what, stored, octets) => {
    expect(count(stored)).toBe(octets);
    for (const pieces of inPieces(Buffer.from(stored, "latin1"))) expect(count(...pieces)).toBe(octets);
  });

  it("counts what would be sent, however the message is cut", () => {
    const text = fc.string({
      unit: fc.constantFrom("\r", "\n", "\n", "a", ".", "\0", "\xff"),
      maxLength: 400,
    });
    fc.assert(
      fc.property(text, fc.array(fc.nat(400)), (stored, cuts) => {
        const chunks = [
          0,
          ...cuts.map((cut) => Math.min(cut, stored.length)).sort((a, b) => a - b),
          stored.length,
        ];
        const pieces = chunks.slice(1).map((end, position) => stored.slice(chunks[position], end));
        expect(count(...pieces)).toBe(asSent(stored).length);
      }),
    );
  });

  it("counts a chunk that is mostly line ends as exactly as one with long lines", () => {
    const stored = `${"x".repeat(10_000)}\n${"\n".repeat(5_000)}${"a\r\n".repeat(3_000)}${"y".repeat(10_000)}\n\r`;
    expect(count(stored)).toBe(asSent(stored).length);
  });
});

describe("countOctets", () => {
  const source = (content: Buffer) => {
    const state = { reads: 0 };
    const read = async (
      _fd: number,
      buffer: Uint8Array,
      offset: number,
      length: number,
      position: number | null,
    ) => {
      state.reads++;
      return content.copy(buffer, offset, position ?? 0, (position ?? 0) + length);
    };
    return { state, files: { read } };
  };

  it("counts a line of 10 MB with one small buffer", async () => {
    const { files } = source(Buffer.from(`${"x".repeat(10_000_000)}\n`));
    const counted = await countOctets(files, 0, Buffer.alloc(65_536), 10_000_001);
    expect(counted).toMatchObject({ bytes: 10_000_001, octets: 10_000_002 });
  });

  it("reads a short file once", async () => {
    const { files, state } = source(Buffer.from("a\n"));
    expect(await countOctets(files, 0, Buffer.alloc(100), 2)).toMatchObject({ bytes: 2, octets: 3 });
    expect(state.reads).toBe(1);
  });

  it("goes on to the end of a file that is longer than was said", async () => {
    const { files } = source(Buffer.from("a\nb\n"));
    expect(await countOctets(files, 0, Buffer.alloc(2), 2)).toMatchObject({ bytes: 4, octets: 6 });
  });

  it("stops when told to", async () => {
    const { files } = source(Buffer.from("a\nb\n"));
    expect(await countOctets(files, 0, Buffer.alloc(2), 4, () => true)).toBeUndefined();
  });
});
