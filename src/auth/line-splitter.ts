// Cuts the octets of the auth protocol into lines: LF ends one, CR is an ordinary octet. Used by both ends of the
// protocol, in the auth process and in the login processes.

/** Dovecot's own limit (AUTH_CLIENT_MAX_LINE_LENGTH), LF included. */
export const MAX_LINE_OCTETS = 16_384;

export type SplitLine =
  | { readonly kind: "line"; readonly text: string }
  /** Too long, with NUL, or not UTF-8. The stream cannot be trusted any further: nothing follows. */
  | { readonly kind: "malformed"; readonly reason: string };

export class LineSplitter {
  #rest: Uint8Array = EMPTY;
  #isBroken = false;

  /** The lines that this chunk completes. What is kept of the chunk is copied. */
  push(chunk: Uint8Array): readonly SplitLine[] {
    if (this.#isBroken) return [];
    const octets = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const lines: SplitLine[] = [];
    let start = 0;
    for (let end = octets.indexOf(LF); end !== -1; end = octets.indexOf(LF, start)) {
      const line = decode(octets.subarray(start, end));
      lines.push(line);
      if (line.kind === "malformed") return this.#break(lines);
      start = end + 1;
    }
    if (octets.length - start >= MAX_LINE_OCTETS) return this.#break([...lines, TOO_LONG]);
    this.#rest = start === octets.length ? EMPTY : new Uint8Array(octets.subarray(start));
    return lines;
  }

  #break(lines: readonly SplitLine[]): readonly SplitLine[] {
    this.#isBroken = true;
    this.#rest = EMPTY;
    return lines;
  }
}

const LF = 10;
const NUL = 0;
const EMPTY = new Uint8Array(0);
const TOO_LONG: SplitLine = { kind: "malformed", reason: `line longer than ${MAX_LINE_OCTETS} octets` };
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decode(octets: Uint8Array): SplitLine {
  if (octets.length >= MAX_LINE_OCTETS) return TOO_LONG;
  // A NUL within a value travels escaped; a bare one would end the line early in C programs.
  if (octets.includes(NUL)) return { kind: "malformed", reason: "NUL in a line" };
  try {
    return { kind: "line", text: utf8.decode(octets) };
  } catch {
    return { kind: "malformed", reason: "line is not UTF-8" };
  }
}
