// What some clients cannot bear in a message (`mail.workarounds`), put right on its way to them. Used by the mailbox process
// behind whatever takes the message's place; the config and the passwd file name them. Pure.

export const WORKAROUNDS = ["nul", "missing-end-of-headers", "bare-cr"] as const;
export type Workaround = (typeof WORKAROUNDS)[number];

/** Rewrites stored bytes chunk by chunk. Sizes stay, but for an end of headers that was missing: 2 octets as sent. */
export class WorkaroundFilter {
  readonly #workarounds: readonly Workaround[];
  /** The last two bytes. */
  #tail = "\n";
  #hasEmptyLine = false;
  /** A CR at a chunk's end: what follows decides. */
  #heldCr = false;

  constructor(workarounds: readonly Workaround[]) {
    this.#workarounds = workarounds;
  }

  /** What can be said by now; never the chunk's own memory. */
  push(chunk: Uint8Array): Uint8Array {
    let bytes: Buffer = Buffer.from(chunk);
    if (this.#workarounds.includes("nul")) replaceAll(bytes, NUL, NUL_REPLACEMENT);
    if (this.#workarounds.includes("bare-cr")) bytes = this.#withoutBareCrs(bytes);
    if (this.#workarounds.includes("missing-end-of-headers")) this.#lookForEmptyLine(bytes);
    return bytes;
  }

  finish(): Uint8Array {
    const held = this.#heldCr ? " " : "";
    if (held !== "") this.#tail = held;
    if (this.#hasEmptyLine || !this.#workarounds.includes("missing-end-of-headers"))
      return Buffer.from(held, "latin1");
    // CRLF, because an LF alone would make a line end of a CR that is the message's last byte.
    return Buffer.from(this.#tail.endsWith("\n") ? "\n" : `${held}\r\n\n`, "latin1");
  }

  /** Outlook and others take it for a line's end: a space is what it looks like elsewhere. */
  #withoutBareCrs(chunk: Buffer): Buffer {
    const bytes = this.#heldCr ? Buffer.concat([Buffer.of(CR), chunk]) : chunk;
    this.#heldCr = bytes[bytes.length - 1] === CR;
    const end = this.#heldCr ? bytes.length - 1 : bytes.length;
    for (let at = bytes.indexOf(CR); at !== -1 && at < end; at = bytes.indexOf(CR, at + 1)) {
      if (bytes[at + 1] !== LF) bytes[at] = SPACE;
    }
    return bytes.subarray(0, end);
  }

  #lookForEmptyLine(bytes: Buffer): void {
    if (this.#hasEmptyLine || bytes.length === 0) return;
    const begin = this.#tail + bytes.toString("latin1", 0, 2);
    this.#hasEmptyLine = [begin, bytes].some((text) => text.includes("\n\n") || text.includes("\n\r\n"));
    this.#tail = (this.#tail + bytes.toString("latin1", Math.max(0, bytes.length - 2))).slice(-2);
  }
}

function replaceAll(bytes: Buffer, what: number, by: number): void {
  for (let at = bytes.indexOf(what); at !== -1; at = bytes.indexOf(what, at + 1)) bytes[at] = by;
}

const NUL = 0;
const LF = 10;
const CR = 13;
const SPACE = 32;
/** What Dovecot sends in its place. */
const NUL_REPLACEMENT = 0x80;
