import { describe, expect, it } from "vitest";
import {
  formatAnswer,
  type LinkAnswer,
  LinkAnswerReader,
  MAX_READ_OCTETS,
  type PassFrame,
  PassFrameReader,
  passFrame,
  withdrawFrame,
} from "../../src/processes/link-frames.ts";
import { inPieces } from "../support/in-pieces.ts";

const presented = "cGF5bG9hZA.c2VhbA lang=de utf8";

describe("PassFrameReader", () => {
  it("reads what passFrame and withdrawFrame write, however it is cut", () => {
    const read = Buffer.from("STAT\r\npass 1 2 x\nQUIT\r\n");
    const octets = Buffer.concat([
      passFrame(1, presented, read),
      Buffer.from(withdrawFrame(1)),
      passFrame(4_294_967_295, presented, new Uint8Array(0)),
    ]);
    for (const pieces of inPieces(octets)) {
      const reader = new PassFrameReader();
      const frames = pieces.map((piece) => reader.push(Buffer.from(piece)));
      expect(frames.flatMap((whole) => whole?.map(readable))).toEqual([
        { kind: "pass", number: 1, presented, read: read.toString() },
        { kind: "withdraw", number: 1 },
        { kind: "pass", number: 4_294_967_295, presented, read: "" },
      ]);
    }
  });

  it.each([
    ["another word", "serve 1\n"],
    ["no ticket", "pass 1 0\n"],
    ["no number", "pass x 0 ticket\n"],
    ["more octets than a client can have sent", `pass 1 ${MAX_READ_OCTETS + 1} ticket\n`],
    ["a line without an end", "pass 1 0 ".padEnd(9_000, "t")],
    ["a control character", "pass 1 0 tick\ret\n"],
  ])("takes %s for malformed", (_, octets) => {
    expect(new PassFrameReader().push(Buffer.from(octets))).toBeUndefined();
  });
});

describe("LinkAnswerReader", () => {
  it("reads what formatAnswer writes, however it is cut", () => {
    const answers: readonly LinkAnswer[] = [
      { kind: "ready" },
      { kind: "taken", number: 1 },
      { kind: "refused", number: 2, reply: "-ERR [IN-USE] maildrop is locked\r\n" },
      { kind: "unpassed", number: 3 },
      { kind: "over", number: 1 },
      { kind: "retiring" },
    ];
    for (const pieces of inPieces(Buffer.from(answers.map(formatAnswer).join("")))) {
      const reader = new LinkAnswerReader();
      expect(pieces.flatMap((piece) => reader.push(Buffer.from(piece)))).toEqual(answers);
    }
  });

  it.each(["gone 1\n", "taken\n", "taken -1\n", "over 1", "ready".padEnd(9_000, "y")])(
    "takes %j for no whole answer",
    (octets) => {
      expect(new LinkAnswerReader().push(Buffer.from(octets)) ?? []).toEqual([]);
    },
  );
});

function readable(frame: PassFrame) {
  return frame.kind === "pass" ? { ...frame, read: Buffer.from(frame.read).toString() } : frame;
}
