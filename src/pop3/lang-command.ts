// LANG (RFC 6856 §3), the same in both states: lists the languages of the replies, or changes to one of them. Pure.
import type { Command } from "./command.ts";
import {
  findLanguage,
  LANGUAGE_LISTING,
  LANGUAGE_TAGS,
  type LanguageTag,
  type Speech,
  speechOf,
} from "./language.ts";
import { err, ok, TERMINATION } from "./reply.ts";

export type LangOutcome =
  | { readonly kind: "listed"; readonly text: string }
  | { readonly kind: "changed"; readonly text: string; readonly speech: Speech }
  | { readonly kind: "refused"; readonly text: string };

/** @param preferred what "*" stands for */
export function langCommand(command: Command, { texts }: Speech, preferred: LanguageTag): LangOutcome {
  const [range] = command.arguments;
  if (command.arguments.length > 1) return { kind: "refused", text: err(texts.expected.LANG) };
  if (range === undefined) {
    const lines = LANGUAGE_LISTING.map((line) => `${line}\r\n`).join("");
    return { kind: "listed", text: ok(texts.languagesFollow) + lines + TERMINATION };
  }
  const tag = findLanguage(range, preferred);
  if (tag === undefined)
    return { kind: "refused", text: err(texts.unknownLanguage(LANGUAGE_TAGS.join(" "))) };
  const speech = speechOf(tag, preferred);
  return { kind: "changed", text: ok(`${tag} ${speech.texts.languageChanged}`), speech };
}
