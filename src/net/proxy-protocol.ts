// The PROXY protocol, versions 1 and 2 (HAProxy's doc/proxy-protocol.txt): who a proxy's client is, told before the
// client's own first octet. To the letter or not at all. Pure. Used by login processes.
import { isIPv4, isIPv6 } from "node:net";
import { crc32c } from "./crc32c.ts";

export interface ProxiedEndpoints {
  readonly address: string;
  readonly port: number;
  /** What the client connected to. */
  readonly localAddress: string;
  readonly localPort: number;
}

export type ProxyHeader =
  | { readonly kind: "incomplete" }
  /** `reason` repeats nothing of the header. */
  | { readonly kind: "invalid"; readonly reason: string }
  | {
      readonly kind: "header";
      /** How many octets it has; the client's own follow. */
      readonly length: number;
      /** Undefined where the proxy names no client: a check of its own (LOCAL), or one without an IP address. */
      readonly endpoints: ProxiedEndpoints | undefined;
      /** What the proxy says of the TLS between the client and itself; undefined where there was none. */
      readonly tls: string | undefined;
    };

/** Reads the header at the begin of what a connection has sent so far, at most 16 + 65,535 octets. Never throws. */
export function parseProxyHeader(octets: Uint8Array): ProxyHeader {
  if (startsAlike(octets, SIGNATURE)) return octets.length < 16 ? INCOMPLETE : parseVersion2(octets);
  if (startsAlike(octets, VERSION_1)) return parseVersion1(octets);
  return invalid("no PROXY header");
}

/** "\r\n\r\n\0\r\nQUIT\n": chosen so that no other protocol begins with it. */
const SIGNATURE = Uint8Array.of(0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a);
const VERSION_1 = Uint8Array.of(0x50, 0x52, 0x4f, 0x58, 0x59, 0x20);
const INCOMPLETE = { kind: "incomplete" } as const;

/** The longest line that version 1 can be, its CRLF included. */
const MAX_VERSION_1_OCTETS = 107;

function parseVersion1(octets: Uint8Array): ProxyHeader {
  const start = octets.subarray(0, MAX_VERSION_1_OCTETS);
  const end = start.indexOf(0x0a);
  if (end === -1) {
    return start.length < MAX_VERSION_1_OCTETS ? INCOMPLETE : invalid("version 1: longer than 107 octets");
  }
  if (start[end - 1] !== 0x0d) return invalid("version 1: its line does not end with CRLF");
  const line = String.fromCharCode(...start.subarray(0, end - 1));
  const header = { kind: "header", length: end + 1, tls: undefined } as const;
  // What follows UNKNOWN is to be ignored.
  if (/^PROXY UNKNOWN(?: |$)/.test(line)) return { ...header, endpoints: undefined };
  const [, family, address = "", localAddress = "", portText = "", localPortText = ""] =
    /^PROXY (TCP[46]) ([0-9A-Fa-f:.]+) ([0-9A-Fa-f:.]+) ([0-9]{1,5}) ([0-9]{1,5})$/.exec(line) ?? [];
  if (family === undefined) return invalid("version 1: not of the form PROXY TCP4 address address port port");
  const isAddress = family === "TCP4" ? isIPv4 : isIPv6;
  if (!isAddress(address) || !isAddress(localAddress))
    return invalid(`version 1: not two addresses of ${family}`);
  const port = parsePort(portText);
  const localPort = parsePort(localPortText);
  if (port === undefined || localPort === undefined) return invalid("version 1: not two ports");
  return {
    ...header,
    endpoints: {
      address: canonicalAddress(address),
      port,
      localAddress: canonicalAddress(localAddress),
      localPort,
    },
  };
}

/** Decimal without leading zeros. */
function parsePort(text: string): number | undefined {
  const port = Number.parseInt(text, 10);
  return String(port) === text && port <= 0xffff ? port : undefined;
}

function parseVersion2(octets: Uint8Array): ProxyHeader {
  const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  const versionAndCommand = view.getUint8(12);
  const family = view.getUint8(13);
  const length = 16 + view.getUint16(14);
  if (versionAndCommand >> 4 !== 2) return invalid("version 2: another version");
  const command = versionAndCommand & 0x0f;
  if (command > PROXY) return invalid("version 2: unknown command");
  const addressOctets = ADDRESS_OCTETS.get(family);
  if (command === PROXY && addressOctets === undefined) return invalid("version 2: unknown address family");
  if (octets.length < length) return INCOMPLETE;
  const header = { kind: "header", length } as const;
  // LOCAL: the proxy speaks for itself, whatever else the header has is to be ignored.
  if (command === LOCAL || addressOctets === undefined)
    return { ...header, endpoints: undefined, tls: undefined };
  if (length < 16 + addressOctets) return invalid("version 2: too short for its addresses");
  const tlvs = parseTlvs(octets.subarray(16 + addressOctets, length));
  if (tlvs === undefined) return invalid("version 2: a TLV exceeds the header");
  const checksum = tlvs.find(({ type }) => type === TYPE_CRC32C);
  if (checksum !== undefined && !isChecksumRight(octets.subarray(0, length), checksum.value)) {
    return invalid("version 2: its checksum does not fit");
  }
  const ssl = tlvs.find(({ type }) => type === TYPE_SSL);
  return {
    ...header,
    endpoints: endpointsOf(family, octets.subarray(16), view),
    tls: ssl === undefined ? undefined : describeTls(ssl.value),
  };
}

