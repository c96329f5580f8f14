import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { digestOf, isUniqueId, uniqueIdOf } from "../../src/maildir/unique-id.ts";

describe("uniqueIdOf", () => {
  it.each(["1276528487.M364837P9451.kurkku,S=1355,W=1394", "!", "~", "a".repeat(70)])(
    "is the base name where that fits: %s",
    (base) => {
      expect(uniqueIdOf(base)).toBe(base);
    },
  );

  it.each(["", "a".repeat(71), "with space", "tab\t", "nul\0", "caf\xe9", "del\x7f"])(
    "is a digest where the base name does not fit: %j",
    (base) => {
      expect(uniqueIdOf(base)).toMatch(/^sha256-[A-Za-z0-9_-]{43}$/);
    },
  );

  it("stays what it was in earlier versions", () => {
    expect(uniqueIdOf("with space")).toBe("sha256-uLjyWl_HEcrqHP6_4CNZ484rmo-c4C0Y_csbpH_wlfE");
  });

  it("gives a file that is named like another one's digest an id of its own", () => {
    const digest = uniqueIdOf("with space");
    expect(uniqueIdOf(digest)).not.toBe(digest);
    expect(uniqueIdOf(digest)).toBe(digestOf(digest));
  });

  it("is valid for any base name, and different for different ones", () => {
    const byteString = fc.string({ unit: fc.nat(255).map((code) => String.fromCharCode(code)) });
    fc.assert(
      fc.property(byteString, byteString, (a, b) => {
        expect(isUniqueId(uniqueIdOf(a))).toBe(true);
        if (a !== b) expect(uniqueIdOf(a)).not.toBe(uniqueIdOf(b));
      }),
    );
  });
});
