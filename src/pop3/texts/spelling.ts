// How a catalogue is written for the wire: in octets of UTF-8, or in ASCII for clients that expect no other. Pure.
import type { Texts } from "./texts.ts";

/** A catalogue whose every text is written in another way. */
export function spelled(texts: Texts, spell: (text: string) => string): Texts {
  const respelled = (value: unknown): unknown => {
    if (typeof value === "string") return spell(value);
    if (typeof value === "function") return (...values: readonly unknown[]) => spell(value(...values));
    return Object.fromEntries(Object.entries(value as object).map(([key, inner]) => [key, respelled(inner)]));
  };
  return respelled(texts) as Texts;
}

/** As a byte string: one character for each octet. */
export function utf8(text: string): string {
  return Array.from(new TextEncoder().encode(text), (octet) => String.fromCharCode(octet)).join("");
}

export function germanInAscii(text: string): string {
  return text.replace(/[äöüÄÖÜß]/g, (letter) => GERMAN_IN_ASCII.get(letter) ?? letter);
}

const GERMAN_IN_ASCII: ReadonlyMap<string, string> = new Map([
  ["ä", "ae"],
  ["ö", "oe"],
  ["ü", "ue"],
  ["Ä", "Ae"],
  ["Ö", "Oe"],
  ["Ü", "Ue"],
  ["ß", "ss"],
]);
