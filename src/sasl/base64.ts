// Base64 (RFC 4648 §4) as SASL uses it: with its padding, without line ends. Pure. Used by SCRAM, and by the auth
// protocol's two ends.

export function isBase64(text: string): boolean {
  return text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text);
}

/** @returns undefined when the text is not base64 */
export function decodeBase64(text: string): Uint8Array | undefined {
  return isBase64(text) ? Uint8Array.from(atob(text), (character) => character.charCodeAt(0)) : undefined;
}

export function encodeBase64(octets: Uint8Array): string {
  return btoa(Array.from(octets, (octet) => String.fromCharCode(octet)).join(""));
}
