// How a session's client is sent messages that not every client can take as they are stored, and what that means for their
// sizes. Given to Maildrop by the mailbox process; pure.
import type { SurrogateKind } from "../mime/surrogate.ts";
import type { Workaround } from "../mime/workarounds.ts";

export interface Presentation {
  /** What is counted for clients that have not said UTF8, whether this one has or not: the index keeps it. */
  readonly surrogate: SurrogateKind;
  /** What becomes of a message with headers in UTF-8: this client gets its surrogate, the message itself, or -ERR. */
  readonly utf8Headers: "surrogate" | "as-stored" | "refused";
  readonly workarounds: readonly Workaround[];
}

export const AS_STORED: Presentation = { surrogate: "downgraded", utf8Headers: "as-stored", workarounds: [] };

/** What few messages have, and what makes them differ from client to client. Found while they are counted. */
export interface Traits {
  /** Headers in UTF-8: what takes the message's place, and its octets as sent. */
  readonly surrogate: { readonly kind: SurrogateKind; readonly octets: number } | undefined;
  /** No empty line ends the headers. */
  readonly isHeaderOpen: boolean;
}

/** What one reading of a message tells. */
export interface Counted {
  /** As stored. */
  readonly bytes: number;
  /** Of the message itself, as sent. */
  readonly octets: number;
  /** Undefined for most. */
  readonly traits: Traits | undefined;
}

/** As sent to this client. */
export function presentedOctets(
  { octets, traits }: Pick<Counted, "octets" | "traits">,
  { utf8Headers, workarounds }: Presentation,
): number {
  if (traits === undefined) return octets;
  const surrogate = utf8Headers === "surrogate" ? traits.surrogate : undefined;
  const isEnded =
    surrogate?.kind !== "wrapped" && traits.isHeaderOpen && workarounds.includes("missing-end-of-headers");
  return (surrogate?.octets ?? octets) + (isEnded ? CRLF_OCTETS : 0);
}

/** Whether a message may have another size for this client than as stored. */
export function changesSizes({ utf8Headers, workarounds }: Presentation): boolean {
  return utf8Headers === "surrogate" || workarounds.includes("missing-end-of-headers");
}

const CRLF_OCTETS = 2;
