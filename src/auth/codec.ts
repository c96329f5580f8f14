// Dovecot's auth-client protocol as text: lines to commands and replies, and back. Pure. Used by both ends of the
// protocol: the auth process (server.ts) and the login processes (client.ts); Postfix and Exim speak the same.
// Source: Dovecot, docs/developers/design/auth_protocol.md and src/auth/auth-request-handler.c.
import { isIP } from "node:net";
import type { Retention } from "../pop3/capability.ts";
import { decodeBase64, isBase64 } from "../sasl/base64.ts";
import { escapeTabs, unescapeTabs } from "./tab-escape.ts";

export const PROTOCOL_MAJOR = 1;
/** From minor version 2 on an empty `resp=` is an empty initial response. */
export const PROTOCOL_MINOR = 2;

/** Dovecot's own limit (AUTH_CLIENT_MAX_LINE_LENGTH), LF included. */
export const MAX_LINE_OCTETS = 16_384;

/** What an AUTH command says of the client who wants to log in. */
export interface AuthParameters {
  /** Upper case. */
  readonly mechanism: string;
  /** "pop3", "smtp" … */
  readonly service: string;
  /** TLS, or a connection that needs none. */
  readonly secured: boolean;
  /** The connection's TLS version and cipher suite, for the log. */
  readonly tls?: string | undefined;
  readonly session: string | undefined;
  /** The client's IP address (`rip`). */
  readonly remoteAddress: string | undefined;
  /** The IP address that it connected to (`lip`). */
  readonly localAddress: string | undefined;
  readonly remotePort: number | undefined;
  readonly localPort: number | undefined;
  /** Of a TLS connection that can be told apart from every other one. */
  readonly channelBinding?: ChannelBinding | undefined;
  /** Who the client is by its certificate, which the login process verified (`valid-client-cert`, `cert_username`). */
  readonly clientCertificateUser?: string | undefined;
  /** The mechanisms that the connection was offered; they travel on in the ticket. */
  readonly offered?: readonly string[] | undefined;
}

/** RFC 9266: 32 octets of keying material that only the two ends of one TLS connection have. */
export interface ChannelBinding {
  readonly type: "tls-exporter";
  /** Base64. */
  readonly data: string;
}

type Version = { readonly kind: "VERSION"; readonly major: number; readonly minor: number };
/** A challenge from the server, a response from the client. `data` should be base64 and is not checked here. */
type Continuation = { readonly kind: "CONT"; readonly id: number; readonly data: string };
/** Both Postfix and Exim ignore commands that they don't know, and so must we. */
type Unknown = { readonly kind: "unknown" };
/** The sender cannot be understood any further. `reason` repeats nothing of the line: it may hold a password. */
type Malformed = { readonly kind: "malformed"; readonly reason: string };

/** Ids are 1 to 2^32 - 1, chosen by the client. */
export type ClientCommand =
  | Version
  | { readonly kind: "CPID"; readonly pid: number }
  | {
      readonly kind: "AUTH";
      readonly id: number;
      readonly parameters: AuthParameters;
      /** `resp=` as it stands, see `decodeInitialResponse`. */
      readonly response: string | undefined;
    }
  | Continuation
  | { readonly kind: "CANCEL"; readonly id: number };

export type ServerReply =
  | Version
  | { readonly kind: "MECH"; readonly name: string; readonly parameters: readonly string[] }
  | { readonly kind: "SPID"; readonly pid: number }
  | { readonly kind: "CUID"; readonly connectionId: number }
  /** Ours alone, for our login process: what CAPA says before login. May come again at any time. */
  | { readonly kind: "EXPIRE"; readonly retention: Retention }
  /** Ours alone, too: another process is about to listen at this path, and new requests are for that one. */
  | { readonly kind: "RETIRE" }
  /** 32 hexadecimal digits. */
  | { readonly kind: "COOKIE"; readonly cookie: string }
  | { readonly kind: "DONE" }
  /** `user` is always among the fields. */
  | { readonly kind: "OK"; readonly id: number; readonly fields: ReadonlyMap<string, string> }
  | { readonly kind: "FAIL"; readonly id: number; readonly fields: ReadonlyMap<string, string> }
  | Continuation;

