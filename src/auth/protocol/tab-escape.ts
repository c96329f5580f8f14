// Dovecot's tab-escaping (str_append_tabescaped): octets that would end a field or a line travel as \001 and a letter.
// Used by the auth protocol's fields.

export function escapeTabs(value: string): string {
  return value.replace(/[\x01\0\t\n\r]/g, (character) => `\x01${ESCAPES.get(character)}`);
}

/** @returns undefined when an escape is incomplete or unknown */
export function unescapeTabs(value: string): string | undefined {
  if (!value.includes("\x01")) return value;
  if (/\x01(?![10tnr])/.test(value)) return undefined;
  return value.replace(/\x01([10tnr])/g, (_, letter: string) => UNESCAPES.get(letter)!);
}

const ESCAPES = new Map([
  ["\x01", "1"],
  ["\0", "0"],
  ["\t", "t"],
  ["\n", "n"],
  ["\r", "r"],
]);
const UNESCAPES = new Map(Array.from(ESCAPES, ([character, letter]) => [letter, character]));
