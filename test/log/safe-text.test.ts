import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { escapeControls, escapeText } from "../../src/log/safe-text.ts";

describe("escapeControls", () => {
  it.each([
    ["\x1b]0;title\x07", "\\x1b]0;title\\x07"],
    ["\u009b31m", "\\x9b31m"],
    ["a\r\nb\tc", "a\\x0d\\x0ab\\x09c"],
    ["invoice\u202egpj.exe", "invoice\\u202egpj.exe"],
    ["\u{e0041}", "\\u{e0041}"],
    ["\ud800", "\\ud800"],
    ["Grüße, 日本 👍🏽", "Grüße, 日本 👍🏽"],
  ])("of %j gives %j", (text, expected) => {
    expect(escapeControls(text)).toBe(expected);
  });

  it("leaves no control character, whatever comes", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(escapeControls(text)).not.toMatch(/\p{Cc}/u);
        expect(escapeText(text)).not.toMatch(/(?![\n\t])\p{Cc}/u);
      }),
    );
  });
});

describe("escapeText", () => {
  it("keeps lines and tabs", () => {
    expect(escapeText("one\r\n\ttwo\rthree\n")).toBe("one\n\ttwo\\x0dthree\n");
  });
});
