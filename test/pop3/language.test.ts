import { expect, it } from "vitest";
import { LANGUAGE_TAGS as CONFIG_TAGS } from "../../src/config/schema/server.ts";
import { findLanguage, LANGUAGE_LISTING, LANGUAGE_TAGS, speechOf } from "../../src/pop3/language.ts";
import type { Texts } from "../../src/pop3/texts/texts.ts";

/** Every text of a catalogue, with the longest of what it can be filled with. */
function allTexts(texts: Texts): string[] {
  return Object.values(texts).flatMap((value: unknown) => {
    if (typeof value === "string") return [value];
    if (typeof value === "object") return Object.values(value as Record<string, string>);
    return [(value as (...values: unknown[]) => string)(...LONGEST)];
  });
}
const LONGEST = [Object.assign("x".repeat(64), { join: () => "PLAIN or LOGIN" }), 999_999_999_999_999];

it("every reply fits into the 512 octets of RFC 2449, in one line", () => {
  for (const tag of LANGUAGE_TAGS) {
    for (const { texts } of [speechOf(tag, "en"), speechOf(undefined, tag)]) {
      expect(allTexts(texts).length).toBeGreaterThan(60);
      for (const text of allTexts(texts)) {
        expect(text).toMatch(/^[\x20-\x7e\x80-\xff]+$/);
        expect(`-ERR [SYS/TEMP] ${text}\r\n`.length).toBeLessThanOrEqual(512);
      }
    }
  }
});

it("a language that the client has not chosen is written in ASCII, a chosen one in UTF-8", () => {
  for (const tag of LANGUAGE_TAGS) {
    for (const text of allTexts(speechOf(undefined, tag).texts)) expect(text).toMatch(/^[\x20-\x7e]*$/);
  }
  expect(speechOf(undefined, "de").texts.deleted(1)).toBe("Nachricht 1 geloescht");
  const chosen = speechOf("de", "i-default").texts;
  expect(Buffer.from(chosen.deleted(1), "latin1").toString("utf8")).toBe("Nachricht 1 gelöscht");
});

it("a range means its own language, or the nearest that says less", () => {
  expect(findLanguage("de", "en")).toBe("de");
  expect(findLanguage("DE-ch-1996", "en")).toBe("de");
  expect(findLanguage("i-default", "en")).toBe("i-default");
  expect(findLanguage("*", "de")).toBe("de");
  for (const range of ["d", "deu", "i", "-", "", "de_AT", "__proto__", "*-DE"])
    expect(findLanguage(range, "de"), range).toBeUndefined();
});

it("the listing names what the config knows, each with a tag and no more than a name", () => {
  expect(CONFIG_TAGS).toEqual(LANGUAGE_TAGS);
  expect(LANGUAGE_LISTING).toEqual(["i-default", "en English", "de Deutsch"]);
});
