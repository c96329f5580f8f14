// The passwd file as lines, kept to the byte: what pop3-passwd does not touch it writes back as it was, bad lines,
// comments, CRLF and a missing final newline included. Pure; used by passwd-file.ts, edit.ts and pop3-passwd.

export interface PasswdLine {
  /** Without the line end. */
  readonly bytes: Uint8Array;
  readonly end: "" | "\n" | "\r\n";
}

/** Every line of the file, in order; joinLines() of the result is the file. */
export function splitLines(content: Uint8Array): PasswdLine[] {
  const lines: PasswdLine[] = [];
  for (let start = 0; start < content.length; ) {
    const lineFeed = content.indexOf(LF, start);
    if (lineFeed < 0) {
      lines.push({ bytes: content.subarray(start), end: "" });
      break;
    }
    const hasReturn = lineFeed > start && content[lineFeed - 1] === CR;
    lines.push({
      bytes: content.subarray(start, hasReturn ? lineFeed - 1 : lineFeed),
      end: hasReturn ? "\r\n" : "\n",
    });
    start = lineFeed + 1;
  }
  return lines;
}

export function joinLines(lines: readonly PasswdLine[]): Uint8Array {
  const parts = lines.flatMap((line) => [line.bytes, encoder.encode(line.end)]);
  const content = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    content.set(part, at);
    at += part.length;
  }
  return content;
}

/** The first field, of a sound line or of a bad one; undefined for comments, blank lines and what is not UTF-8. */
export function userOfLine(line: PasswdLine): string | undefined {
  const colon = line.bytes.indexOf(COLON);
  const field = colon < 0 ? line.bytes : line.bytes.subarray(0, colon);
  if (field.length === 0 || field[0] === HASH) return undefined;
  try {
    return decoder.decode(field);
  } catch {
    return undefined;
  }
}

/** The line with another second field; every other byte of it stays. */
export function withPasswordField(line: PasswdLine, field: string): PasswdLine {
  const first = line.bytes.indexOf(COLON);
  const second = first < 0 ? -1 : line.bytes.indexOf(COLON, first + 1);
  const before = first < 0 ? line.bytes : line.bytes.subarray(0, first);
  const after = second < 0 ? new Uint8Array(0) : line.bytes.subarray(second);
  const middle = encoder.encode(`:${field}`);
  const bytes = new Uint8Array(before.length + middle.length + after.length);
  bytes.set(before);
  bytes.set(middle, before.length);
  bytes.set(after, before.length + middle.length);
  return { bytes, end: line.end };
}

/** The lines with more at the end, closed in the file's own way (CRLF if the last line that has an end ends so). */
export function withLines(lines: readonly PasswdLine[], texts: readonly string[]): PasswdLine[] {
  if (texts.length === 0) return [...lines];
  const end = lines.findLast((line) => line.end !== "")?.end ?? "\n";
  const closed = lines.map((line) => (line.end === "" ? { bytes: line.bytes, end } : line));
  return [...closed, ...texts.map((text) => ({ bytes: encoder.encode(text), end }))];
}

const LF = 0x0a;
const CR = 0x0d;
const COLON = 0x3a;
const HASH = 0x23;
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
