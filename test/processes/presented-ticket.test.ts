import { expect, it } from "vitest";
import { LANGUAGE_TAGS } from "../../src/pop3/language.ts";
import { parsePresented, presentTicket } from "../../src/processes/presented-ticket.ts";

it("what a client has chosen arrives with its ticket", () => {
  for (const language of [undefined, ...LANGUAGE_TAGS]) {
    for (const utf8 of [false, true]) {
      const choices = { language, utf8 };
      expect(parsePresented(presentTicket("eyJ9.abc_-", choices))).toEqual({ sealed: "eyJ9.abc_-", choices });
    }
  }
  expect(presentTicket("a.b", { language: undefined, utf8: false })).toBe("a.b");
});

it.each([
  "",
  " a.b",
  "a.b ",
  "a.b lang=xx",
  "a.b lang=",
  "a.b utf8 lang=de",
  "a.b utf9",
  "a.b  utf8",
  "a.b\tutf8",
])("%j is no such line", (line) => {
  expect(parsePresented(line)).toBeUndefined();
});
