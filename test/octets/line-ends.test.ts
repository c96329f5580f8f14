import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assembleLoops } from "../../scripts/assemble-loops.mjs";
import {
  countLines,
  type Encoding,
  encodeLines,
  type LineCount,
  newLineCount,
} from "../../src/octets/line-ends.ts";

const LF = 10;
const CR = 13;
const DOT = 46;

/** The rules byte by byte, as RFC 1939 §3 puts them. */
function byTheRules(input: Uint8Array, last: number): { sent: number[]; octets: number; bareLfs: number } {
  const sent: number[] = [];
  let before = last;
  let stuffed = 0;
  let bareLfs = 0;
  for (const byte of input) {
    if (byte === LF && before !== CR) {
      sent.push(CR);
      bareLfs++;
    }
    if (byte === DOT && before === LF) {
      sent.push(DOT);
      stuffed++;
    }
    sent.push(byte);
    before = byte;
  }
  return { sent, octets: sent.length - stuffed, bareLfs };
}

function encode(input: Uint8Array, last: number): { sent: number[]; encoding: Encoding } {
  const output = new Uint8Array(7 + 2 * input.length);
  const encoding = { last, octets: 0 };
  const end = encodeLines(input, output, 7, encoding);
  return { sent: [...output.subarray(7, end)], encoding };
}

// Long runs between the bytes that matter, so that they fall on every place of a block of sixteen.
const run = fc.nat(40).map((length) => new Array<number>(length).fill(97));
const mark = fc.constantFrom([LF], [CR, LF], [CR], [DOT], [LF, DOT], [LF, LF], [0], [255]);
const bytes = fc.array(fc.tuple(run, mark), { maxLength: 30 }).map((parts) => Uint8Array.from(parts.flat(2)));
function count(input: Uint8Array, before = newLineCount()): LineCount {
  countLines(input, before);
  return before;
}

const before = fc.constantFrom(LF, CR, 97);

describe("encodeLines and countLines", () => {
  it("do what the rules say, wherever a line end stands", () => {
    fc.assert(
      fc.property(bytes, before, (input, last) => {
        const expected = byTheRules(input, last);
        const { sent, encoding } = encode(input, last);
        expect(sent).toEqual(expected.sent);
        expect(encoding).toEqual({ last: input.at(-1) ?? last, octets: expected.octets });
        const counted = count(input, count(Uint8Array.of(last)));
        expect(counted.bareLfs).toBe(expected.bareLfs + (last === LF ? 1 : 0));
      }),
    );
  });

  it("find empty lines and what is no ASCII, wherever the input is cut", () => {
    fc.assert(
      fc.property(bytes, fc.nat(60), (input, at) => {
        const text = Buffer.from(input).toString("latin1");
        const whole = count(input);
        expect(whole.hasEmptyLine).toBe(/(?:^|\n)\r?\n/.test(text));
        expect(whole.hasEighthBit).toBe(/[\x80-\xff]/.test(text));
        expect(count(input.subarray(at), count(input.subarray(0, at)))).toEqual(whole);
        const octetByOctet = newLineCount();
        for (const byte of input) count(Uint8Array.of(byte), octetByOctet);
        expect(octetByOctet).toEqual(whole);
      }),
    );
  });

  it("hold over inputs longer than what the loops take at a time, cut at any place", () => {
    for (const pattern of ["\n", ".\n", "\r\n", `${"a".repeat(74)}\n`, `.${"b".repeat(15)}\r`]) {
      const input = Buffer.from(pattern.repeat(Math.ceil(200_000 / pattern.length)), "latin1");
      const expected = byTheRules(input, LF);
      const { sent, encoding } = encode(input, LF);
      expect(Buffer.from(sent).equals(Buffer.from(expected.sent))).toBe(true);
      expect(encoding.octets).toBe(expected.octets);
      expect(count(input).bareLfs).toBe(expected.bareLfs);
    }
  });
});

it("loops.ts is what scripts/assemble-loops.mjs makes of loops.wat", async () => {
  const committed = readFileSync(
    fileURLToPath(new URL("../../src/octets/loops.ts", import.meta.url)),
    "utf8",
  );
  expect(committed).toBe(await assembleLoops());
});
