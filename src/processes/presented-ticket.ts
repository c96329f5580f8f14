// How a login process hands a ticket to a mailbox process: in a line, with what the client has chosen. Pure.
import type { Choices } from "../pop3/choices.ts";
import { LANGUAGE_TAGS } from "../pop3/language.ts";

/**
 * The line that a ticket is presented in. The client's choices stand beside the ticket, not in it: they are nobody's right,
 * and auth need not know them.
 */
export function presentTicket(sealed: string, { language, utf8 }: Choices): string {
  return `${sealed}${language === undefined ? "" : ` lang=${language}`}${utf8 ? " utf8" : ""}`;
}

/** Undefined when it is no such line. */
export function parsePresented(
  line: string,
): { readonly sealed: string; readonly choices: Choices } | undefined {
  const [, sealed, tag, utf8] = /^([\x21-\x7e]+)(?: lang=([a-z-]+))?( utf8)?$/.exec(line) ?? [];
  if (sealed === undefined) return undefined;
  const language = LANGUAGE_TAGS.find((known) => known === tag);
  if (language !== tag) return undefined;
  return { sealed, choices: { language, utf8: utf8 !== undefined } };
}
