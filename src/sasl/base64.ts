// Base64 (RFC 4648 §4) as SASL uses it: with its padding, without line ends. Pure. Used by SCRAM, and by the auth
// protocol's two ends.

export function isBase64(text: string): boolean {
  return text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text);
}

/** @returns undefined when the text is not base64 */
export function decodeBase64(text: string): Uint8Array | undefined {
  if (!isBase64(text)) return undefined;
  const characters = atob(text);
  const octets = new Uint8Array(characters.length);
  for (let i = 0; i < octets.length; i++) octets[i] = characters.charCodeAt(i);
  return octets;
}

export function encodeBase64(octets: Uint8Array): string {
  let characters = "";
  for (const octet of octets) characters += String.fromCharCode(octet);
  return btoa(characters);
}
