// The host that a TLS client asks for (RFC 6066 §3), read from its first message before OpenSSL sees it: Node gives OpenSSL
// one certificate for a name, and a name may have two, RSA and ECDSA. Pure. Used by login processes.

export type ClientHello =
  | { readonly kind: "incomplete" }
  /** No ClientHello that we understand: OpenSSL says what is wrong with it. */
  | { readonly kind: "unreadable" }
  /** `host` in lower case; undefined when the client names none. */
  | { readonly kind: "hello"; readonly host: string | undefined };

/** More than the largest ones with post-quantum key shares, and a bound for what a stranger makes us keep. */
export const MAX_CLIENT_HELLO_OCTETS = 16_384;

/** Clients send one or two. Each octet that comes begins the reading anew: of many small ones, a stranger's would be costly. */
const MAX_RECORDS = 64;

const RECORD_HEADER_OCTETS = 5;
const HANDSHAKE_RECORD = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;
const HOST_NAME = 0;

/** Reads what a connection has sent so far. Never throws. */
export function parseClientHello(octets: Uint8Array): ClientHello {
  const message = handshakeMessage(octets);
  if (!(message instanceof Uint8Array)) return message;
  const body = new Reader(message);
  // Version, random, session id, cipher suites, compression methods.
  body.take(2 + 32);
  for (const lengthOctets of [1, 2, 1]) body.vector(lengthOctets);
  const extensions = new Reader(body.vector(2));
  while (extensions.hasMore) {
    const type = extensions.number(2);
    const extension = extensions.vector(2);
    if (type === SERVER_NAME) return { kind: "hello", host: hostOf(extension) };
  }
  return { kind: "hello", host: undefined };
}

/** The body of the first message, which may be spread over several records. */
function handshakeMessage(octets: Uint8Array): Uint8Array | Exclude<ClientHello, { kind: "hello" }> {
  const parts: Uint8Array[] = [];
  let length = 0;
  let messageEnd: number | undefined;
  for (let offset = 0; ; ) {
    if (offset < octets.length && octets[offset] !== HANDSHAKE_RECORD) return { kind: "unreadable" };
    if (octets.length < offset + RECORD_HEADER_OCTETS) return { kind: "incomplete" };
    const end = offset + RECORD_HEADER_OCTETS + ((octets[offset + 3]! << 8) | octets[offset + 4]!);
    const part = octets.subarray(offset + RECORD_HEADER_OCTETS, end);
    parts.push(part);
    length += part.length;
    if (parts[0]!.length > 0 && parts[0]![0] !== CLIENT_HELLO) return { kind: "unreadable" };
    if (length >= 4) {
      // Until there is a length, few octets are joined; behind it, all of them once.
      messageEnd ??= 4 + new Reader(join(parts, length).subarray(1)).number(3);
      if (messageEnd > MAX_CLIENT_HELLO_OCTETS) return { kind: "unreadable" };
      if (length >= messageEnd) return join(parts, length).subarray(4, messageEnd);
    }
    if (end > octets.length) return { kind: "incomplete" };
    // A record without octets, RFC 8446 §5.1 forbids.
    if (part.length === 0 || parts.length === MAX_RECORDS) return { kind: "unreadable" };
    offset = end;
  }
}

function join(parts: readonly Uint8Array[], length: number): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  const joined = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

function hostOf(extension: Uint8Array): string | undefined {
  const list = new Reader(new Reader(extension).vector(2));
  while (list.hasMore) {
    const type = list.number(1);
    const name = list.vector(2);
    if (type === HOST_NAME && name.length > 0)
      return String.fromCharCode(...name.subarray(0, 255)).toLowerCase();
  }
  return undefined;
}

/** Past the end there is nothing: numbers are 0, the rest is empty. */
class Reader {
  readonly #octets: Uint8Array;
  #offset = 0;

  constructor(octets: Uint8Array) {
    this.#octets = octets;
  }

  get hasMore(): boolean {
    return this.#offset < this.#octets.length;
  }

  number(octets: number): number {
    return this.take(octets).reduce((number, octet) => number * 256 + octet, 0);
  }

  take(octets: number): Uint8Array {
    const taken = this.#octets.subarray(this.#offset, this.#offset + octets);
    this.#offset += octets;
    return taken;
  }

  /** As many octets as a length before them says. */
  vector(lengthOctets: number): Uint8Array {
    return this.take(this.number(lengthOctets));
  }
}
