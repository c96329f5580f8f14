// Feeds the same octets whole, byte by byte and split at every place where a parser may trip.

/** Every way that a test feeds its input: whole, single octets, and cut at and around each LF. */
export function inPieces(octets: Uint8Array): Uint8Array[][] {
  const ways: Uint8Array[][] = [[octets], Array.from(octets, (octet) => Uint8Array.of(octet))];
  octets.forEach((octet, index) => {
    if (octet !== 10) return;
    for (const cut of [index - 1, index, index + 1]) {
      if (cut > 0 && cut < octets.length) ways.push([octets.slice(0, cut), octets.slice(cut)]);
    }
  });
  return ways;
}

/** A byte string as octets. */
export function octets(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
