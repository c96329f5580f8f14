// Text from strangers (mail, user names, protocol lines) made safe for a terminal: nothing in it can move the cursor,
// change its title or reorder what stands beside it. Pure.

/** Control characters, C1 included, line and paragraph separators, and those that change the direction of writing. */
const UNSAFE =
  /[\p{Cc}\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u{e0000}-\u{e007f}]|\p{Surrogate}/gu;

/** Shows them as JavaScript writes them: "\x1b", "\u202e". */
export function escapeControls(text: string): string {
  return text.replace(UNSAFE, escaped);
}

/** The same for text of several lines: line feeds and tabs stay. */
export function escapeText(text: string): string {
  return text.replace(/\r\n/g, "\n").replace(UNSAFE, (character) => {
    return character === "\n" || character === "\t" ? character : escaped(character);
  });
}

function escaped(character: string): string {
  const code = character.codePointAt(0)!;
  if (code < 0x100) return `\\x${code.toString(16).padStart(2, "0")}`;
  return code > 0xffff ? `\\u{${code.toString(16)}}` : `\\u${code.toString(16).padStart(4, "0")}`;
}
