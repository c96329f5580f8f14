// A message's surrogate by RFC 6858: its headers and those of its parts in ASCII, bodies as they are. A field is held while it
// is rewritten, bodies pass through. Used by surrogate.ts in the mailbox process.
import { downgradedField, fieldText, type HeaderField, headerField, latin1 } from "./header-field.ts";
import type { Surrogate } from "./surrogate.ts";

export class Downgrade implements Surrogate {
  /** Whether any of it is otherwise than stored. */
  hasChanged = false;
  #output: Uint8Array[] = [];
  /** The begin of a line that has not come whole. */
  #rest: Uint8Array = EMPTY;
  #isInHeader = true;
  #isLineBegin = true;
  /** The present field's lines. */
  #lines: Uint8Array[] = [];
  #fieldBytes = 0;
  /** The present field is longer than what is held: it is sent as it comes. */
  #isOverlong = false;
  #rewrittenBytes = 0;
  #entity: Entity = newEntity("text/plain");
  /** Boundaries of the multiparts that are open, the outermost first. */
  readonly #open: Multipart[] = [];

  push(chunk: Uint8Array): readonly Uint8Array[] {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#rest = EMPTY;
    let position = 0;
    while (position < bytes.length) {
      const next = this.#isInHeader ? this.#header(bytes, position) : this.#body(bytes, position);
      if (next === undefined) break;
      position = next;
    }
    // Copied, because the chunk's memory is the caller's.
    this.#rest = position < bytes.length ? new Uint8Array(bytes.subarray(position)) : EMPTY;
    return this.#take();
  }

  finish(): readonly Uint8Array[] {
    if (this.#isInHeader) {
      if (this.#rest.length > 0) this.#headerLine(this.#rest);
      this.#endField();
      this.#endEntityHeader();
    } else this.#emit(this.#rest);
    this.#rest = EMPTY;
    return this.#take();
  }

  #take(): readonly Uint8Array[] {
    const output = this.#output;
    this.#output = [];
    return output;
  }

