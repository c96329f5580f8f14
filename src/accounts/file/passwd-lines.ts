// The passwd file as lines, kept to the byte: what pop3-passwd does not touch it writes back as it was, bad lines,
// comments, CRLF and a missing final newline included. Pure; used by passwd-file.ts, edit.ts and pop3-passwd.
import { preparedName } from "../passwords/saslprep.ts";

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
    return preparedName(decoder.decode(field));
  } catch {
    return undefined;
  }
}

/** The line with another password field; every other byte of it stays. */
export function withPasswordField(line: PasswdLine, field: string): PasswdLine {
  return withField(line, 1, field);
}

/** The line with another field, counted from 0 (2 is uid); missing ones before it are made, every other byte stays. */
export function withField(line: PasswdLine, index: number, text: string): PasswdLine {
  const fields = splitFields(line.bytes);
  while (fields.length <= index) fields.push(new Uint8Array(0));
  fields[index] = encoder.encode(text);
  return { bytes: joinFields(fields), end: line.end };
}

/**
 * The line with other extra fields: each key gets its value (true: the key alone), or goes (undefined). What else stands there
 * stays as it is. A key that changes moves to the end.
 */
export function withExtraFields(
  line: PasswdLine,
  changes: ReadonlyMap<string, string | true | undefined>,
): PasswdLine {
  const fields = splitFields(line.bytes);
  const isOldest = fields.length > EXTRA_INDEX + 1 && fields[EXTRA_INDEX]!.length === 0;
  const before = latin1.decode(joinFields(fields.slice(EXTRA_INDEX + (isOldest ? 1 : 0))));
  // Dovecot's oldest form, ":mail location", has no room for anything else; this one means the same.
  const words = isOldest ? [`userdb_mail=${before}`] : before.split(/([ \t]+)/);
  const isChanged = (word: string): boolean => changes.has(word.split("=", 1)[0]!);
  const added = [...changes].flatMap(([key, value]) =>
    value === undefined ? [] : [value === true ? key : `${key}=${value}`],
  );
  if (added.length === 0 && !words.some(isChanged)) return line;
  const kept = words.filter((word) => !isChanged(word)).join("");
  const text = [kept.trim().replace(/([ \t])[ \t]+/g, "$1"), ...added]
    .filter((part) => part !== "")
    .join(" ");
  while (fields.length < EXTRA_INDEX) fields.push(new Uint8Array(0));
  // Latin-1 there and back: bytes that are no UTF-8 stay what they were. Keys and values of ours are ASCII.
  return {
    bytes: joinFields([...fields.slice(0, EXTRA_INDEX), Buffer.from(text, "latin1")]),
    end: line.end,
  };
}

/** The lines with more at the end, closed in the file's own way (CRLF if the last line that has an end ends so). */
export function withLines(lines: readonly PasswdLine[], texts: readonly string[]): PasswdLine[] {
  if (texts.length === 0) return [...lines];
  const end = lines.findLast((line) => line.end !== "")?.end ?? "\n";
  const closed = lines.map((line) => (line.end === "" ? { bytes: line.bytes, end } : line));
  return [...closed, ...texts.map((text) => ({ bytes: encoder.encode(text), end }))];
}

/** Field 8, counted from 0. */
const EXTRA_INDEX = 7;
const LF = 0x0a;
const CR = 0x0d;
const COLON = 0x3a;
const HASH = 0x23;
const encoder = new TextEncoder();
const latin1 = new TextDecoder("latin1");
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function splitFields(bytes: Uint8Array): Uint8Array[] {
  const fields: Uint8Array[] = [];
  let start = 0;
  for (let colon = bytes.indexOf(COLON); colon >= 0; colon = bytes.indexOf(COLON, start)) {
    fields.push(bytes.subarray(start, colon));
    start = colon + 1;
  }
  return [...fields, bytes.subarray(start)];
}

function joinFields(fields: readonly Uint8Array[]): Uint8Array {
  const colon = Uint8Array.of(COLON);
  return Buffer.concat(fields.flatMap((field, index) => (index === 0 ? [field] : [colon, field])));
}
