// Postfix's socketmap protocol as text: a request is "<map> <key>", a reply a status and a text. Pure. Used by the
// socketmap server in the auth process. Source: socketmap_table(5), Postfix src/util/dict_sockmap.c.

export type SocketmapRequest =
  | { readonly kind: "lookup"; readonly map: string; readonly key: string }
  | { readonly kind: "malformed"; readonly reason: string };

export type SocketmapReply =
  /** `data` is not empty: Postfix takes an empty one for an error. */
  | { readonly kind: "OK"; readonly data: string }
  | { readonly kind: "NOTFOUND" }
  /** Postfix tries again later. */
  | { readonly kind: "TEMP"; readonly reason: string }
  /** The request can never be answered: a mistake in main.cf. */
  | { readonly kind: "PERM"; readonly reason: string };

/** @param octets what stands in the netstring */
export function parseSocketmapRequest(octets: Uint8Array): SocketmapRequest {
  const space = octets.indexOf(0x20);
  if (space <= 0) return { kind: "malformed", reason: "a request is a map's name, a space and a key" };
  // What is not UTF-8 becomes U+FFFD, which no account's name has: it is looked up, and not found.
  const [map, key] = [octets.subarray(0, space), octets.subarray(space + 1)].map((part) => utf8.decode(part));
  return { kind: "lookup", map: map!, key: key! };
}

export function formatSocketmapReply(reply: SocketmapReply): string {
  switch (reply.kind) {
    case "OK":
      return `OK ${reply.data}`;
    case "NOTFOUND":
      // With its space: Postfix looks for it.
      return "NOTFOUND ";
    case "TEMP":
    case "PERM":
      return `${reply.kind} ${reply.reason}`;
    default:
      return reply satisfies never;
  }
}

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
