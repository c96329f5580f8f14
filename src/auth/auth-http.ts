// nginx's mail proxy asks by HTTP who may log in and which back end serves them (ngx_mail_auth_http_module): its headers as a
// question, our answer as headers. Pure; used by the auth process.
import { isIP } from "node:net";
import { parseIdentity } from "../sasl/identity.ts";

export interface AuthHttpRequest {
  readonly user: string;
  /** Octets, any. The caller overwrites them when it is done. */
  readonly password: Uint8Array;
  /** Undefined for a client that came to nginx by a UNIX socket. */
  readonly clientAddress: string | undefined;
  /** The client's connection to nginx has TLS. */
  readonly secured: boolean;
  /** TLS version and cipher suite, for the log. */
  readonly tls: string | undefined;
  /** Which attempt it is on the client's connection, from 1. */
  readonly attempt: number;
}

export type ParsedAuthHttp =
  | { readonly kind: "request"; readonly request: AuthHttpRequest }
  /** Said by the client, not by nginx: an honest one sends no such name or password. */
  | { readonly kind: "malformed-login" }
  /** nginx asks for what no password comes with (APOP, CRAM-MD5, EXTERNAL). */
  | { readonly kind: "unsupported"; readonly method: string }
  /** Not from nginx's mail proxy. */
  | { readonly kind: "malformed"; readonly reason: string };

export type AuthHttpReply =
  /** nginx takes no name: `host` is an IP address. */
  | { readonly kind: "back-end"; readonly host: string; readonly port: number }
  /** The client is told `-ERR text`, and may try again after so many seconds; undefined: nginx closes its connection. */
  | { readonly kind: "refused"; readonly text: string; readonly retryAfterSeconds: number | undefined };

/** nginx keeps no more of an answer, its status line included. */
export const MAX_REPLY_OCTETS = 1024;

/** @param rawHeaders name, value, name, value …; values as byte strings, as node:http has them */
export function parseAuthHttp(rawHeaders: readonly string[]): ParsedAuthHttp {
  const headers = new Map<string, string>();
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!.toLowerCase();
    // What could be read in two ways is not read at all.
    if (headers.has(name)) return { kind: "malformed", reason: `header ${name} twice` };
    headers.set(name, rawHeaders[at + 1]!);
  }
  const method = headers.get("auth-method");
  if (method === undefined || !/^[a-z0-9-]{1,20}$/.test(method))
    return { kind: "malformed", reason: "no Auth-Method" };
  if (headers.get("auth-protocol") !== "pop3")
    return { kind: "malformed", reason: 'Auth-Protocol is not "pop3"' };
  if (method !== "plain") return { kind: "unsupported", method };
  const clientAddress = headers.get("client-ip");
  // nginx writes "unix:" for a client without an address.
  if (clientAddress === undefined || (clientAddress !== "unix:" && isIP(clientAddress) === 0))
    return { kind: "malformed", reason: "no address in Client-IP" };
  const attempt = headers.get("auth-login-attempt") ?? "1";
  if (!/^[1-9][0-9]{0,8}$/.test(attempt))
    return { kind: "malformed", reason: "no number in Auth-Login-Attempt" };

  const name = unescaped(headers.get("auth-user") ?? "");
  const password = unescaped(headers.get("auth-pass") ?? "");
  const user = name === undefined ? undefined : parseIdentity(name);
  if (user === undefined || user === "" || /\p{Cc}/u.test(user)) return { kind: "malformed-login" };
  if (password === undefined || password.length === 0 || password.includes(0))
    return { kind: "malformed-login" };
  const tls = [headers.get("auth-ssl-protocol"), headers.get("auth-ssl-cipher")].filter(Boolean).join(" ");
  return {
    kind: "request",
    request: {
      user,
      password,
      clientAddress: clientAddress === "unix:" ? undefined : clientAddress,
      secured: headers.get("auth-ssl") === "on",
      tls: tls === "" ? undefined : tls,
      attempt: Number.parseInt(attempt, 10),
    },
  };
}

export function authHttpHeaders(reply: AuthHttpReply): Readonly<Record<string, string>> {
  switch (reply.kind) {
    case "back-end":
      return { "Auth-Status": "OK", "Auth-Server": reply.host, "Auth-Port": `${reply.port}` };
    case "refused":
      return {
        "Auth-Status": reply.text,
        ...(reply.retryAfterSeconds !== undefined && { "Auth-Wait": `${reply.retryAfterSeconds}` }),
      };
    default:
      return reply satisfies never;
  }
}

/** nginx writes space, "%" and control characters as %XX, and every other octet as it is. */
function unescaped(value: string): Uint8Array | undefined {
  if (/%(?![0-9A-Fa-f]{2})/.test(value)) return undefined;
  const text = value.replace(/%(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
