import { describe, expect, it } from "vitest";
import { saslprep } from "../../src/accounts/saslprep.ts";

describe("saslprep", () => {
  // RFC 4013 §3
  it.each([
    ["SOFT HYPHEN mapped to nothing", "I\u00adX", "IX"],
    ["no transformation", "user", "user"],
    ["case preserved, will not match", "USER", "USER"],
    ["output is NFKC, input in ISO 8859-1", "\u00aa", "a"],
    ["output is NFKC, will match #1", "\u2168", "IX"],
    ["prohibited character", "\u0007", undefined],
    ["bidirectional check", "\u0627\u0031", undefined],
  ])("%s", (_, text, prepared) => {
    expect(saslprep(text)).toBe(prepared);
  });

  it("lets code points pass that are younger than Unicode 3.2", () => {
    expect(saslprep("p\u{1f600}ss")).toBe("p\u{1f600}ss");
  });
});
