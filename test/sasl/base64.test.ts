import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeBase64, encodeBase64, isBase64 } from "../../src/sasl/base64.ts";

describe("decodeBase64", () => {
  // RFC 4648 §10
  it.each([
    ["", ""],
    ["Zg==", "f"],
    ["Zm8=", "fo"],
    ["Zm9v", "foo"],
    ["Zm9vYg==", "foob"],
    ["Zm9vYmE=", "fooba"],
    ["Zm9vYmFy", "foobar"],
  ])("%j is %j", (text, decoded) => {
    expect(Buffer.from(decodeBase64(text)!).toString()).toBe(decoded);
    expect(encodeBase64(Buffer.from(decoded))).toBe(text);
  });

  it.each([
    "=",
    "==",
    "====",
    "Zg",
    "Zg=",
    "Zg===",
    "Z===",
    "Zm8",
    "Zm9v=",
    "Z g=",
    "Zg==Zg==",
    "Zm9_",
    "Zm9-",
    "Zm9v\n",
    "Zm9v\r\n\r\n",
    "Zmü=",
  ])("refuses %j", (text) => {
    expect(isBase64(text)).toBe(false);
    expect(decodeBase64(text)).toBeUndefined();
  });
});

describe("encodeBase64", () => {
  it("is undone by decodeBase64, also for a part of a buffer", () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.nat(10), (octets, start) => {
        const part = octets.subarray(start);
        expect(Buffer.compare(decodeBase64(encodeBase64(part))!, part)).toBe(0);
      }),
    );
  });
});
