// Cuts a client's octets into command lines. A line has a limit before it has a meaning: what exceeds it is thrown
// away as it arrives. Used by the login process (AUTHORIZATION state) and the mailbox process (TRANSACTION state).

const LF = 10;
const CR = 13;

/** RFC 2449 §4: a command line has at most 255 octets, its CRLF included. */
export const MAX_LINE_OCTETS = 255;

/** RFC 5034 §4 lets base64 lines exceed 255 octets; 12,288 is what RFC 4954 §4 asks a server to take. */
export const MAX_AUTH_LINE_OCTETS = 12_288;

/** `text` is a byte string: one character (0–255) for each octet, without the line end. */
export type Line = { readonly kind: "line"; readonly text: string } | { readonly kind: "too-long" };

export class LineReader {
  readonly #maxOctets: (start: string) => number;
  #octets: Uint8Array = EMPTY;
  #offset = 0;
  #discarding = false;

  /** @param maxOctets the limit for a line that starts with these (up to five) characters, line end included */
  constructor(maxOctets: (start: string) => number = () => MAX_LINE_OCTETS) {
    this.#maxOctets = maxOctets;
  }

  /** Adds what was read. The chunk is kept until its lines are taken, so it must not be written to again. */
  push(chunk: Uint8Array): void {
    if (this.#offset === this.#octets.length) {
      this.#octets = chunk;
    } else {
      const rest = this.#octets.subarray(this.#offset);
      this.#octets = new Uint8Array(rest.length + chunk.length);
      this.#octets.set(rest);
      this.#octets.set(chunk, rest.length);
    }
    this.#offset = 0;
  }

  /** The next line, or undefined when no complete one has arrived. A bare LF ends a line as well as CRLF does. */
  next(): Line | undefined {
    const start = this.#offset;
    const end = this.#octets.indexOf(LF, start);
    if (end === -1) {
      const length = this.#octets.length - start;
      if (this.#discarding || (length > 0 && this.#exceeds(start, length + 1))) {
        this.#discarding = true;
        this.#clear();
      } else if (start > 0) {
        // A line's begin must not keep the chunk that it came with for as long as its end takes.
        this.#octets = new Uint8Array(this.#octets.subarray(start));
        this.#offset = 0;
      }
      return undefined;
    }
    const tooLong = this.#discarding || this.#exceeds(start, end + 1 - start);
    this.#discarding = false;
    this.#offset = end + 1;
    const textEnd = end > start && this.#octets[end - 1] === CR ? end - 1 : end;
    const line: Line = tooLong
      ? { kind: "too-long" }
      : { kind: "line", text: byteString(this.#octets, start, textEnd) };
    if (this.#offset === this.#octets.length) this.#clear();
    return line;
  }

  /** True when octets wait that `next` has not turned into lines. */
  get hasOctets(): boolean {
    return this.#offset < this.#octets.length;
  }

  /** The octets not yet taken as lines; the reader is empty afterwards. Behind PASS they travel with the ticket. */
  takeRest(): Uint8Array {
    const rest = this.#octets.subarray(this.#offset);
    this.#clear();
    return rest;
  }

  /** Forgets what was pushed, the line that is being thrown away included. */
  clear(): void {
    this.#discarding = false;
    this.#clear();
  }

  #exceeds(start: number, length: number): boolean {
    if (length <= MAX_LINE_OCTETS) return false;
    return length > this.#maxOctets(byteString(this.#octets, start, start + 5));
  }

  #clear(): void {
    this.#octets = EMPTY;
    this.#offset = 0;
  }
}

const EMPTY = new Uint8Array(0);

function byteString(octets: Uint8Array, start: number, end: number): string {
  return String.fromCharCode.apply(null, octets.subarray(start, end) as unknown as number[]);
}
