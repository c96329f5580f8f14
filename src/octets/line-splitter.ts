// Cuts the octets of our line protocols into lines: LF ends one, CR is an ordinary octet. Used by both ends of the auth
// protocol (auth and login processes) and of the control protocol (master and pop3-ctl). Pure.

export type SplitLine =
  | { readonly kind: "line"; readonly text: string }
  /** Too long, with NUL, or not UTF-8. The stream cannot be trusted any further: nothing follows. */
  | { readonly kind: "malformed"; readonly reason: string };

export class LineSplitter {
  readonly #maxOctets: number;
  #rest: Uint8Array = EMPTY;
  #isBroken = false;

  /** @param maxOctets longest line, LF included */
  constructor(maxOctets: number) {
    this.#maxOctets = maxOctets;
  }

  /** The lines that this chunk completes. What is kept of the chunk is copied. */
  push(chunk: Uint8Array): readonly SplitLine[] {
    if (this.#isBroken) return [];
    const octets = this.#rest.length === 0 ? chunk : concat(this.#rest, chunk);
    const lines: SplitLine[] = [];
    let start = 0;
    for (let end = octets.indexOf(LF); end !== -1; end = octets.indexOf(LF, start)) {
      const line = this.#decode(octets.subarray(start, end));
      lines.push(line);
      if (line.kind === "malformed") return this.#break(lines);
      start = end + 1;
    }
    if (octets.length - start >= this.#maxOctets) return this.#break([...lines, this.#tooLong()]);
    this.#rest = start === octets.length ? EMPTY : new Uint8Array(octets.subarray(start));
    return lines;
  }

  #break(lines: readonly SplitLine[]): readonly SplitLine[] {
    this.#isBroken = true;
    this.#rest = EMPTY;
    return lines;
  }

  #decode(octets: Uint8Array): SplitLine {
    if (octets.length >= this.#maxOctets) return this.#tooLong();
    // A NUL within a value travels escaped; a bare one would end the line early in C programs.
    if (octets.includes(NUL)) return { kind: "malformed", reason: "NUL in a line" };
    try {
      return { kind: "line", text: utf8.decode(octets) };
    } catch {
      return { kind: "malformed", reason: "line is not UTF-8" };
    }
  }

  #tooLong(): SplitLine {
    return { kind: "malformed", reason: `line longer than ${this.#maxOctets} octets` };
  }
}

const LF = 10;
const NUL = 0;
const EMPTY = new Uint8Array(0);
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function concat(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
