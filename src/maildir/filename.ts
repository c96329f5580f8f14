// A message's file name in a Maildir (https://cr.yp.to/proto/maildir.html): its base name, its flags, when it was
// delivered. Pure; names are byte strings (latin1), because a file system does not care for encodings. Used by the
// Maildir engine in the mailbox process.

/** The name up to the info part: what stays the same while programs change flags or move the file from new to cur. */
export function baseName(name: string): string {
  const colon = name.indexOf(":");
  return colon === -1 ? name : name.slice(0, colon);
}

/** What stands behind the first colon, or undefined where there is none. */
export function infoPart(name: string): string | undefined {
  const colon = name.indexOf(":");
  return colon === -1 ? undefined : name.slice(colon + 1);
}

/**
 * The name with a flag added, flags in ASCII order as the Maildir specification asks.
 *
 * An info part of another kind ("1,…", or the size tag that Exim writes as ":S123") is kept as it is: it is somebody's,
 * and has no room for flags.
 *
 * @param flag one ASCII letter
 */
export function withFlag(name: string, flag: string): string {
  const info = infoPart(name);
  if (info === undefined || info === "") return `${baseName(name)}:${FLAGS_PREFIX}${flag}`;
  if (!info.startsWith(FLAGS_PREFIX)) return name;
  const flags = info.slice(FLAGS_PREFIX.length);
  if (flags.includes(flag)) return name;
  return `${baseName(name)}:${FLAGS_PREFIX}${[...flags, flag].sort().join("")}`;
}

/** Whether the flag stands in the name, or could not: an info part of another kind has no flags. */
export function hasFlag(name: string, flag: string): boolean {
  return withFlag(name, flag) === name;
}

/**
 * Microseconds since 1970 at which the message was delivered, from the name's time (`seconds.` at its begin) and the
 * microseconds that Exim, Postfix, Dovecot and others put behind it (`M`, Exim once `H`). What is not there counts as 0,
 * so names of another making come first. Exact: capped where a number would lose its last digit.
 */
export function deliveryTimeUs(name: string): number {
  let position = 0;
  let seconds = 0;
  for (; position < name.length; position++) {
    const digit = name.charCodeAt(position) - ZERO;
    if (digit < 0 || digit > 9) break;
    seconds = Math.min(seconds * 10 + digit, MAX_SECONDS);
  }
  if (position === 0 || name.charCodeAt(position) !== DOT) return 0;
  return seconds * 1_000_000 + microseconds(name, position + 1);
}

/** Negative, 0 or positive as message a stands before b: by delivery, then by the bytes of the base names. */
export function compareDelivery(aTimeUs: number, a: string, bTimeUs: number, b: string): number {
  if (aTimeUs !== bTimeUs) return aTimeUs - bTimeUs;
  const aBase = baseName(a);
  const bBase = baseName(b);
  return aBase < bBase ? -1 : aBase > bBase ? 1 : 0;
}

/** Maildir++ size tags in a base name: `,S=` bytes of the file, `,W=` octets with CRLF line ends. */
export interface NamedSizes {
  readonly bytes: number | undefined;
  readonly octets: number | undefined;
}

/** Sizes that the delivering program wrote into the name. A `,W=` that no file of `,S=` bytes can have is left out. */
export function sizesFromName(name: string): NamedSizes {
  const bytes = sizeTag(name, ",S=");
  const octets = sizeTag(name, ",W=");
  const fits = octets === undefined || bytes === undefined || isPlausible(octets, bytes);
  return { bytes, octets: fits ? octets : undefined };
}

/** Whether a file of so many bytes can have so many octets as sent: each LF may need a CR, the last line a CRLF. */
export function isPlausible(octets: number, bytes: number): boolean {
  return bytes === 0 ? octets === 0 : octets >= bytes && octets <= 2 * bytes + 1;
}

const FLAGS_PREFIX = "2,";
const ZERO = 48;
const DOT = 46;
/** As many seconds as a double can hold in microseconds without losing one. */
const MAX_SECONDS = 9_007_199_253;

/**
 * The delivery identifier is a row of fields, each a letter and a number: decimal for M and P, hexadecimal for the
 * others (`V803I5aM123456`), so an "M" in the middle is always a field's letter.
 */
function microseconds(name: string, begin: number): number {
  let position = begin;
  for (;;) {
    const letter = name.charCodeAt(position);
    if (!FIELD_LETTERS.has(letter)) return 0;
    let value = 0;
    let isDecimal = true;
    const digitsBegin = ++position;
    for (let code = name.charCodeAt(position); isHexDigit(code); code = name.charCodeAt(++position)) {
      isDecimal &&= code <= NINE;
      value = Math.min(value * 10 + code - ZERO, 999_999);
    }
    if (letter === M || letter === H) return isDecimal && position > digitsBegin ? value : 0;
  }
}

const FIELD_LETTERS: ReadonlySet<number> = new Set(Buffer.from("#XRIVMPQH", "latin1"));
const M = 77;
const H = 72;
const NINE = 57;

function isHexDigit(code: number): boolean {
  return (code >= ZERO && code <= NINE) || (code >= 97 && code <= 102);
}

function sizeTag(name: string, tag: string): number | undefined {
  const begin = name.indexOf(tag);
  if (begin === -1) return undefined;
  const colon = name.indexOf(":");
  if (colon !== -1 && begin > colon) return undefined;
  const digits = /^[0-9]{1,15}(?=[,:]|$)/.exec(name.slice(begin + tag.length, begin + tag.length + 17));
  return digits === null ? undefined : Number.parseInt(digits[0], 10);
}
