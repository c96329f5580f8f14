// What a client of Dovecot's auth-client protocol says, as text and back: our login processes (client.ts), Postfix and
// Exim. Pure.
// Source: Dovecot, docs/developers/design/auth_protocol.md and src/auth/auth-request-handler.c.
import { isIP } from "node:net";
import {
  base64,
  type Continuation,
  ended,
  formatContinuation,
  formatField,
  formatLine,
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

const SERVICE = /^[!-~]{1,64}$/;
// Ours alone, from login process to auth: Dovecot asks for it with a CONT of its own, one round more.
const CHANNEL_BINDING = /^tls-exporter:([A-Za-z0-9+/]{43}=)$/;
const TLS = /^[ -~]{1,160}$/;

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

/** Postfix says "unknown" and Exim nothing where they don't know. */
function address(field: string | undefined): string | undefined {
  return field !== undefined && isIP(field) !== 0 ? field : undefined;
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
