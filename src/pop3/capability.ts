// What CAPA lists (RFC 2449): the capabilities that hold, and behind them the base commands as tags. Pure.
import { ok, TERMINATION } from "./reply.ts";
import type { Texts } from "./texts/texts.ts";

export interface Capabilities {
  /** SASL mechanisms offered on this connection; none leaves the SASL line out. */
  readonly mechanisms: readonly string[];
  /** Whether USER and PASS are taken on this connection. */
  readonly passwordAllowed: boolean;
  /** Whether STLS is taken on this connection: before login, and where TLS is still to come. */
  readonly startTlsAllowed?: boolean;
  /** Name for IMPLEMENTATION, such as "dewey-pop3". */
  readonly implementation: string;
  /** Undefined while nobody knows: then nothing is said of it. */
  readonly retention?: Retention | undefined;
}

/** How long messages may stay on the server at least (RFC 2449 §6.7). */
export interface Retention {
  /** Undefined: for ever. */
  readonly days: number | undefined;
  /** Before login: accounts differ, and `days` is the least of any; the account's own is told after login. */
  readonly perUser: boolean;
}

// The reference lists these; `DEL` is another word for `DELE`. Clients ignore tags that they don't know.
const BASE_COMMANDS = ["CAPA", "DEL", "DELE", "LIST", "NOOP", "PASS", "RETR", "RSET", "STAT", "QUIT"];

/**
 * The multi-line response to CAPA, but for STLS and EXPIRE the same in both states: clients such as neomutt and JavaMail
 * remember the first one that they see, so TOP, UIDL and SASL have to be in it.
 */
export function capabilityResponse(capabilities: Capabilities, texts: Texts): string {
  const lines = [
    "TOP",
    "UIDL",
    ...(capabilities.passwordAllowed ? ["USER"] : []),
    ...(capabilities.mechanisms.length > 0 ? [`SASL ${capabilities.mechanisms.join(" ")}`] : []),
    ...(capabilities.startTlsAllowed === true ? ["STLS"] : []),
    "PIPELINING",
    "RESP-CODES",
    "AUTH-RESP-CODE",
    // RFC 6856 §2.2: USER and PASS take UTF-8.
    capabilities.passwordAllowed ? "UTF8 USER" : "UTF8",
    "LANG",
    ...(capabilities.retention === undefined ? [] : [expire(capabilities.retention)]),
    `IMPLEMENTATION ${capabilities.implementation}`,
    ...BASE_COMMANDS,
  ];
  return ok(texts.capabilitiesFollow) + lines.map((line) => `${line}\r\n`).join("") + TERMINATION;
}

function expire({ days, perUser }: Retention): string {
  return `EXPIRE ${days ?? "NEVER"}${perUser ? " USER" : ""}`;
}