  #emit(bytes: Uint8Array): void {
    if (bytes.length > 0) this.#output.push(new Uint8Array(bytes));
  }

  /** Where the next line begins; undefined when this one has not come whole. */
  #header(bytes: Uint8Array, begin: number): number | undefined {
    const end = bytes.indexOf(LF, begin) + 1;
    if (end === 0) {
      const isNewField = this.#isLineBegin && !this.#isContinuation(bytes[begin]);
      if (bytes.length - begin + (isNewField ? 0 : this.#fieldBytes) <= MAX_FIELD_BYTES) return undefined;
      if (isNewField) this.#endField();
      this.#overlong(bytes.subarray(begin));
      return bytes.length;
    }
    this.#headerLine(bytes.subarray(begin, end));
    return end;
  }

  #headerLine(line: Uint8Array): void {
    const isBegin = this.#isLineBegin;
    this.#isLineBegin = line[line.length - 1] === LF;
    const first = line[0];
    if (!isBegin || this.#isContinuation(first)) {
      if (this.#isOverlong || this.#fieldBytes + line.length > MAX_FIELD_BYTES) this.#overlong(line);
      else this.#hold(line);
      return;
    }
    this.#endField();
    if (first === LF || (first === CR && line[1] === LF)) {
      this.#endEntityHeader();
      this.#emit(line);
      this.#beginContent();
      return;
    }
    // A part may end within its header.
    if (first === DASH && this.#meetsBoundary(line)) return;
    if (line.length > MAX_FIELD_BYTES) this.#overlong(line);
    else this.#hold(line);
  }

  #isContinuation(first: number | undefined): boolean {
    return (first === SPACE || first === TAB) && (this.#fieldBytes > 0 || this.#isOverlong);
  }

  #hold(line: Uint8Array): void {
    this.#lines.push(new Uint8Array(line));
    this.#fieldBytes += line.length;
  }

  /** Too long to be rewritten: what is no ASCII in it becomes "?", and the rest stays. */
  #overlong(bytes: Uint8Array): void {
    const held = this.#lines;
    this.#lines = [];
    this.#fieldBytes = 0;
    this.#isOverlong = true;
    this.#isLineBegin = bytes[bytes.length - 1] === LF;
    for (const part of [...held, bytes]) this.#emitField(this.#inQuestionMarks(part));
  }

  #inQuestionMarks(bytes: Uint8Array): Uint8Array {
    if (bytes.every((byte) => byte < 0x80)) return bytes;
    this.hasChanged = true;
    return bytes.map((byte) => (byte < 0x80 ? byte : QUESTION_MARK));
  }

  #endField(): void {
    this.#isOverlong = false;
    if (this.#lines.length === 0) return;
    const bytes = this.#lines.length === 1 ? this.#lines[0]! : Buffer.concat(this.#lines);
    this.#lines = [];
    this.#fieldBytes = 0;
    const field = headerField(bytes);
    this.#learn(field);
    if (this.#rewrittenBytes + bytes.length > MAX_REWRITTEN_BYTES) {
      this.#emitField(this.#inQuestionMarks(bytes));
      return;
    }
    const downgraded = downgradedField(field);
    if (downgraded === undefined) {
      this.#emitField(bytes);
      return;
    }
    this.hasChanged = true;
    this.#rewrittenBytes += bytes.length;
    this.#emitField(Buffer.from(downgraded, "latin1"));
  }

  /** Behind a Content-Type of message/global all waits for what the header says of its encoding. */
  #emitField(bytes: Uint8Array): void {
    const { held } = this.#entity;
    if (held === undefined) this.#emit(bytes);
    else {
      held.push(new Uint8Array(bytes));
      this.#entity.heldBytes += bytes.length;
      if (this.#entity.heldBytes > MAX_FIELD_BYTES) this.#releaseHeld(false);
    }
  }

  #learn(field: HeaderField): void {
    const entity = this.#entity;
    if (field.name === "content-type" && !entity.hasType) {
      const text = fieldText(field) ?? latin1(field.bytes.subarray(field.bytes.indexOf(COLON) + 1));
      entity.hasType = true;
      entity.type = (/^[^;\s]*/.exec(text)?.[0] ?? "").toLowerCase();
      entity.boundary = boundaryOf(text);
      if (entity.type === MESSAGE_GLOBAL) entity.held = [];
    }
    if (field.name === "content-transfer-encoding")
      entity.isEncoded = !IDENTITY_ENCODINGS.has((fieldText(field) ?? "").toLowerCase());
  }

  #endEntityHeader(): void {
    this.#releaseHeld(!this.#entity.isEncoded);
  }

  /** RFC 6532 §3.7: what is a message/global with headers in UTF-8 is a message/rfc822 once they are in ASCII. */
  #releaseHeld(isDowngraded: boolean): void {
    const { held } = this.#entity;
    if (held === undefined) return;
    this.#entity.held = undefined;
    held.forEach((bytes, index) => {
      if (index > 0 || !isDowngraded) this.#emit(bytes);
      else {
        this.hasChanged = true;
        this.#emit(Buffer.from(latin1(bytes).replace(/message\/global/i, "message/rfc822"), "latin1"));
      }
    });
  }

  #beginContent(): void {
    const { type, boundary, isEncoded } = this.#entity;
    this.#isInHeader = false;
    this.#isLineBegin = true;
    if (type.startsWith("multipart/") && boundary !== undefined && this.#open.length < MAX_DEPTH) {
      this.#open.push({ boundary, isDigest: type === "multipart/digest" });
      return;
    }
    if ((type === "message/rfc822" || type === MESSAGE_GLOBAL) && !isEncoded) this.#beginEntity("text/plain");
  }

  #beginEntity(type: string): void {
    this.#entity = newEntity(type);
    this.#isInHeader = true;
    this.#isLineBegin = true;
  }

  /** Where to go on; undefined when it has to be seen what comes next. */
  #body(bytes: Uint8Array, begin: number): number | undefined {
    if (this.#open.length === 0) {
      this.#emit(bytes.subarray(begin));
      return bytes.length;
    }
    if (this.#isLineBegin && bytes[begin] === DASH) {
      const end = bytes.indexOf(LF, begin) + 1;
      // A delimiter is short: a line that is not over by then is none.
      if (end === 0 && bytes.length - begin <= MAX_DELIMITER_BYTES) return undefined;
      if (end > 0 && this.#meetsBoundary(bytes.subarray(begin, end))) return end;
    }
    this.#isLineBegin = false;
    const found = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf("\n-", begin, "latin1");
    // An LF at the chunk's end may be the one before a delimiter.
    const isOpen = found === -1 && bytes[bytes.length - 1] === LF;
    const end = found === -1 ? bytes.length : found + 1;
    this.#emit(bytes.subarray(begin, end));
    this.#isLineBegin = found !== -1 || isOpen;
    return end;
  }

  /** Whether the line is a delimiter of an open multipart; then the part before it is over (RFC 2046 §5.1). */
  #meetsBoundary(line: Uint8Array): boolean {
    if (line[1] !== DASH || line.length > MAX_DELIMITER_BYTES) return false;
    const text = latin1(line)
      .slice(2)
      .replace(/[ \t\r\n]+$/, "");
    for (let depth = this.#open.length - 1; depth >= 0; depth--) {
      const { boundary, isDigest } = this.#open[depth]!;
      const isClosing = text === `${boundary}--`;
      if (!isClosing && text !== boundary) continue;
      if (this.#isInHeader) {
        this.#endField();
        this.#endEntityHeader();
      }
      this.#emit(line);
      this.#open.length = isClosing ? depth : depth + 1;
      this.#isInHeader = false;
      this.#isLineBegin = true;
      if (!isClosing) this.#beginEntity(isDigest ? "message/rfc822" : "text/plain");
      return true;
    }
    return false;
  }
}