/** @param line without its LF */
export function parseClientCommand(line: string): ClientCommand | Unknown | Malformed {
  const [keyword, ...fields] = line.split("\t");
  switch (keyword) {
    case "VERSION":
      return parseVersion(fields);
    case "AUTH":
      return parseAuth(fields);
    case "CONT":
      return parseContinuation(fields);
    case "CPID": {
      const pid = parseOnlyNumber(fields);
      return pid === undefined ? malformed("CPID") : { kind: "CPID", pid };
    }
    case "CANCEL": {
      const id = parseOnlyNumber(fields);
      return id === undefined ? malformed("CANCEL") : { kind: "CANCEL", id };
    }
    default:
      return { kind: "unknown" };
  }
}

/** @param line without its LF */
export function parseServerReply(line: string): ServerReply | Unknown | Malformed {
  const [keyword, ...fields] = line.split("\t");
  switch (keyword) {
    case "VERSION":
      return parseVersion(fields);
    case "MECH": {
      const [name = "", ...parameters] = fields;
      return MECHANISM_NAME.test(name) ? { kind: "MECH", name, parameters } : malformed("MECH");
    }
    case "SPID": {
      const pid = parseOnlyNumber(fields);
      return pid === undefined ? malformed("SPID") : { kind: "SPID", pid };
    }
    case "CUID": {
      const connectionId = parseOnlyNumber(fields);
      return connectionId === undefined ? malformed("CUID") : { kind: "CUID", connectionId };
    }
    case "COOKIE": {
      const [cookie = ""] = fields;
      return fields.length === 1 && COOKIE.test(cookie) ? { kind: "COOKIE", cookie } : malformed("COOKIE");
    }
    case "EXPIRE":
      return parseExpire(fields);
    case "DONE":
    case "RETIRE":
      return fields.length === 0 ? { kind: keyword } : malformed(keyword);
    case "OK":
    case "FAIL":
      return parseResult(keyword, fields);
    case "CONT":
      return parseContinuation(fields);
    default:
      return { kind: "unknown" };
  }
}

/**
 * @returns the line with its LF
 * @throws TypeError when a response is not base64, RangeError when the line would be too long: the caller's faults
 */
export function formatClientCommand(command: ClientCommand): string {
  switch (command.kind) {
    case "VERSION":
      return formatLine("VERSION", command.major, command.minor);
    case "CPID":
      return formatLine("CPID", command.pid);
    case "AUTH":
      return formatAuth(command.id, command.parameters, command.response);
    case "CONT":
      return formatContinuation(command);
    case "CANCEL":
      return formatLine("CANCEL", command.id);
    default:
      return command satisfies never;
  }
}

/** As `formatClientCommand`. Postfix and Exim do not unescape: what they shall read has no control characters. */
export function formatServerReply(reply: ServerReply): string {
  switch (reply.kind) {
    case "VERSION":
      return formatLine("VERSION", reply.major, reply.minor);
    case "MECH":
      return formatLine("MECH", reply.name, ...reply.parameters);
    case "SPID":
      return formatLine("SPID", reply.pid);
    case "CUID":
      return formatLine("CUID", reply.connectionId);
    case "COOKIE":
      return formatLine("COOKIE", reply.cookie);
    case "EXPIRE": {
      const { days, perUser } = reply.retention;
      return formatLine("EXPIRE", days ?? "NEVER", ...(perUser ? ["USER"] : []));
    }
    case "DONE":
    case "RETIRE":
      return formatLine(reply.kind);
    case "OK":
    case "FAIL":
      return ended(`${reply.kind}\t${reply.id}${formatFields(reply.fields)}`);
    case "CONT":
      return formatContinuation(reply);
    default:
      return reply satisfies never;
  }
}

export type InitialResponse =
  | { readonly kind: "none" }
  | { readonly kind: "octets"; readonly octets: Uint8Array }
  | { readonly kind: "invalid-base64" };

