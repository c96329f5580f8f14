import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  baseName,
  compareDelivery,
  deliveryTimeUs,
  hasFlag,
  isPlausible,
  sizesFromName,
  withFlag,
} from "../../src/maildir/filename.ts";

const byteString = fc.string({ unit: fc.nat(255).map((code) => String.fromCharCode(code)), maxLength: 255 });

describe("baseName", () => {
  it("ends before the first colon", () => {
    expect(baseName("1276528487.M364837P9451.kurkku,S=1355:2,S")).toBe(
      "1276528487.M364837P9451.kurkku,S=1355",
    );
    expect(baseName("1.2.host:S123")).toBe("1.2.host");
    expect(baseName("a:2,S:2,F")).toBe("a");
    expect(baseName("no-info")).toBe("no-info");
  });
});

describe("withFlag", () => {
  it("adds an info part where there is none", () => {
    expect(withFlag("1.2.host", "S")).toBe("1.2.host:2,S");
    expect(withFlag("1.2.host:", "S")).toBe("1.2.host:2,S");
  });

  it("keeps the flags in ASCII order", () => {
    expect(withFlag("1.2.host:2,FRT", "S")).toBe("1.2.host:2,FRST");
    expect(withFlag("1.2.host:2,a", "S")).toBe("1.2.host:2,Sa");
    expect(withFlag("1.2.host:2,", "S")).toBe("1.2.host:2,S");
  });

  it("leaves a name that has the flag as it is, whatever the order of its flags", () => {
    expect(withFlag("1.2.host:2,SF", "S")).toBe("1.2.host:2,SF");
  });

  it("leaves an info part of another kind as it is", () => {
    expect(withFlag("1.2.host:1,whatever", "S")).toBe("1.2.host:1,whatever");
    expect(withFlag("1.2.host:S123", "S")).toBe("1.2.host:S123");
    expect(hasFlag("1.2.host:S123", "S")).toBe(true);
  });

  it("never changes the base name, and has nothing to add the second time", () => {
    fc.assert(
      fc.property(byteString, (name) => {
        const flagged = withFlag(name, "S");
        expect(baseName(flagged)).toBe(baseName(name));
        expect(withFlag(flagged, "S")).toBe(flagged);
        expect(hasFlag(flagged, "S")).toBe(true);
      }),
    );
  });
});

describe("deliveryTimeUs", () => {
  it.each([
    ["qmail", "1200000000.12345.host", 1_200_000_000_000_000],
    ["Postfix", "1200000000.V803I1a2fM7.host", 1_200_000_000_000_007],
    ["Postfix, an inode that ends in a letter", "1200000000.V803IabcdefM123456.host", 1_200_000_000_123_456],
    ["Exim", "1200000000.M364837P9451.host,S=1355:2,S", 1_200_000_000_364_837],
    ["Exim before 4.9", "1200000000.H364837P9451.host", 1_200_000_000_364_837],
    ["Dovecot", "1200000000.M1P2Q3.host,W=3", 1_200_000_000_000_001],
    ["Courier", "1200000000.M1P2V00000803I00001f_0.host", 1_200_000_000_000_001],
    ["more than a second of microseconds", "1.M99999999P1.host", 1_999_999],
  ])("reads the name of %s", (_program, name, timeUs) => {
    expect(deliveryTimeUs(name)).toBe(timeUs);
  });

  it.each(["", "garbage", ".1200000000", "1200000000", "x1200000000.M1P1.host", "12a.M5P1.host"])(
    "gives 0 for a name of another making: %j",
    (name) => {
      expect(deliveryTimeUs(name)).toBe(0);
    },
  );

  it("does not take the host's name for microseconds", () => {
    expect(deliveryTimeUs("1200000000.12345.M5.example")).toBe(1_200_000_000_000_000);
    expect(deliveryTimeUs("1200000000.M5x.host")).toBe(1_200_000_000_000_005);
    expect(deliveryTimeUs("1200000000.M5ap.host")).toBe(1_200_000_000_000_000);
  });

  it("is exact and finite for any name", () => {
    fc.assert(
      fc.property(byteString, fc.bigInt({ min: 0n, max: 10n ** 40n }), (rest, seconds) => {
        for (const name of [rest, `${seconds}.${rest}`, `${seconds}.M${seconds}${rest}`]) {
          expect(Number.isSafeInteger(deliveryTimeUs(name))).toBe(true);
        }
      }),
    );
  });
});

describe("compareDelivery", () => {
  const sorted = (names: string[]) =>
    names.toSorted((a, b) => compareDelivery(deliveryTimeUs(a), a, deliveryTimeUs(b), b));

  it("orders by seconds as numbers, then microseconds, then bytes of the base name", () => {
    const inOrder = [
      "garbage",
      "999999999.M9P1.host",
      "1000000000.M2P9.host:2,S",
      "1000000000.M10P1.host",
      "1000000001.1.a:2,Z",
      "1000000001.1.b:2,A",
      "1000000001.1.\xe4",
    ];
    expect(sorted(inOrder.toReversed())).toEqual(inOrder);
  });

  it("does not look at flags", () => {
    expect(compareDelivery(1, "1.1.host:2,S", 1, "1.1.host")).toBe(0);
  });
});

describe("sizesFromName", () => {
  it.each([
    ["1.M1P1.host,S=1355,W=1394:2,S", 1355, 1394],
    ["1.M1P1.host,W=1394", undefined, 1394],
    ["1.M1P1.host,S=1355", 1355, undefined],
    ["1.M1P1.host", undefined, undefined],
    ["1.M1P1.host:2,S,S=5,W=6", undefined, undefined],
    ["1.M1P1.host,S=12x", undefined, undefined],
    ["1.M1P1.host,S=-5", undefined, undefined],
    ["1.M1P1.host,S=1e3", undefined, undefined],
    ["1.M1P1.host,S=9999999999999999999", undefined, undefined],
    ["1.M1P1.host,S=0,W=0", 0, 0],
  ])("reads %s", (name, bytes, octets) => {
    expect(sizesFromName(name)).toEqual({ bytes, octets });
  });

  it("does not believe octets that no file of that size has", () => {
    expect(sizesFromName("1.M1P1.host,S=1355,W=1354").octets).toBeUndefined();
    expect(sizesFromName("1.M1P1.host,S=1355,W=2712").octets).toBeUndefined();
  });
});

describe("isPlausible", () => {
  it("takes what an empty file, only line ends, and one octet without a line end can have", () => {
    expect(isPlausible(0, 0)).toBe(true);
    expect(isPlausible(1, 0)).toBe(false);
    expect(isPlausible(20, 10)).toBe(true);
    expect(isPlausible(3, 1)).toBe(true);
    expect(isPlausible(4, 1)).toBe(false);
  });
});
