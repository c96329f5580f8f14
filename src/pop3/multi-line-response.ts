// A stored message as the multi-line response to RETR and TOP (RFC 1939 §3): CRLF line ends, byte-stuffing, the
// termination; and TOP's cut after so many body lines. Pure.
import { type Encoding, encodeLines } from "../octets/line-ends.ts";

const LF = 10;
const CR = 13;
const DOT = 46;

/**
 * Encodes the stored bytes of one message, chunk by chunk.
 *
 * A message that does not end in a line end gets one, because the termination has to begin a line.
 */
export class MessageEncoder {
  readonly #encoding: Encoding = { last: LF, octets: 0 };

  /** Room that `encode` needs for so many bytes: each may become two octets. */
  static room(bytes: number): number {
    return 2 * bytes;
  }

  /** Room that `finish` needs: CRLF and ".CRLF". */
  static readonly FINISH_ROOM = 5;

  /** Octets of the message so far as LIST counts them: with CRLF, without byte-stuffing and termination. */
  get octets(): number {
    return this.#encoding.octets;
  }

  /**
   * @param input stored bytes
   * @param output at least `room(input.length)` free octets from `offset` on
   * @returns the offset behind what was written
   */
  encode(input: Uint8Array, output: Uint8Array, offset: number): number {
    return encodeLines(input, output, offset, this.#encoding);
  }

  /** Writes the last line's end where it is missing, and the termination. Returns the offset behind it. */
  finish(output: Uint8Array, offset: number): number {
    let out = offset;
    if (this.#encoding.last !== LF) {
      output[out++] = CR;
      output[out++] = LF;
      this.#encoding.octets += 2;
    }
    output[out++] = DOT;
    output[out++] = CR;
    output[out++] = LF;
    return out;
  }
}

/** TOP: how much of a message is headers, the blank line and the first so many lines of the body. */
export class TopLimiter {
  #linesLeft: number;
  #inBody = false;
  /** Octets of the present line, a CR not counted: an empty line ends the headers. */
  #lineLength = 0;

  constructor(bodyLines: number) {
    this.#linesLeft = bodyLines;
  }

  /** How many bytes of this chunk belong to the response. Fewer than all: the rest of the message does not. */
  take(chunk: Uint8Array): number {
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i]!;
      if (byte !== LF) {
        if (byte !== CR) this.#lineLength++;
        continue;
      }
      if (this.#inBody) this.#linesLeft--;
      else if (this.#lineLength === 0) this.#inBody = true;
      this.#lineLength = 0;
      if (this.#inBody && this.#linesLeft === 0) return i + 1;
    }
    return chunk.length;
  }

  /** True once nothing more is to be sent. */
  get isDone(): boolean {
    return this.#inBody && this.#linesLeft === 0;
  }
}