/** @param response the value of `resp=`, undefined when it was absent */
export function decodeInitialResponse(response: string | undefined, clientMinor: number): InitialResponse {
  // Exim, which speaks minor version 0, sends an empty `resp=` when its client gave no initial response.
  if (response === undefined || (response === "" && clientMinor < 2)) return { kind: "none" };
  // "=" is how SMTP writes an empty one; Postfix hands it on as it came.
  const octets = decodeBase64(response === "=" ? "" : response);
  return octets === undefined ? { kind: "invalid-base64" } : { kind: "octets", octets };
}

// RFC 4422 §3.1, with lower case: Postfix hands on the client's spelling.
const MECHANISM_NAME = /^[A-Za-z0-9_-]{1,20}$/;
const SERVICE = /^[!-~]{1,64}$/;
const COOKIE = /^[0-9a-f]{32}$/i;
// Ours alone, from login process to auth: Dovecot asks for it with a CONT of its own, one round more.
const CHANNEL_BINDING = /^tls-exporter:([A-Za-z0-9+/]{43}=)$/;
const TLS = /^[ -~]{1,160}$/;
const MAX_ID = 0xffff_ffff;

function parseVersion(fields: readonly string[]): Version | Malformed {
  const [major, minor] = fields.map((field) => parseNumber(field, MAX_ID));
  if (fields.length !== 2 || major === undefined || minor === undefined) return malformed("VERSION");
  return { kind: "VERSION", major, minor };
}

function parseExpire([least, user, ...more]: readonly string[]): ServerReply | Malformed {
  const days = least === "NEVER" ? undefined : parseNumber(least, MAX_ID);
  if ((days === undefined && least !== "NEVER") || (user ?? "USER") !== "USER" || more.length > 0)
    return malformed("EXPIRE");
  return { kind: "EXPIRE", retention: { days, perUser: user !== undefined } };
}

function parseContinuation(fields: readonly string[]): Continuation | Malformed {
  const [idField, data] = fields;
  const id = parseId(idField);
  // The TAB behind the id is mandatory even before an empty value.
  if (fields.length !== 2 || id === undefined || data === undefined) return malformed("CONT");
  return { kind: "CONT", id, data };
}

function parseAuth(fields: readonly string[]): ClientCommand | Malformed {
  const [idField, mechanism = "", ...rest] = fields;
  const id = parseId(idField);
  if (id === undefined) return malformed("AUTH", "its id");
  if (!MECHANISM_NAME.test(mechanism)) return malformed("AUTH", "its mechanism");
  const last = rest.at(-1);
  const response = last?.startsWith("resp=") ? last.slice("resp=".length) : undefined;
  const parameters = parseFields(response === undefined ? rest : rest.slice(0, -1));
  if (parameters === undefined) return malformed("AUTH", "its parameters");
  if (parameters.has("resp")) return malformed("AUTH", "resp= is not its last parameter");
  const service = parameters.get("service") ?? "";
  if (!SERVICE.test(service)) return malformed("AUTH", "its service");
  const channelBinding = CHANNEL_BINDING.exec(parameters.get("channel_binding") ?? "")?.[1];
  if (channelBinding === undefined && parameters.has("channel_binding")) {
    return malformed("AUTH", "its channel binding");
  }
  // Exim says that there is a certificate, and not whose.
  const clientCertificateUser = parameters.has("valid-client-cert")
    ? parameters.get("cert_username") || undefined
    : undefined;
  const tls = parameters.get("tls");
  if (tls !== undefined && !TLS.test(tls)) return malformed("AUTH", "its TLS version");
  const offered = parameters.get("offered")?.split(" ");
  if (offered?.every((name) => MECHANISM_NAME.test(name)) === false) {
    return malformed("AUTH", "the mechanisms offered");
  }
  return {
    kind: "AUTH",
    id,
    parameters: {
      mechanism: mechanism.toUpperCase(),
      service,
      secured: parameters.has("secured"),
      session: parameters.get("session") || undefined,
      remoteAddress: address(parameters.get("rip")),
      localAddress: address(parameters.get("lip")),
      remotePort: parseNumber(parameters.get("rport"), 65_535) || undefined,
      localPort: parseNumber(parameters.get("lport"), 65_535) || undefined,
      ...(tls && { tls }),
      ...(channelBinding && { channelBinding: { type: "tls-exporter", data: channelBinding } }),
      ...(clientCertificateUser && { clientCertificateUser }),
      ...(offered && { offered }),
    },
    response,
  };
}

