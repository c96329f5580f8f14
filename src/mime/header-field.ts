// One header field with raw UTF-8 (RFC 6532) in a form that every client takes, as RFC 6858 §2 says: encoded words, addresses
// replaced, MIME parameters by RFC 2231 where §2.2 would drop them; what cannot be told so is left out (§2.4), signatures in
// ASCII stay (§5). No Downgraded-… field: those are RFC 6857's, the other algorithm's, and §2 wants none that programs might act
// upon. Pure but for the libraries. Used by downgrade.ts in the mailbox process.
import { libraries } from "./libraries.ts";

/** A field as stored: a line, its continuations, and their line ends. */
export interface HeaderField {
  /** In lower case; undefined for a line that is no field. */
  readonly name: string | undefined;
  readonly bytes: Uint8Array;
}

export function headerField(bytes: Uint8Array): HeaderField {
  const colon = bytes.indexOf(COLON);
  const name = /^([\x21-\x39\x3b-\x7e]+)[ \t]*$/.exec(latin1(bytes.subarray(0, Math.max(colon, 0))))?.[1];
  return { name: name?.toLowerCase(), bytes };
}

/** What stands behind the colon, unfolded; undefined when it is not UTF-8. */
export function fieldText({ bytes }: HeaderField): string | undefined {
  try {
    const text = utf8.decode(bytes.subarray(bytes.indexOf(COLON) + 1));
    return text
      .replace(/\r?\n(?=[ \t])/g, "")
      .replace(/[\r\n]+/g, " ")
      .trim();
  } catch {
    return undefined;
  }
}

/**
 * The field in ASCII, with its line end; empty when it is left out. Undefined for one that stays as it is: in ASCII already,
 * or in a character set that nobody knows, which is no internationalized message's, and which clients have been guessing
 * for as long as there are such messages.
 */
export function downgradedField(field: HeaderField): string | undefined {
  const { name, bytes } = field;
  if (name === undefined || bytes.every(isAscii)) return undefined;
  const text = fieldText(field);
  if (text === undefined) return undefined;
  const value = downgradedValue(name, text);
  if (value === undefined) return "";
  const written = latin1(bytes.subarray(0, bytes.indexOf(COLON))).trimEnd();
  const line = `${written}: ${value}`;
  // Outside encoded words the text is ASCII by now; a library that left anything would end the promise.
  const folded = libraries().libmime.foldLines(line, MAX_LINE_LENGTH);
  return `${folded.replace(/[^\t\r\n\x20-\x7e]/g, "?")}\r\n`;
}

function downgradedValue(name: string, text: string): string | undefined {
  if (name === "return-path") return `<${REPLACEMENT}>`;
  if (ADDRESS_FIELDS.has(name)) return addressList(text);
  if (PARAMETER_FIELDS.has(name)) return withParameters(text);
  if (STRUCTURED_FIELDS.has(name) || name.startsWith("list-") || name.startsWith("arc-")) return undefined;
  return encodedWords(text);
}

/** RFC 2047 §5 (1), (3): for unstructured text and for a phrase. Words encoded before are encoded anew with the rest. */
export function encodedWords(text: string): string {
  const { libmime } = libraries();
  const decoded = text.includes("=?") ? libmime.decodeWords(text) : text;
  // Between two encoded words space means nothing, so one word holds all from the first to the last of another script.
  return libmime.encodeWords(
    decoded.replace(/[\r\n]+/g, " "),
    mostlyAscii(decoded) ? "Q" : "B",
    MAX_WORD_LENGTH,
  );
}

/** RFC 6858 §2.1. */
function addressList(text: string): string {
  return libraries()
    .parseAddresses(text)
    .map((entry) => {
      if (entry.group === undefined) return mailbox(entry);
      const members = entry.group.flatMap((member) => (member.group === undefined ? [mailbox(member)] : []));
      return `${phrase(entry.name)}: ${members.join(", ")};`;
    })
    .join(", ");
}

function mailbox({ name, address }: { readonly name: string; readonly address: string }): string {
  // A name without an address is no mailbox, but an empty group may have it.
  if (address === "") return `${phrase(name)}:;`;
  if (isAsciiText(address) && ADDRESS.test(address))
    return name === "" ? address : `${phrase(name)} <${address}>`;
  return `${phrase(name === "" ? address : `${name} (${address})`)} <${REPLACEMENT}>`;
}

function phrase(text: string): string {
  const { libmime } = libraries();
  const decoded = libmime.decodeWords(text);
  if (isAsciiText(decoded)) return `"${decoded.replace(/[\r\n]+/g, " ").replace(/["\\]/g, "\\$&")}"`;
  return libmime.encodeWord(decoded, mostlyAscii(decoded) ? "Q" : "B", MAX_WORD_LENGTH);
}

function withParameters(text: string): string | undefined {
  const { libmime } = libraries();
  const { value, params } = libmime.parseHeaderValue(text);
  return isAsciiText(value) ? libmime.buildHeaderValue({ value, params }) : undefined;
}

function mostlyAscii(text: string): boolean {
  const others = text.replace(/[\x00-\x7f]/g, "").length;
  return others * 2 <= text.length;
}

function isAscii(byte: number): boolean {
  return byte < 0x80;
}

function isAsciiText(text: string): boolean {
  return /^[\x00-\x7f]*$/.test(text);
}

export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}

/** RFC 6858 §2.1's own example: nobody's address, since .invalid is reserved (RFC 2606). */
export const REPLACEMENT = "invalid@internationalized-address.invalid";

/** RFC 6858 §2.1. */
const ADDRESS_FIELDS: ReadonlySet<string> = new Set(
  "bcc cc from reply-to resent-bcc resent-cc resent-from resent-reply-to resent-sender resent-to sender to".split(
    " ",
  ),
);

const PARAMETER_FIELDS: ReadonlySet<string> = new Set(["content-type", "content-disposition"]);

/**
 * RFC 6858 §2.4 leaves out whatever else cannot be presented. Here that are fields with a syntax, where encoded words would be
 * read as something else; the others are unstructured (RFC 5322 §3.6.8), and RFC 2047 §5 (1) lets their text be encoded:
 * Subject, Comments, X-…
 */
const STRUCTURED_FIELDS: ReadonlySet<string> = new Set(
  [
    "authentication-results auto-submitted autocrypt content-base content-features content-id content-language",
    "content-location content-md5 content-transfer-encoding date delivered-to delivery-date disposition-notification-to",
    "dkim-signature domainkey-signature envelope-to final-recipient in-reply-to message-id mime-version",
    "original-message-id original-recipient received received-spf references resent-date resent-message-id x-original-to",
  ]
    .join(" ")
    .split(" "),
);

const ADDRESS = /^[^\s<>,;:"()]+$|^"[^"]*"@[^\s<>,;:"()]+$/;
const MAX_LINE_LENGTH = 76;
/** RFC 2047 §2 allows 75. */
const MAX_WORD_LENGTH = 64;
const COLON = 58;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
