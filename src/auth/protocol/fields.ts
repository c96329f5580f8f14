// What both directions of Dovecot's auth-client protocol are made of: lines of fields with TABs between them. Pure.
// Source: Dovecot, docs/developers/design/auth_protocol.md and src/auth/auth-request-handler.c.
import { isBase64 } from "../../sasl/base64.ts";
import { escapeTabs, unescapeTabs } from "./tab-escape.ts";

export const PROTOCOL_MAJOR = 1;
/** From minor version 2 on an empty `resp=` is an empty initial response. */
export const PROTOCOL_MINOR = 2;

/** Dovecot's own limit (AUTH_CLIENT_MAX_LINE_LENGTH), LF included. */
export const MAX_LINE_OCTETS = 16_384;

export type Version = { readonly kind: "VERSION"; readonly major: number; readonly minor: number };
/** A challenge from the server, a response from the client. `data` should be base64 and is not checked here. */
export type Continuation = { readonly kind: "CONT"; readonly id: number; readonly data: string };
/** Both Postfix and Exim ignore commands that they don't know, and so must we. */
export type Unknown = { readonly kind: "unknown" };
/** The sender cannot be understood any further. `reason` repeats nothing of the line: it may hold a password. */
export type Malformed = { readonly kind: "malformed"; readonly reason: string };

// RFC 4422 §3.1, with lower case: Postfix hands on the client's spelling.
export const MECHANISM_NAME = /^[A-Za-z0-9_-]{1,20}$/;
export const MAX_ID = 0xffff_ffff;

export function parseVersion(fields: readonly string[]): Version | Malformed {
  const [major, minor] = fields.map((field) => parseNumber(field, MAX_ID));
  if (fields.length !== 2 || major === undefined || minor === undefined) return malformed("VERSION");
  return { kind: "VERSION", major, minor };
}

export function parseContinuation(fields: readonly string[]): Continuation | Malformed {
  const [idField, data] = fields;
  const id = parseId(idField);
  // The TAB behind the id is mandatory even before an empty value.
  if (fields.length !== 2 || id === undefined || data === undefined) return malformed("CONT");
  return { kind: "CONT", id, data };
}

/** `key=value` or `key`, the latter with the value "". @returns undefined when malformed or when a key stands twice */
export function parseFields(fields: readonly string[]): ReadonlyMap<string, string> | undefined {
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

export function parseOnlyNumber(fields: readonly string[]): number | undefined {
  return fields.length === 1 ? parseId(fields[0]) : undefined;
}

/** Of requests, processes and connections: 0 is none of them. */
export function parseId(field: string | undefined): number | undefined {
  return parseNumber(field, MAX_ID) || undefined;
}

export function parseNumber(field: string | undefined, max: number): number | undefined {
  if (field === undefined || !/^[0-9]{1,10}$/.test(field)) return undefined;
  const number = Number.parseInt(field, 10);
  return number <= max ? number : undefined;
}

export function formatContinuation({ id, data }: Continuation): string {
  return formatLine("CONT", id, base64(data));
}

/** With the TAB before it; nothing where there is no value. */
export function formatField(key: string, value: string | number | undefined): string {
  return value === undefined ? "" : `\t${key}=${typeof value === "string" ? escapeTabs(value) : value}`;
}

export function formatLine(...fields: readonly (string | number)[]): string {
  return ended(fields.join("\t"));
}

export function ended(line: string): string {
  if (Buffer.byteLength(line) >= MAX_LINE_OCTETS) throw new RangeError("auth protocol: line too long");
  return `${line}\n`;
}

export function base64(text: string): string {
  if (!isBase64(text)) throw new TypeError("auth protocol: not base64");
  return text;
}

export function malformed(keyword: string, what = "its fields"): Malformed {
  return { kind: "malformed", reason: `${keyword} malformed: ${what}` };
}
