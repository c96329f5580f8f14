import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { md4, md5BlockState } from "../../../src/accounts/passwords/md-digest.ts";

describe("md4", () => {
  // RFC 1320 §A.5
  it.each([
    ["", "31d6cfe0d16ae931b73c59d7e0c089c0"],
    ["a", "bde52cb31de33e46245e05fbdbd6fb24"],
    ["abc", "a448017aaf21d8525fc10ae87aa6729d"],
    ["message digest", "d9130a8164549fe818874806e1c7014b"],
    ["abcdefghijklmnopqrstuvwxyz", "d79e1c308aa5bbcdeea8ed63df412da9"],
    ["ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", "043f8582f241db351ce627e153e7f0e4"],
    [
      "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
      "e33b4ddc9c38f2199c3e7b164fcc0536",
    ],
  ])("of %j", (message, digest) => {
    expect(Buffer.from(md4(Buffer.from(message))).toString("hex")).toBe(digest);
  });
});

describe("md5BlockState", () => {
  it("is MD5 itself where the one block holds message and padding", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 55 }), (message) => {
        const block = new Uint8Array(64);
        block.set(message);
        block[message.length] = 0x80;
        new DataView(block.buffer).setUint32(56, message.length * 8, true);
        expect(Buffer.from(md5BlockState(block))).toEqual(createHash("md5").update(message).digest());
      }),
    );
  });

  it("wants exactly one block", () => {
    expect(() => md5BlockState(new Uint8Array(63))).toThrow(RangeError);
  });
});
