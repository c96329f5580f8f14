// Netstrings (<length>:<octets>,) as Postfix's socketmap sends them: octets to requests, replies to octets. Used by the
// socketmap server in the auth process.

/** An address has at most 320 octets (RFC 5321 §4.5.3.1); Postfix passes on what a client sent, a line's length at most. */
export const MAX_REQUEST_OCTETS = 4096;

export type SplitNetstring =
  | { readonly kind: "netstring"; readonly octets: Uint8Array }
  /** Nothing follows: where the next one would begin is not known. */
  | { readonly kind: "malformed"; readonly reason: string };

export class NetstringSplitter {
  #rest: Uint8Array = EMPTY;
  #isBroken = false;

  /** The netstrings that this chunk completes. What is kept of the chunk is copied. */
  push(chunk: Uint8Array): readonly SplitNetstring[] {
    if (this.#isBroken) return [];
    let octets = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const found: SplitNetstring[] = [];
    for (;;) {
      const first = split(octets);
      if (first.kind === "incomplete") break;
      if (first.kind === "malformed") {
        this.#isBroken = true;
        this.#rest = EMPTY;
        return [...found, first];
      }
      found.push({ kind: "netstring", octets: new Uint8Array(first.octets) });
      octets = octets.subarray(first.end);
    }
    this.#rest = octets.length === 0 ? EMPTY : new Uint8Array(octets);
    return found;
  }
}

export function formatNetstring(text: string): Uint8Array {
  const octets = Buffer.from(text, "utf8");
  return Buffer.concat([Buffer.from(`${octets.length}:`), octets, Buffer.from(",")]);
}

const EMPTY = new Uint8Array(0);
const [COLON, COMMA, ZERO, NINE] = [0x3a, 0x2c, 0x30, 0x39];

type Split =
  | { readonly kind: "netstring"; readonly octets: Uint8Array; readonly end: number }
  | { readonly kind: "incomplete" }
  | { readonly kind: "malformed"; readonly reason: string };

function split(octets: Uint8Array): Split {
  let length = 0;
  let index = 0;
  for (; index < octets.length && octets[index] !== COLON; index++) {
    const digit = octets[index]!;
    if (digit < ZERO || digit > NINE) return malformed("its length is no number");
    // "0:" is a length, "03:" is not (netstrings.txt).
    if (index > 0 && length === 0) return malformed("its length begins with 0");
    length = length * 10 + digit - ZERO;
    if (length > MAX_REQUEST_OCTETS) return malformed(`longer than ${MAX_REQUEST_OCTETS} octets`);
  }
  if (index === 0 && octets.length > 0) return malformed("its length is missing");
  const begin = index + 1;
  const end = begin + length;
  if (octets.length <= end) return { kind: "incomplete" };
  if (octets[end] !== COMMA) return malformed("no comma at its end");
  return { kind: "netstring", octets: octets.subarray(begin, end), end: end + 1 };
}

function malformed(reason: string): Split {
  return { kind: "malformed", reason: `netstring malformed: ${reason}` };
}
