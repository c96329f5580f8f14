// Certificate revocation lists (RFC 5280 §5), as PEM text: can TLS work with them, and until when do they hold? Asked by master
// before it hands them out. Does no I/O.
import { createSecureContext } from "node:tls";

export type RevocationListResult =
  | {
      readonly kind: "sound";
      /** One PEM text each. */
      readonly lists: readonly string[];
      /** When the first of them has to be renewed; undefined where none says so. */
      readonly nextUpdateMs: number | undefined;
    }
  | { readonly kind: "faulty"; readonly reason: string };

export function examineRevocationLists(pem: string): RevocationListResult {
  const lists = pem.match(/-----BEGIN X509 CRL-----[\s\S]*?-----END X509 CRL-----/g) ?? [];
  if (lists.length === 0) {
    return {
      kind: "faulty",
      reason:
        'holds no revocation list, expected PEM text with "-----BEGIN X509 CRL-----" (openssl crl -inform DER -in FILE -out FILE.pem)',
    };
  }
  const dates: number[] = [];
  for (const list of lists) {
    const nextUpdateMs = nextUpdateOf(Buffer.from(list.replace(/-----[^-]+-----/g, ""), "base64"));
    if (nextUpdateMs === "damaged" || !isTaken(list))
      return { kind: "faulty", reason: "its revocation list is damaged, fetch it anew" };
    if (nextUpdateMs !== undefined) dates.push(nextUpdateMs);
  }
  return { kind: "sound", lists, nextUpdateMs: dates.length === 0 ? undefined : Math.min(...dates) };
}

function isTaken(list: string): boolean {
  try {
    createSecureContext({ crl: list });
    return true;
  } catch {
    return false;
  }
}

/** Node has no class for these lists: CertificateList → tbsCertList → [version] signature issuer thisUpdate [nextUpdate]. */
function nextUpdateOf(der: Buffer): number | undefined | "damaged" {
  const list = readElement(der, 0);
  const signed = list && readElement(list.content, 0);
  if (signed?.tag !== SEQUENCE) return "damaged";
  const elements: Element[] = [];
  for (let at = 0; at < signed.content.length && elements.length < 6; ) {
    const element = readElement(signed.content, at);
    if (element === undefined) return "damaged";
    elements.push(element);
    at = element.end;
  }
  if (elements[0]?.tag === INTEGER) elements.shift();
  const [, , thisUpdate, nextUpdate] = elements;
  if (thisUpdate === undefined || readTime(thisUpdate) === undefined) return "damaged";
  return nextUpdate && readTime(nextUpdate);
}

interface Element {
  readonly tag: number;
  readonly content: Buffer;
  /** Where the next one begins. */
  readonly end: number;
}

const INTEGER = 0x02;
const UTC_TIME = 0x17;
const GENERALIZED_TIME = 0x18;
const SEQUENCE = 0x30;

function readElement(der: Buffer, at: number): Element | undefined {
  const [tag, first] = [der[at], der[at + 1]];
  if (tag === undefined || first === undefined) return undefined;
  const lengthOctets = first < 0x80 ? 0 : first & 0x7f;
  if (lengthOctets > 4 || at + 2 + lengthOctets > der.length) return undefined;
  const begin = at + 2 + lengthOctets;
  const length = lengthOctets === 0 ? first : der.readUIntBE(at + 2, lengthOctets);
  const end = begin + length;
  return end > der.length ? undefined : { tag, content: der.subarray(begin, end), end };
}

/** RFC 5280 §5.1.2.4: in UTC, with seconds; two digits of a year from 50 on are 19… */
function readTime({ tag, content }: Element): number | undefined {
  const text = content.toString("latin1");
  const digits = tag === GENERALIZED_TIME ? 4 : tag === UTC_TIME ? 2 : 0;
  const match = new RegExp(`^([0-9]{${digits}})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})Z$`).exec(
    text,
  );
  if (digits === 0 || match === null) return undefined;
  const [year = 0, month = 0, ...rest] = match.slice(1).map(Number);
  const century = digits === 4 ? 0 : year < 50 ? 2000 : 1900;
  const [day, hour, minute, second] = rest as [number, number, number, number];
  return Date.UTC(century + year, month - 1, day, hour, minute, second);
}
