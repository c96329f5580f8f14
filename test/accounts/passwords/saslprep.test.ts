import { describe, expect, it } from "vitest";
import { passwordForms, preparedName, saslprep } from "../../../src/accounts/passwords/saslprep.ts";

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

describe("preparedName", () => {
  it("is one for all ways to compose a name", () => {
    expect(preparedName("ju\u0308rgen")).toBe("jürgen");
    expect(preparedName("mrose@example.org")).toBe("mrose@example.org");
    expect(preparedName("a\u0007")).toBe("a\u0007");
  });
});

describe("passwordForms", () => {
  const forms = (text: string, encoding: BufferEncoding = "utf8"): string[] =>
    passwordForms(Buffer.from(text, encoding)).map((form) => Buffer.from(form).toString(encoding));

  it.each([
    ["ASCII", " s3cret ~", [" s3cret ~"]],
    ["prepared already", "pässwörd", ["pässwörd"]],
    ["composed otherwise: prepared, then as it came", "pa\u0308ss", ["päss", "pa\u0308ss"]],
    ["a no-break space", "a\u00a0b", ["a b", "a\u00a0b"]],
    ["mixed directions have no prepared form", "\u05d0a", ["\u05d0a"]],
    ["control characters are refused", "a\u0007b", []],
    ["others that RFC 4013 forbids, too", "\u05d0\u200eb", []],
    ["nothing is left of it", "\u00ad", []],
  ])("%s", (_, text, expected) => {
    expect(forms(text)).toEqual(expected);
  });

  it("what is no UTF-8 is taken as it is", () => {
    expect(forms("p\xe4ss", "latin1")).toEqual(["p\xe4ss"]);
  });
});