function parseResult(kind: "OK" | "FAIL", [idField, ...rest]: readonly string[]): ServerReply | Malformed {
  const id = parseId(idField);
  const fields = parseFields(rest);
  if (id === undefined || fields === undefined) return malformed(kind);
  return kind === "OK" && !fields.get("user") ? malformed(kind, "no user=") : { kind, id, fields };
}

/** `key=value` or `key`, the latter with the value "". @returns undefined when malformed or when a key stands twice */
function parseFields(fields: readonly string[]): ReadonlyMap<string, string> | undefined {
  const parsed = new Map<string, string>();
  for (const field of fields) {
    const equals = field.indexOf("=");
    const key = equals === -1 ? field : field.slice(0, equals);
    const value = equals === -1 ? "" : unescapeTabs(field.slice(equals + 1));
    if (key === "" || key.includes("\x01") || value === undefined || parsed.has(key)) return undefined;
    parsed.set(key, value);
  }
  return parsed;
}

function formatAuth(id: number, parameters: AuthParameters, response: string | undefined): string {
  const { mechanism, service, secured, session, remoteAddress, localAddress } = parameters;
  const { channelBinding, clientCertificateUser, offered } = parameters;
  const binding = channelBinding && `${channelBinding.type}:${base64(channelBinding.data)}`;
  const line =
    `AUTH\t${id}\t${mechanism}` +
    formatField("service", service) +
    formatField("session", session) +
    formatField("rip", remoteAddress) +
    formatField("lip", localAddress) +
    formatField("rport", parameters.remotePort) +
    formatField("lport", parameters.localPort) +
    formatField("tls", parameters.tls) +
    formatField("channel_binding", binding) +
    formatField("cert_username", clientCertificateUser) +
    formatField("offered", offered?.length ? offered.join(" ") : undefined) +
    (secured ? "\tsecured" : "") +
    (clientCertificateUser === undefined ? "" : "\tvalid-client-cert") +
    (response === undefined ? "" : `\tresp=${base64(response)}`);
  return ended(line);
}

function formatContinuation({ id, data }: Continuation): string {
  return formatLine("CONT", id, base64(data));
}

function formatFields(fields: ReadonlyMap<string, string>): string {
  let text = "";
  for (const [key, value] of fields) text += formatField(key, value);
  return text;
}

/** With the TAB before it; nothing where there is no value. */
function formatField(key: string, value: string | number | undefined): string {
  return value === undefined ? "" : `\t${key}=${typeof value === "string" ? escapeTabs(value) : value}`;
}

function formatLine(...fields: readonly (string | number)[]): string {
  return ended(fields.join("\t"));
}

function ended(line: string): string {
  if (Buffer.byteLength(line) >= MAX_LINE_OCTETS) throw new RangeError("auth protocol: line too long");
  return `${line}\n`;
}

function parseOnlyNumber(fields: readonly string[]): number | undefined {
  return fields.length === 1 ? parseId(fields[0]) : undefined;
}

/** Of requests, processes and connections: 0 is none of them. */
function parseId(field: string | undefined): number | undefined {
  return parseNumber(field, MAX_ID) || undefined;
}

function parseNumber(field: string | undefined, max: number): number | undefined {
  if (field === undefined || !/^[0-9]{1,10}$/.test(field)) return undefined;
  const number = Number.parseInt(field, 10);
  return number <= max ? number : undefined;
}

/** Postfix says "unknown" and Exim nothing where they don't know. */
function address(field: string | undefined): string | undefined {
  return field !== undefined && isIP(field) !== 0 ? field : undefined;
}

function base64(text: string): string {
  if (!isBase64(text)) throw new TypeError("auth protocol: not base64");
  return text;
}

function malformed(keyword: string, what = "its fields"): Malformed {
  return { kind: "malformed", reason: `${keyword} malformed: ${what}` };
}
