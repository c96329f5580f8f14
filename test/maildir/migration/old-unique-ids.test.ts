import { expect, it } from "vitest";
import { courierUniqueIds, dovecotUniqueIds } from "../../../src/maildir/migration/old-unique-ids.ts";
import { parseSizelist } from "../../../src/maildir/other-servers/courier-sizelist.ts";
import { parseUidlist } from "../../../src/maildir/other-servers/dovecot-uidlist.ts";
import { DEFAULT_UIDL_FORMAT, parseUidlFormat } from "../../../src/maildir/other-servers/uidl-format.ts";

it("dovecot-uidlist: O before uid, a saved P, an empty P, and the format for the rest", () => {
  const parsed = parseUidlist(
    Buffer.from(
      [
        "3 V1275660208 N25022 G3085f01b7f11094c501100008c4a11c1",
        "25006 :1276528487.M364837P9451.kurkku,S=1355,W=1394:2,",
        "25017 W2481 :1276533073.M242911P3632.kurkku:2,F",
        "25018 P43ef424e00000001 O3 :1276533100.M1P2.kurkku",
        "25019 P :1276533101.M1P2.kurkku",
        "25020 O2 :1276533102.M1P2.kurkku",
        "",
      ].join("\n"),
    ),
  );
  const format = parseUidlFormat(DEFAULT_UIDL_FORMAT);
  if (parsed.kind !== "uidlist" || format.kind !== "format") throw new Error("not parsed");
  expect(dovecotUniqueIds(parsed.uidlist, format.make)).toEqual([
    ["1276533102.M1P2.kurkku", "000061bc4c0907b0"],
    ["1276533100.M1P2.kurkku", "43ef424e00000001"],
    ["1276528487.M364837P9451.kurkku,S=1355,W=1394", "000061ae4c0907b0"],
    ["1276533073.M242911P3632.kurkku", "000061b94c0907b0"],
    ["1276533101.M1P2.kurkku", "1276533101.M1P2.kurkku"],
  ]);
});

it("courierpop3dsizelist: by uid and uid validity, by uid, by the escaped name; in order of the names", () => {
  const parsed = parseSizelist(
    Buffer.from(
      [
        "/3 8 1275660208",
        "20.b.host:2,S 11 7:1275660208:0",
        "3.c.host 11 6:0:0",
        "100.a+b'c \"\xe9.host:2, 11 0:0:1",
        "20.a.host 11 5:1275660208:0",
        "",
      ].join("\n"),
      "latin1",
    ),
  );
  if (parsed.kind !== "sizelist") throw new Error(parsed.reason);
  expect(courierUniqueIds(parsed.sizelist)).toEqual([
    ["3.c.host", "UID6"],
    ["20.a.host", "UID5-1275660208"],
    ["20.b.host", "UID7-1275660208"],
    ["100.a+b'c \"\xe9.host", "100.a+2Bb+27c+20+22+E9.host"],
  ]);
});
