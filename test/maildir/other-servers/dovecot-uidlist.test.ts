import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type DovecotRecord, parseUidlist } from "../../../src/maildir/other-servers/dovecot-uidlist.ts";

const parse = (text: string) => parseUidlist(Buffer.from(text, "latin1"));
const records = (text: string): readonly DovecotRecord[] => {
  const parsed = parse(text);
  if (parsed.kind !== "uidlist") throw new Error(parsed.reason);
  return parsed.uidlist.records;
};
const none = { bytes: undefined, octets: undefined, uniqueId: undefined, order: undefined, guid: undefined };

describe("parseUidlist", () => {
  it("reads version 3, as Dovecot writes it", () => {
    const text = `3 V1275660208 N25022 G3085f01b7f11094c501100008c4a11c1
25006 :1276528487.M364837P9451.kurkku,S=1355,W=1394:2,
25017 W2481 :1276533073.M242911P3632.kurkku:2,F
25018 P43ef424e00000001 O3 :1276533100.M1P2.kurkku
25019 P :1276533101.M1P2.kurkku
25020 Gabc S10 W12 :name with spaces :and colons
`;
    expect(parse(text)).toEqual({
      kind: "uidlist",
      uidlist: {
        version: 3,
        uidValidity: 1275660208,
        nextUid: 25022,
        guid: "3085f01b7f11094c501100008c4a11c1",
        uidlFormat: undefined,
        malformed: 0,
        records: [
          { ...none, uid: 25006, baseName: "1276528487.M364837P9451.kurkku,S=1355,W=1394" },
          { ...none, uid: 25017, baseName: "1276533073.M242911P3632.kurkku", octets: 2481 },
          {
            ...none,
            uid: 25018,
            baseName: "1276533100.M1P2.kurkku",
            uniqueId: "43ef424e00000001",
            order: 3,
          },
          { ...none, uid: 25019, baseName: "1276533101.M1P2.kurkku", uniqueId: "" },
          { ...none, uid: 25020, baseName: "name with spaces ", guid: "abc", bytes: 10, octets: 12 },
        ],
      },
    });
  });

  it("reads the header's keys in any order, known and unknown ones", () => {
    expect(parse("3 N5 Xwhatever P%08Xu%08Xv V7\n")).toMatchObject({
      uidlist: { uidValidity: 7, nextUid: 5, uidlFormat: "%08Xu%08Xv", guid: undefined },
    });
  });

  it("reads version 1, Courier's courierimapuiddb", () => {
    expect(parse("1 1275660208 3\n1 1.a.host:2,S\n2 2.b c.host\n")).toMatchObject({
      uidlist: {
        version: 1,
        uidValidity: 1275660208,
        nextUid: 3,
        records: [
          { ...none, uid: 1, baseName: "1.a.host" },
          { ...none, uid: 2, baseName: "2.b c.host" },
        ],
      },
    });
  });

  it("leaves out a last record without a line end: its writer appends", () => {
    expect(records("3 V1 N3\n1 W5 :1.a\n2 W5 :2.b").map(({ uid }) => uid)).toEqual([1]);
  });

  it.each([
    "2 W1 :",
    "2 W1 1.a",
    "x :1.a",
    "-2 :1.a",
    "",
    "2",
    " :a",
    "2 :a/b",
    "1 :twice",
    "0 :zero",
    "9999999999999999 :a",
  ])("leaves out the line %j and counts it", (line) => {
    const parsed = parse(`3 V1 N9\n1 :1.a\n${line}\n3 :3.c\n`);
    expect(parsed).toMatchObject({ uidlist: { records: [{ uid: 1 }, { uid: 3 }], malformed: 1 } });
  });

  it("leaves out values that are no numbers", () => {
    expect(records("3 V1 N9\n1 Wx S-1 O1e3 W :1.a\n")).toEqual([{ ...none, uid: 1, baseName: "1.a" }]);
  });

  it.each([
    ["", "not a uidlist"],
    ["3 V1 N2", "not a uidlist"],
    ["garbage\n", "not a uidlist"],
    ["3 V1\n", "not a uidlist"],
    ["3 Vx N2\n", "not a uidlist"],
    ["1 5\n", "not a uidlist"],
    ["2 1 2\n", "another version's"],
    ["4 V1 N2\n", "another version's"],
  ])("takes %j for unusable: %s", (text, reason) => {
    expect(parse(text)).toEqual({ kind: "unusable", reason });
  });

  it("never throws, and has no more records than lines", () => {
    const line = fc.oneof(
      fc.string({ unit: "binary-ascii", maxLength: 40 }),
      fc
        .tuple(fc.nat(), fc.string({ maxLength: 10 }), fc.string({ maxLength: 10 }))
        .map(([uid, keys, name]) => `${uid} ${keys} :${name}`),
    );
    fc.assert(
      fc.property(fc.constantFrom("3 V1 N2", "1 1 2", "garbage"), fc.array(line), (header, lines) => {
        const text = [header, ...lines, ""].join("\n");
        const parsed = parse(text);
        if (parsed.kind === "unusable") return;
        const { records, malformed } = parsed.uidlist;
        expect(records.length + malformed).toBe(text.split("\n").length - 2);
        for (const record of records) expect(record.baseName).toMatch(/^[^/\0:]{1,255}$/);
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (octets) => void parseUidlist(Buffer.from(octets))),
    );
  });

  it("reads back what it is given", () => {
    const record = fc.record({
      baseName: fc.stringMatching(/^[!-.0-9;-~]{1,60}$/),
      bytes: fc.option(fc.nat(), { nil: undefined }),
      octets: fc.option(fc.nat(), { nil: undefined }),
      uniqueId: fc.option(fc.stringMatching(/^[!-~]{0,20}$/), { nil: undefined }),
      order: fc.option(fc.nat(), { nil: undefined }),
      guid: fc.option(fc.stringMatching(/^[0-9a-f]{1,32}$/), { nil: undefined }),
    });
    fc.assert(
      fc.property(fc.array(record), (given) => {
        const key = (letter: string, value: number | string | undefined) =>
          value === undefined ? "" : ` ${letter}${value}`;
        const lines = given.map(
          ({ bytes, octets, uniqueId, order, guid, baseName }, i) =>
            `${i + 1}${key("S", bytes)}${key("W", octets)}${key("P", uniqueId)}${key("O", order)}${key("G", guid)} :${baseName}:2,S\n`,
        );
        // A unique-id that holds " :" cannot be: values have no space.
        expect(records(`3 V1 N1\n${lines.join("")}`)).toEqual(
          given.map((one, i) => ({ ...one, uid: i + 1 })),
        );
      }),
    );
  });
});
