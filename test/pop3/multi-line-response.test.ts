import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MessageEncoder, TopLimiter } from "../../src/pop3/multi-line-response.ts";
import { atLeast } from "../support/fuzz.ts";
import { inPieces, octets } from "../support/in-pieces.ts";

function encode(pieces: readonly Uint8Array[]): { sent: string; octets: number } {
  const encoder = new MessageEncoder();
  let sent = "";
  for (const piece of pieces) {
    const output = new Uint8Array(MessageEncoder.room(piece.length));
    sent += Buffer.from(output.subarray(0, encoder.encode(piece, output, 0))).toString("latin1");
  }
  const output = new Uint8Array(MessageEncoder.FINISH_ROOM);
  sent += Buffer.from(output.subarray(0, encoder.finish(output, 0))).toString("latin1");
  return { sent, octets: encoder.octets };
}

function top(text: string, bodyLines: number): string[] {
  return inPieces(octets(text)).map((pieces) => {
    const limiter = new TopLimiter(bodyLines);
    let taken = "";
    for (const piece of pieces) {
      if (limiter.isDone) break;
      taken += Buffer.from(piece.subarray(0, limiter.take(piece))).toString("latin1");
    }
    return taken;
  });
}

describe("MessageEncoder", () => {
  const cases: [what: string, stored: string, sent: string, octets: number][] = [
    ["an LF line end becomes CRLF", "a\nb\n", "a\r\nb\r\n.\r\n", 6],
    ["a CRLF line end stays", "a\r\nb\r\n", "a\r\nb\r\n.\r\n", 6],
    ["mixed line ends", "a\nb\r\n\n", "a\r\nb\r\n\r\n.\r\n", 8],
    ["a missing final line end is added", "a", "a\r\n.\r\n", 3],
    ["an empty message stays empty", "", ".\r\n", 0],
    [
      "a line that begins with the termination octet is stuffed",
      ".\n..\n.a\nb.\n",
      "..\r\n...\r\n..a\r\nb.\r\n.\r\n",
      15,
    ],
    ["a dot behind a bare CR does not begin a line", "a\r.\n", "a\r.\r\n.\r\n", 5],
    ["a bare CR stays, and one at the end is not a line end", "a\rb\r", "a\rb\r\r\n.\r\n", 6],
    ["NUL and 8-bit octets stay", "\0\xff\n", "\0\xff\r\n.\r\n", 4],
  ];
  for (const [what, stored, sent, count] of cases) {
    it(what, () => {
      for (const pieces of inPieces(octets(stored))) expect(encode(pieces)).toEqual({ sent, octets: count });
    });
  }

  it("is undone by a client: unstuffed and without termination it has the announced octets", () => {
    const awkward = fc
      .array(fc.constantFrom(10, 13, 46, 97, 0, 255), { maxLength: 200 })
      .map((a) => Uint8Array.from(a));
    fc.assert(
      fc.property(awkward, fc.nat(200), (stored, cut) => {
        const { sent, octets } = encode([stored.slice(0, cut), stored.slice(cut)]);
        expect(sent.endsWith(octets === 0 ? ".\r\n" : "\r\n.\r\n")).toBe(true);
        // A client's view, from RFC 1939 §3: lines end in CRLF, one leading dot is taken away.
        const body = `\r\n${sent.slice(0, -3)}`.replaceAll("\r\n.", "\r\n").slice(2);
        expect(body.length).toBe(octets);
        const original = Buffer.from(stored).toString("latin1");
        const withCrlf = original.replace(/(?<!\r)\n/g, "\r\n");
        expect(body).toBe(withCrlf === "" || withCrlf.endsWith("\n") ? withCrlf : `${withCrlf}\r\n`);
        expect(/(?:^|\r\n)\.\r\n./s.test(sent)).toBe(false);
      }),
      atLeast(500),
    );
  });
});

describe("TopLimiter", () => {
  const message = "A: 1\nB: 2\n\none\ntwo\n\nfour\n";
  it.each([
    [0, "A: 1\nB: 2\n\n"],
    [1, "A: 1\nB: 2\n\none\n"],
    [3, "A: 1\nB: 2\n\none\ntwo\n\n"],
    [99, message],
  ])("takes the headers, the blank line and %i lines of the body", (lines, expected) => {
    for (const taken of top(message, lines)) expect(taken).toBe(expected);
    for (const taken of top(message.replaceAll("\n", "\r\n"), lines))
      expect(taken).toBe(expected.replaceAll("\n", "\r\n"));
  });

  it("takes all of a message that has no blank line", () => {
    for (const taken of top("A: 1\nB: 2\n", 0)) expect(taken).toBe("A: 1\nB: 2\n");
  });
});
