// What is told of a message's size is what goes out, for every client: each way to present it, with each set of workarounds.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  AS_STORED,
  type Counted,
  type Presentation,
  presentedOctets,
} from "../../../src/maildir/presentation.ts";
import { countWhole } from "../../../src/maildir/sizes/count-message.ts";
import { SURROGATE_KINDS } from "../../../src/mime/surrogate.ts";
import { WORKAROUNDS } from "../../../src/mime/workarounds.ts";
import { MessageEncoder } from "../../../src/pop3/multi-line-response.ts";
import { Presenter } from "../../../src/processes/mailbox/presenter.ts";

const sets = Array.from({ length: 2 ** WORKAROUNDS.length }, (_, set) =>
  WORKAROUNDS.filter((_, index) => (set & (1 << index)) !== 0),
);
const presentations = sets.flatMap((workarounds): Presentation[] => [
  { ...AS_STORED, workarounds },
  ...SURROGATE_KINDS.map((surrogate) => ({ surrogate, utf8Headers: "surrogate" as const, workarounds })),
]);

/** As the encoder counts and makes them, without byte-stuffing and termination. */
function sent(message: Buffer, { traits }: Counted, presentation: Presentation, pieceBytes: number): number {
  const presenter = Presenter.for(traits, presentation);
  const encoder = new MessageEncoder();
  const encode = (piece: Uint8Array): void => {
    encoder.encode(piece, Buffer.alloc(MessageEncoder.room(piece.length)), 0);
  };
  for (let begin = 0; begin < message.length; begin += pieceBytes) {
    const piece = message.subarray(begin, begin + pieceBytes);
    (presenter?.push(piece) ?? [piece]).forEach(encode);
  }
  presenter?.finish().forEach(encode);
  encoder.finish(Buffer.alloc(MessageEncoder.FINISH_ROOM), 0);
  return encoder.octets;
}

function expectTold(message: Buffer, pieceBytes: number, name = ""): void {
  for (const kind of SURROGATE_KINDS) {
    const counted = countWhole(message, kind);
    for (const presentation of presentations.filter(({ surrogate }) => surrogate === kind)) {
      const told = presentedOctets(counted, presentation);
      const octets = sent(message, counted, presentation, pieceBytes);
      expect(octets, `${name} ${JSON.stringify(presentation)}`).toBe(told);
    }
  }
}

describe("the octets that are told are those that are sent", () => {
  it.each([
    ["nothing", ""],
    ["a header that is left out whole", "Received: ü"],
    ["a header that is left out whole, and its end", "Received: ü\n\n"],
    ["a CR at the end", "Subject: ü\r"],
    ["a line that is no field", "ü\nSubject: ü"],
    ["NULs in a header in UTF-8", "Sub\0ject: ü\0\nX: ü\0ü\n\n\0"],
    ["bare CRs in a header in UTF-8", "Subject: ü\r\r\n\r\nSubject: ü\r ü\rü\n"],
    ["broken UTF-8 beside whole", Buffer.from("Subject: \xff\xc3\nX: \xc3\xbc\nTo: \xc3\n\n\xfc", "latin1")],
    ["a part that never begins", 'Content-Type: multipart/mixed; boundary="ü"\n\n--ü\nX: ü'],
    ["a field that goes on for ever", `X: ü${"\n ü".repeat(12_000)}`],
    ["a field of one line without end", `Subject: ${"ü".repeat(40_000)}`],
    [
      "a type that is no type",
      "Content-Type: ü/ü; ü=ü; boundary=\nContent-Type: multipart/mixed; boundary=b\n\n--b\nX: ü\n",
    ],
    [
      "an encoded message/global",
      "Content-Type: message/global\nX: ü\nContent-Transfer-Encoding: BASE64\n\nw7w=",
    ],
  ] as const)("of %s", (_, content) => {
    const message = Buffer.from(content);
    for (const pieceBytes of message.length < 1000 ? [1, 5, 65_536] : [65_536])
      expectTold(message, pieceBytes);
  });

  it("of whatever octets there are", () => {
    const piece = fc.constantFrom(
      ...[
        "Subject: ü",
        "From: ü <a@b>",
        "Received: ü",
        "To: ü@a",
        "--x",
        "--x--",
        "ü",
        "a",
        ": ",
        " ",
        "\t",
        "\0",
        "\r",
        "\n",
      ],
      ...[
        "\n\n",
        "\r\n",
        "\r\n\r\n",
        ".",
        'Content-Type: multipart/mixed; boundary="x"',
        "Content-Type: message/global",
      ],
    );
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 25 }),
        fc.integer({ min: 1, max: 20 }),
        (parts, pieceBytes) => {
          expectTold(Buffer.from(parts.join("")), pieceBytes);
        },
      ),
    );
  });

  /** Real messages, beside the checkout where there are any. */
  const corpus = fileURLToPath(new URL("../../../../shared/corpus", import.meta.url));

  it.runIf(existsSync(corpus))(
    "of each message of the corpus",
    () => {
      const files = readdirSync(corpus, { recursive: true, encoding: "utf8" }).filter((file) =>
        file.endsWith(".eml"),
      );
      expect(files.length).toBeGreaterThan(90);
      for (const file of files) expectTold(readFileSync(join(corpus, file)), 1000, file);
    },
    120_000,
  );
});
