import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatSocketmapReply, parseSocketmapRequest } from "../../src/auth/socketmap.ts";

describe("parseSocketmapRequest", () => {
  it("splits at the first space: keys may have spaces", () => {
    expect(parseSocketmapRequest(Buffer.from("recipient mrose@example.org"))).toEqual({
      kind: "lookup",
      map: "recipient",
      key: "mrose@example.org",
    });
    expect(parseSocketmapRequest(Buffer.from('recipient "a b"@example.org'))).toMatchObject({
      key: '"a b"@example.org',
    });
    expect(parseSocketmapRequest(Buffer.from("recipient "))).toMatchObject({ map: "recipient", key: "" });
  });

  it.each(["", "recipient", " mrose"])("%j is no request", (text) => {
    expect(parseSocketmapRequest(Buffer.from(text)).kind).toBe("malformed");
  });

  it("never throws, whatever the octets", () => {
    fc.assert(
      fc.property(fc.uint8Array(), (octets) => {
        expect(["lookup", "malformed"]).toContain(parseSocketmapRequest(octets).kind);
      }),
    );
  });
});

describe("formatSocketmapReply", () => {
  it("writes every status as Postfix reads it, with its space", () => {
    expect(formatSocketmapReply({ kind: "OK", data: "/var/mail/m/" })).toBe("OK /var/mail/m/");
    expect(formatSocketmapReply({ kind: "NOTFOUND" })).toBe("NOTFOUND ");
    expect(formatSocketmapReply({ kind: "TEMP", reason: "later" })).toBe("TEMP later");
    expect(formatSocketmapReply({ kind: "PERM", reason: "never" })).toBe("PERM never");
  });
});
