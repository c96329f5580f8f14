import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseSizelist } from "../../../src/maildir/other-servers/courier-sizelist.ts";

const parse = (text: string) => parseSizelist(Buffer.from(text, "latin1"));

describe("parseSizelist", () => {
  it("reads version 3", () => {
    expect(
      parse("/3 4 1275660208\n1.a.host:2,S 120 1:1275660208:0\n2.b c.host,S=9:2, 11 0:0:1\n3.c 7 2:0:0\n"),
    ).toEqual({
      kind: "sizelist",
      sizelist: {
        version: 3,
        nextUid: 4,
        uidValidity: 1275660208,
        malformed: 0,
        records: [
          { baseName: "1.a.host", octets: 120, uid: 1, uidValidity: 1275660208, isUtf8: false },
          { baseName: "2.b c.host,S=9", octets: 11, uid: 0, uidValidity: 0, isUtf8: true },
          { baseName: "3.c", octets: 7, uid: 2, uidValidity: 0, isUtf8: false },
        ],
      },
    });
  });

  it("reads version 2, which tells nothing of UTF-8", () => {
    expect(parse("/2 2 7\n1.a.host:2,S 120 1:7\n")).toMatchObject({
      sizelist: {
        version: 2,
        records: [{ baseName: "1.a.host", octets: 120, uid: 1, uidValidity: 7, isUtf8: undefined }],
      },
    });
  });

  it.each([
    "1.a 12",
    "1.a x 1:7:0",
    " 12 1:7:0",
    "1.a 12 1:7",
    "1.a 12 1:7:0:0",
    "1.a 12 :",
    ":2,S 12 1:7:0",
    "a/b 12 1:7:0",
  ])("leaves out the line %j and counts it", (line) => {
    expect(parse(`/3 2 7\n${line}\n2.b 3 2:7:0\n`)).toMatchObject({
      sizelist: { records: [{ baseName: "2.b" }], malformed: 1 },
    });
  });

  it.each([
    ["", "not a sizelist"],
    ["garbage\n", "not a sizelist"],
    ["/3 x 1\n", "not a sizelist"],
    ["/1 2 3\n", "another version's"],
    ["/4 2 3\n", "another version's"],
  ])("takes %j for unusable: %s", (text, reason) => {
    expect(parse(text)).toEqual({ kind: "unusable", reason });
  });

  it("never throws, and has no more records than lines", () => {
    const line = fc.oneof(
      fc.string({ unit: "binary-ascii", maxLength: 40 }),
      fc
        .tuple(fc.string({ maxLength: 10 }), fc.nat(), fc.nat(), fc.nat())
        .map(([name, size, uid, uidv]) => `${name} ${size} ${uid}:${uidv}:0`),
    );
    fc.assert(
      fc.property(fc.constantFrom("/3 1 2", "/2 1 2", "/9 1 2"), fc.array(line), (header, lines) => {
        const text = [header, ...lines].join("\n");
        const parsed = parse(text);
        if (parsed.kind === "unusable") return;
        const { records, malformed } = parsed.sizelist;
        expect(records.length + malformed).toBe(
          text
            .split("\n")
            .slice(1)
            .filter((one) => one !== "").length,
        );
        for (const record of records) expect(record.baseName).toMatch(/^[^/\0:]{1,255}$/);
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (octets) => void parseSizelist(Buffer.from(octets))),
    );
  });
});
