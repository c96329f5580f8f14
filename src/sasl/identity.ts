// Reads an identity (a user name) as the mechanisms send it. Used by PLAIN and LOGIN.

/** RFC 4616 §2: a server must accept identities of up to 255 octets; no account has a longer name. */
export const MAX_IDENTITY_OCTETS = 255;

/** @returns undefined when the octets are not UTF-8 (RFC 4616 §2) or too many */
export function parseIdentity(octets: Uint8Array): string | undefined {
  if (octets.length > MAX_IDENTITY_OCTETS) return undefined;
  try {
    return utf8.decode(octets);
  } catch {
    return undefined;
  }
}

// ignoreBOM keeps a leading U+FEFF: dropping it would let two different names stand for one account.
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
