// What is sent in place of a message whose headers are in raw UTF-8 (RFC 6532) to a client that has not said UTF8: made while
// it streams, so that its size is found in the very way in which it is sent.

/** How RFC 6856 §2.1's choice is made: a copy in old form, or the message itself as an attachment. */
export const SURROGATE_KINDS = ["downgraded", "wrapped"] as const;
export type SurrogateKind = (typeof SURROGATE_KINDS)[number];

/** Takes a message's stored bytes chunk by chunk, and gives those of its surrogate. */
export interface Surrogate {
  /** What can be said by now; never the chunk's own memory. */
  push(chunk: Uint8Array): readonly Uint8Array[];
  finish(): readonly Uint8Array[];
}
