import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LineSplitter, type SplitLine } from "../../src/octets/line-splitter.ts";
import { chunkings } from "../auth/chunkings.ts";

const MAX_LINE_OCTETS = 16_384;

function feed(chunks: readonly Uint8Array[]): readonly SplitLine[] {
  const splitter = new LineSplitter(MAX_LINE_OCTETS);
  return chunks.flatMap((chunk) => splitter.push(chunk));
}

const line = (text: string): SplitLine => ({ kind: "line", text });

describe("LineSplitter", () => {
  describe.each(chunkings("VERSION\t1\t0\nCPID\t42\n\nFAIL\t1\tuser=Jürgen\nAUTH\t1"))(
    "fed %s",
    (_, chunks) => {
      it("gives the finished lines without their LF", () => {
        expect(feed(chunks)).toEqual([
          line("VERSION\t1\t0"),
          line("CPID\t42"),
          line(""),
          line("FAIL\t1\tuser=Jürgen"),
        ]);
      });
    },
  );

  it("takes CR for an ordinary octet", () => {
    expect(feed([Buffer.from("DONE\r\n")])).toEqual([line("DONE\r")]);
  });

  it("keeps a leading byte order mark", () => {
    expect(feed([Buffer.from("\ufeffDONE\n")])).toEqual([line("\ufeffDONE")]);
  });

  it("keeps what it needs of a chunk that is written to again", () => {
    const splitter = new LineSplitter(MAX_LINE_OCTETS);
    const chunk = Buffer.from("DONE");
    splitter.push(chunk);
    chunk.fill("x");
    expect(splitter.push(Buffer.from("\n"))).toEqual([line("DONE")]);
  });

  describe.each(chunkings(`A\n${"x".repeat(MAX_LINE_OCTETS - 1)}\nB\n`))("fed %s", (_, chunks) => {
    it("takes a line of 16,384 octets, LF included", () => {
      expect(feed(chunks)).toEqual([line("A"), line("x".repeat(16_383)), line("B")]);
    });
  });

  describe.each(chunkings(`A\n${"x".repeat(MAX_LINE_OCTETS)}\nB\n`))("fed %s", (_, chunks) => {
    it("gives up at a longer line, and says nothing more", () => {
      expect(feed(chunks)).toEqual([
        line("A"),
        { kind: "malformed", reason: "line longer than 16384 octets" },
      ]);
    });
  });

  it("gives up as soon as an unfinished line is too long", () => {
    const splitter = new LineSplitter(MAX_LINE_OCTETS);
    expect(splitter.push(Buffer.alloc(MAX_LINE_OCTETS - 1, "x"))).toEqual([]);
    expect(splitter.push(Buffer.from("x"))).toMatchObject([{ kind: "malformed" }]);
    expect(splitter.push(Buffer.alloc(1_000_000, "\n"))).toEqual([]);
  });

  it.each([
    ["NUL", Buffer.from("A\nCPID\t4\x002\nB\n")],
    ["octets that are not UTF-8", Buffer.from("A\nuser=J\xfcrgen\nB\n", "latin1")],
  ])("gives up at %s", (_, octets) => {
    const expected = [line("A"), { kind: "malformed", reason: expect.any(String) }];
    expect(feed([octets])).toEqual(expected);
    expect(feed(Array.from(octets, (octet) => Uint8Array.of(octet)))).toEqual(expected);
  });

  it("gives the same lines however any octets are cut", () => {
    const chunk = fc.uint8Array({ maxLength: 12 });
    const text = fc.string({ maxLength: 12 }).map((value) => new Uint8Array(Buffer.from(`${value}\n`)));
    fc.assert(
      fc.property(fc.array(fc.oneof(chunk, text)), (chunks) => {
        expect(feed(chunks)).toEqual(feed([Buffer.concat(chunks)]));
      }),
    );
  });
});
