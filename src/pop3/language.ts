// The languages of the replies (RFC 6856 §3): which there are, which one a client's language range means, and in which
// spelling a client gets it. Pure.
import { english } from "./texts/english.ts";
import { german } from "./texts/german.ts";
import { germanInAscii, spelled, utf8 } from "./texts/spelling.ts";
import type { Texts } from "./texts/texts.ts";

/** RFC 6856 §3 has every server know i-default; it comes first, as the one that counts before any other is chosen. */
export const LANGUAGE_TAGS = ["i-default", "en", "de"] as const;
export type LanguageTag = (typeof LANGUAGE_TAGS)[number];

interface Language {
  /** In the language itself, for the listing; i-default has no name. */
  readonly name?: string;
  /** Byte strings of UTF-8, for a client that has chosen: it expects no other (RFC 6856 §3). */
  readonly texts: Texts;
  /** The same in ASCII, for one that has not: RFC 1939 lets it expect that. */
  readonly asciiTexts: Texts;
}

const LANGUAGES: Readonly<Record<LanguageTag, Language>> = {
  "i-default": { texts: english, asciiTexts: english },
  en: { name: "English", texts: english, asciiTexts: english },
  de: { name: "Deutsch", texts: spelled(german, utf8), asciiTexts: spelled(german, germanInAscii) },
};

/** What a session says, and what LANG may change of it. */
export interface Speech {
  /** What the client chose; undefined: nothing yet. */
  readonly chosen: LanguageTag | undefined;
  readonly texts: Texts;
}

/** @param preferred the administrator's language, which holds until the client chooses */
export function speechOf(chosen: LanguageTag | undefined, preferred: LanguageTag): Speech {
  return {
    chosen,
    texts: chosen === undefined ? LANGUAGES[preferred].asciiTexts : LANGUAGES[chosen].texts,
  };
}

/** A language listing (RFC 6856 §3): the lines of LANG's multi-line response. */
export const LANGUAGE_LISTING: readonly string[] = LANGUAGE_TAGS.map((tag) => {
  const { name } = LANGUAGES[tag];
  return name === undefined ? tag : `${tag} ${name}`;
});

/**
 * The language that a client's range means: its own, else the nearest that says less, as RFC 4647 §3.4 looks tags up
 * ("de-AT" is served by "de").
 */
export function findLanguage(range: string, preferred: LanguageTag): LanguageTag | undefined {
  if (range === "*") return preferred;
  const subtags = range.toLowerCase().split("-");
  for (; subtags.length > 0; subtags.pop()) {
    const wanted = subtags.join("-");
    const tag = LANGUAGE_TAGS.find((known) => known === wanted);
    if (tag !== undefined) return tag;
  }
  return undefined;
}
