// What the server of Dovecot's auth-client protocol answers (server.ts), as text and back. Pure.
// Source: Dovecot, docs/developers/design/auth_protocol.md and src/auth/auth-request-handler.c.
import type { Retention } from "../../pop3/capability.ts";
import {
  type Continuation,
  ended,
  formatContinuation,
  formatField,
  formatLine,
  MAX_ID,
  type Malformed,
  MECHANISM_NAME,
  malformed,
  parseContinuation,
  parseFields,
  parseId,
  parseNumber,
  parseOnlyNumber,
  parseVersion,
  type Unknown,
  type Version,
} from "./fields.ts";

export type ServerReply =
  | Version
  | { readonly kind: "MECH"; readonly name: string; readonly parameters: readonly string[] }
  | { readonly kind: "SPID"; readonly pid: number }
  | { readonly kind: "CUID"; readonly connectionId: number }
  /** Ours alone, for our login process: what CAPA says before login. May come again at any time. */
  | { readonly kind: "EXPIRE"; readonly retention: Retention }
  /** Ours alone, too: another process is about to listen at this path, and new requests are for that one. */
  | { readonly kind: "RETIRE" }
  /** Ours alone, too: what an OK gave leave to remember of this account, or of all, holds no more. */
  | { readonly kind: "FORGET"; readonly user: string | undefined }
  /** 32 hexadecimal digits. */
  | { readonly kind: "COOKIE"; readonly cookie: string }
  | { readonly kind: "DONE" }
  /** `user` is always among the fields. */
  | { readonly kind: "OK"; readonly id: number; readonly fields: ReadonlyMap<string, string> }
  | { readonly kind: "FAIL"; readonly id: number; readonly fields: ReadonlyMap<string, string> }
  | Continuation;

const COOKIE = /^[0-9a-f]{32}$/i;

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
    case "FORGET":
      return parseForget(fields);
    case "OK":
    case "FAIL":
      return parseResult(keyword, fields);
    case "CONT":
      return parseContinuation(fields);
    default:
      return { kind: "unknown" };
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
    case "FORGET":
      return ended(`FORGET${formatField("user", reply.user)}`);
    case "OK":
    case "FAIL":
      return ended(`${reply.kind}\t${reply.id}${formatFields(reply.fields)}`);
    case "CONT":
      return formatContinuation(reply);
    default:
      return reply satisfies never;
  }
}

function parseExpire([least, user, ...more]: readonly string[]): ServerReply | Malformed {
  const days = least === "NEVER" ? undefined : parseNumber(least, MAX_ID);
  if ((days === undefined && least !== "NEVER") || (user ?? "USER") !== "USER" || more.length > 0)
    return malformed("EXPIRE");
  return { kind: "EXPIRE", retention: { days, perUser: user !== undefined } };
}

function parseForget(rest: readonly string[]): ServerReply | Malformed {
  const fields = parseFields(rest);
  const user = fields?.get("user");
  if (fields?.size !== (user ? 1 : 0)) return malformed("FORGET");
  return { kind: "FORGET", user };
}

function parseResult(kind: "OK" | "FAIL", [idField, ...rest]: readonly string[]): ServerReply | Malformed {
  const id = parseId(idField);
  const fields = parseFields(rest);
  if (id === undefined || fields === undefined) return malformed(kind);
  return kind === "OK" && !fields.get("user") ? malformed(kind, "no user=") : { kind, id, fields };
}

function formatFields(fields: ReadonlyMap<string, string>): string {
  let text = "";
  for (const [key, value] of fields) text += formatField(key, value);
  return text;
}
