// What a client chooses before login and its TRANSACTION state goes on with. Pure.
import type { LanguageTag } from "./language.ts";

export interface Choices {
  /** By LANG. */
  readonly language: LanguageTag | undefined;
  /** By UTF8 (RFC 6856 §2.1): messages are sent as they are stored. */
  readonly utf8: boolean;
}

export const NO_CHOICES: Choices = { language: undefined, utf8: false };