interface Multipart {
  /** A byte string. */
  readonly boundary: string;
  readonly isDigest: boolean;
}

/** What the header under way has said of what comes behind it. */
interface Entity {
  type: string;
  hasType: boolean;
  boundary: string | undefined;
  /** base64 or quoted-printable: nothing below is seen. */
  isEncoded: boolean;
  /** Fields that wait, a Content-Type of message/global first. */
  held: Uint8Array[] | undefined;
  heldBytes: number;
}

function newEntity(type: string): Entity {
  return { type, hasType: false, boundary: undefined, isEncoded: false, held: undefined, heldBytes: 0 };
}

/** As a byte string, as delimiters are compared. */
function boundaryOf(text: string): string | undefined {
  const [, quoted, plain] = /;\s*boundary\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]*))/i.exec(text) ?? [];
  const boundary = quoted?.replace(/\\(.)/g, "$1") ?? plain;
  if (boundary === undefined || boundary === "") return undefined;
  return Buffer.from(boundary, "utf8").toString("latin1").replace(/ +$/, "");
}

const MESSAGE_GLOBAL = "message/global";
const IDENTITY_ENCODINGS: ReadonlySet<string> = new Set(["", "7bit", "8bit", "binary"]);
/** A field that is rewritten is held in memory, and costs time by its length. */
const MAX_FIELD_BYTES = 32 * 1024;
/** Of one message: more is an attack on the process's time. All headers of real ones are shorter by far. */
const MAX_REWRITTEN_BYTES = 128 * 1024;
const MAX_DEPTH = 50;
/** RFC 2046 §5.1.1 allows boundaries of 70 characters; some send longer ones. */
const MAX_DELIMITER_BYTES = 300;
const EMPTY = new Uint8Array(0);
const TAB = 9;
const LF = 10;
const CR = 13;
const SPACE = 32;
const DASH = 45;
const COLON = 58;
const QUESTION_MARK = 63;