const LOCAL = 0;
const PROXY = 1;
const TCP4 = 0x11;
const TCP6 = 0x21;
const UNIX_STREAM = 0x31;

/** Family and transport → octets of the addresses. A POP3 client comes by no datagram. */
const ADDRESS_OCTETS: ReadonlyMap<number, number> = new Map([
  [0x00, 0],
  [TCP4, 12],
  [TCP6, 36],
  [UNIX_STREAM, 216],
]);

const TYPE_CRC32C = 0x03;
const TYPE_SSL = 0x20;
const SUBTYPE_SSL_VERSION = 0x21;
const SUBTYPE_SSL_CIPHER = 0x23;
const CLIENT_SSL = 0x01;

function endpointsOf(family: number, addresses: Uint8Array, view: DataView): ProxiedEndpoints | undefined {
  if (family !== TCP4 && family !== TCP6) return undefined;
  const size = family === TCP4 ? 4 : 16;
  const read = (offset: number): string => {
    const address = addresses.subarray(offset, offset + size);
    return family === TCP4 ? address.join(".") : canonicalAddress(ipv6Groups(address));
  };
  return {
    address: read(0),
    localAddress: read(size),
    port: view.getUint16(16 + 2 * size),
    localPort: view.getUint16(16 + 2 * size + 2),
  };
}

function ipv6Groups(address: Uint8Array): string {
  return Array.from({ length: 8 }, (_, i) =>
    ((address[2 * i]! << 8) | address[2 * i + 1]!).toString(16),
  ).join(":");
}

/** RFC 5952's spelling, as the kernel's addresses have it; an IPv4 address in an IPv6 one is the IPv4 address. */
function canonicalAddress(address: string): string {
  if (!address.includes(":")) return address;
  const canonical = new URL(`http://[${address}]/`).hostname.slice(1, -1);
  const [, high, low] = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(canonical) ?? [];
  if (high === undefined || low === undefined) return canonical;
  const [a, b] = [Number.parseInt(high, 16), Number.parseInt(low, 16)];
  return [a >> 8, a & 0xff, b >> 8, b & 0xff].join(".");
}

interface Tlv {
  readonly type: number;
  readonly value: Uint8Array;
}

/** Undefined when one of them exceeds the octets. */
function parseTlvs(octets: Uint8Array): readonly Tlv[] | undefined {
  const tlvs: Tlv[] = [];
  for (let offset = 0; offset < octets.length; ) {
    if (octets.length - offset < 3) return undefined;
    const end = offset + 3 + ((octets[offset + 1]! << 8) | octets[offset + 2]!);
    if (end > octets.length) return undefined;
    tlvs.push({ type: octets[offset]!, value: octets.subarray(offset + 3, end) });
    offset = end;
  }
  return tlvs;
}

/** It is made over the whole header, with zeros in its own place. @param value lies within the header */
function isChecksumRight(header: Uint8Array, value: Uint8Array): boolean {
  if (value.length !== 4) return false;
  // Not slice: a Buffer's shares its octets.
  const copy = new Uint8Array(header);
  copy.fill(0, value.byteOffset - header.byteOffset, value.byteOffset - header.byteOffset + 4);
  return crc32c(copy) === new DataView(value.buffer, value.byteOffset, 4).getUint32(0);
}

/** A flag octet, four octets about the client's certificate, then TLVs; broken ones count as no TLS. */
function describeTls(value: Uint8Array): string | undefined {
  if (value.length < 5 || (value[0]! & CLIENT_SSL) === 0) return undefined;
  const tlvs = parseTlvs(value.subarray(5));
  if (tlvs === undefined) return undefined;
  const text = (type: number): string => {
    const found = tlvs.find((tlv) => tlv.type === type)?.value.subarray(0, 64) ?? new Uint8Array(0);
    return String.fromCharCode(...found).replace(/[^\x21-\x7e]/g, "");
  };
  return (
    [text(SUBTYPE_SSL_VERSION), text(SUBTYPE_SSL_CIPHER)].filter((part) => part !== "").join(" ") || "TLS"
  );
}

function startsAlike(octets: Uint8Array, start: Uint8Array): boolean {
  const length = Math.min(octets.length, start.length);
  for (let i = 0; i < length; i++) if (octets[i] !== start[i]) return false;
  return true;
}

function invalid(reason: string): ProxyHeader {
  return { kind: "invalid", reason };
}
