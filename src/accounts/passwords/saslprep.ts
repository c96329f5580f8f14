// SASLprep (RFC 4013): the one form of a name or password that may be written in several ways, as RFC 4616, 5802 and 6856 want
// it. The one file that imports the library; used by the auth process and by pop3-passwd.
import library from "@mongodb-js/saslprep";

/**
 * @param text as a "query": code points that Unicode 3.2 had not assigned pass, or nobody could have an emoji in a password
 * @returns undefined for a text that SASLprep forbids: control characters, mixed directions …
 */
export function saslprep(text: string): string | undefined {
  if (ASCII.test(text)) return text;
  try {
    return library(text, { allowUnassigned: true });
  } catch {
    return undefined;
  }
}

/** The form by which names are compared. What is forbidden stays as it is, and is equal to nothing that a client may send. */
export function preparedName(name: string): string {
  return saslprep(name) ?? name;
}

/**
 * The octets that a password's hash may have been made of: its prepared form, then, where that is another, the octets as they
 * came, since other programs hash those. Nothing for what RFC 6856 §2.2 has a server refuse (RFC 4013 §2.3). What is no UTF-8
 * is an old password in another character set, and one of mixed directions only lacks a prepared form.
 */
export function passwordForms(password: Uint8Array): readonly Uint8Array[] {
  if (password.every(isPrintableAscii)) return [password];
  const text = strictUtf8(password);
  if (text === undefined) return [password];
  const prepared = saslprep(text);
  if (prepared === undefined) return [...text.normalize("NFKC")].every(isAllowed) ? [password] : [];
  if (prepared === "") return [];
  return prepared === text ? [password] : [encoder.encode(prepared), password];
}

function isPrintableAscii(octet: number): boolean {
  return octet >= 0x20 && octet <= 0x7e;
}

/** By itself a character has one direction: what is refused then is forbidden anywhere. */
function isAllowed(character: string): boolean {
  return saslprep(character) !== undefined;
}

function strictUtf8(octets: Uint8Array): string | undefined {
  try {
    return decoder.decode(octets);
  } catch {
    return undefined;
  }
}

const ASCII = /^[\x20-\x7e]*$/;
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
