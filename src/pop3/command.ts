// A command line taken apart: keyword and arguments (RFC 1939 §3, RFC 2449 §4). Pure.

export interface Command {
  /** In upper case; the keyword's case does not matter. */
  readonly keyword: string;
  /** All that follows the first space, to the letter: a password may begin and end with spaces. */
  readonly rest: string | undefined;
  /** The rest split at spaces; spaces at the line's end are forgiven. */
  readonly arguments: readonly string[];
}

const KEYWORDS: ReadonlySet<string> = new Set(
  "APOP AUTH CAPA DEL DELE LANG LIST NOOP PASS QUIT RETR RSET STAT STLS TOP UIDL USER UTF8".split(" "),
);

/** The keyword of a line in upper case, for counting and showing; undefined when it is none that POP3 knows. */
export function knownKeyword(text: string): string | undefined {
  const space = text.indexOf(" ");
  const keyword = (space === -1 ? text : text.slice(0, space)).toUpperCase();
  return KEYWORDS.has(keyword) ? keyword : undefined;
}

/** @param text a byte string without its line end */
export function parseCommand(text: string): Command {
  const space = text.indexOf(" ");
  if (space === -1) return { keyword: text.toUpperCase(), rest: undefined, arguments: [] };
  const rest = text.slice(space + 1);
  const trimmed = rest.replace(/ +$/, "");
  return {
    keyword: text.slice(0, space).toUpperCase(),
    rest,
    arguments: trimmed === "" ? [] : trimmed.split(" "),
  };
}
