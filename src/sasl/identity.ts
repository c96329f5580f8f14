// Reads an identity (a user name) as the mechanisms send it. Used by all of them.
import type { MechanismContext } from "./mechanism.ts";

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

/**
 * The same by SASLprep, as RFC 4616 §2 and RFC 6856 §2.2 want it.
 *
 * @returns undefined also for a name that it forbids, or of which it leaves nothing
 */
export function parsePreparedIdentity(
  octets: Uint8Array,
  { prepareName }: Pick<MechanismContext, "prepareName">,
): string | undefined {
  const name = parseIdentity(octets);
  if (name === undefined || name === "") return name;
  const prepared = prepareName(name);
  return prepared === "" ? undefined : prepared;
}

// ignoreBOM keeps a leading U+FEFF: dropping it would let two different names stand for one account.
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
