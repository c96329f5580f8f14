// The other surrogate: a new message that says what it is, with the one that was sent attached to it whole, so that its
// signatures hold (RFC 6532 §3.7, message/global). Used by surrogate.ts in the mailbox process.
import { downgradedField, headerField, latin1 } from "./header-field.ts";
import type { Surrogate } from "./surrogate.ts";

export class Wrapping implements Surrogate {
  /** The message's begin, until its header has come or is too long to be waited for. */
  #begin: Uint8Array | undefined = EMPTY;
  /** Of CRLF line ends, what does not fill a line of base64 yet. */
  #rest: Buffer = Buffer.alloc(0);
  #last = LF;

  push(chunk: Uint8Array): readonly Uint8Array[] {
    if (this.#begin === undefined) return this.#encode(chunk);
    this.#begin = Buffer.concat([this.#begin, chunk]);
    const isWhole = /\n\r?\n/.test(latin1(this.#begin.subarray(0, MAX_HEADER_BYTES)));
    return isWhole || this.#begin.length > MAX_HEADER_BYTES ? this.#start() : [];
  }

  finish(): readonly Uint8Array[] {
    const start = this.#begin === undefined ? [] : this.#start();
    const end = this.#last === LF ? this.#rest : Buffer.concat([this.#rest, CRLF]);
    const lines = base64Lines(end);
    return [...start, Buffer.from(`${lines}\r\n--${BOUNDARY}--\r\n`, "latin1")];
  }

  #start(): readonly Uint8Array[] {
    const begin = this.#begin ?? EMPTY;
    this.#begin = undefined;
    return [Buffer.from(wrapper(begin), "latin1"), ...this.#encode(begin)];
  }

  #encode(chunk: Uint8Array): readonly Uint8Array[] {
    const text = Buffer.concat([this.#rest, withCrlf(chunk, this.#last)]);
    this.#last = chunk[chunk.length - 1] ?? this.#last;
    const whole = text.length - (text.length % LINE_BYTES);
    this.#rest = text.subarray(whole);
    return whole === 0 ? [] : [Buffer.from(base64Lines(text.subarray(0, whole)), "latin1")];
  }
}

/** All that stands before the attachment: the fields by which people know a message, in ASCII, and why it looks like that. */
function wrapper(begin: Uint8Array): string {
  const [header = ""] = latin1(begin.subarray(0, MAX_HEADER_BYTES)).split(/\n\r?\n/, 1);
  const fields: string[] = [];
  const seen = new Set<string>();
  for (const text of header.split(/\r?\n(?![ \t])/)) {
    const field = headerField(Buffer.from(`${text}\r\n`, "latin1"));
    if (field.name === undefined || !KEPT_FIELDS.has(field.name) || seen.has(field.name)) continue;
    seen.add(field.name);
    fields.push(downgradedField(field) ?? `${text.replace(/[^\t\r\n\x20-\x7e]/g, "?")}\r\n`);
  }
  return [
    ...fields,
    "MIME-Version: 1.0\r\n",
    `Content-Type: multipart/mixed; boundary="${BOUNDARY}"\r\n\r\n`,
    `--${BOUNDARY}\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n`,
    "This message has headers in UTF-8, which this mail program has not asked for (RFC 6856).\r\n",
    "It is attached as it was sent.\r\n",
    `\r\n--${BOUNDARY}\r\n`,
    "Content-Type: message/global\r\nContent-Transfer-Encoding: base64\r\n",
    'Content-Disposition: attachment; filename="message.u8msg"\r\n\r\n',
  ].join("");
}

function withCrlf(chunk: Uint8Array, last: number): Buffer {
  const parts: Uint8Array[] = [];
  let begin = 0;
  for (let end = chunk.indexOf(LF); end !== -1; end = chunk.indexOf(LF, end + 1)) {
    if ((end === 0 ? last : chunk[end - 1]) === CR) continue;
    parts.push(chunk.subarray(begin, end), CRLF);
    begin = end + 1;
  }
  return Buffer.concat([...parts, chunk.subarray(begin)]);
}

function base64Lines(bytes: Buffer): string {
  return bytes.toString("base64").replace(/.{1,76}/g, "$&\r\n");
}

/** In the order in which the message has them, each once. */
const KEPT_FIELDS: ReadonlySet<string> = new Set(
  "cc date from in-reply-to message-id references reply-to return-path sender subject to".split(" "),
);

/** Nothing in the two parts can look like it: they are plain words and base64. */
const BOUNDARY = "=_dewey-pop3_message-global_=";
const MAX_HEADER_BYTES = 64 * 1024;
/** 76 characters of base64. */
const LINE_BYTES = 57;
const LF = 10;
const CR = 13;
const CRLF = Buffer.from("\r\n");
const EMPTY = new Uint8Array(0);
