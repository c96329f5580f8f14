// What auth hands a login process on success, and a mailbox process accepts once: who may open which Maildir.
// Authenticated by HMAC-SHA-256: auth has the key that master draws at start, and each mailbox process one that is made of it
// for that process alone. So a login process that was taken over can name no user whose password it has not got, and a
// mailbox process none whose mail another one has. One that is issued and redeemed in the same process has no seal.
import { createHmac, createSecretKey, type KeyObject, randomUUID, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import type { TicketRefusal } from "../log/reasons.ts";
import { WORKAROUNDS } from "../mime/workarounds.ts";
import type { AccountMailPolicy } from "./account-mail-policy.ts";
import { PLACE } from "./placement.ts";

export interface Ticket {
  /** Session id, for the log. */
  readonly session: string;
  readonly account: string;
  /** The one mailbox process that may accept it; where mail belongs to users of the host, it names uid and gid. */
  readonly place: string;
  /** Absolute path of the Maildir. */
  readonly maildir: string;
  /** The client's address, for the log. */
  readonly address: string;
  readonly mechanism: string;
  /** Which of the account's device passwords it was, for the log. */
  readonly device?: string | undefined;
  readonly secured: boolean;
  /** TLS version and cipher suite, for the log. */
  readonly tls?: string | undefined;
  /** The SASL mechanisms that the connection was offered: both states announce the same. */
  readonly offered: readonly string[];
  /** What holds for this account in place of the config's [mail]. */
  readonly mail: AccountMailPolicy;
  /** Drawn by auth for each ticket; a mailbox process accepts it once. */
  readonly nonce: string;
  readonly issuedAtMs: number;
}

/** From password to maildrop takes milliseconds; a ticket that is older than this is worth nothing. */
export const TICKET_LIFETIME_MS = 10_000;

/** Longest line that a ticket is presented in: the fields' limits in base64, and more than any real one. */
export const MAX_TICKET_OCTETS = 8192;

/** @param base64 32 random bytes */
export function ticketKeyOf(base64: string): KeyObject {
  return createSecretKey(base64, "base64");
}

/** What one mailbox process checks its tickets by. @param base64 the key that they are all made of @returns base64 */
export function placeKeyOf(base64: string, place: string): string {
  return createHmac("sha256", ticketKeyOf(base64)).update(place).digest("base64");
}

/** What a ticket says of the login that it is for. */
export interface TicketRequest {
  readonly session: string | undefined;
  readonly mechanism: string;
  readonly remoteAddress: string | undefined;
  readonly secured: boolean;
  readonly tls?: string | undefined;
  readonly offered?: readonly string[] | undefined;
}

/** A new one, issued now. */
export function issueTicket(
  { session, mechanism, remoteAddress, secured, tls, offered }: TicketRequest,
  {
    account,
    place,
    maildir,
    mail,
    device,
  }: Pick<Ticket, "account" | "place" | "maildir" | "mail" | "device">,
): Ticket {
  // Field by field: spreading costs V8 fifty times as much, 5 µs a login.
  return {
    session: session ?? "",
    account,
    place,
    maildir,
    address: remoteAddress ?? "",
    mechanism,
    device,
    secured,
    tls,
    offered: offered ?? [],
    mail,
    // Drawn ahead by the runtime, many at a time.
    nonce: randomUUID(),
    issuedAtMs: Date.now(),
  };
}

/** The ticket as one word of base64url characters and a dot. */
export function sealTicket(ticket: Ticket, key: KeyObject): string {
  // Without names, since both ends know the order: every login pays for each octet four times.
  const values = NAMES.map((name) => ticket[name] ?? null);
  const payload = Buffer.from(JSON.stringify(values)).toString("base64url");
  return `${payload}.${seal(payload, key)}`;
}

/** What is in a ticket that is not handed over; who takes a session by it redeems it. */
export function openTicket(sealed: string, key: KeyObject): Ticket | "malformed" | "forged" {
  const dot = sealed.indexOf(".");
  if (dot === -1 || sealed.includes(".", dot + 1)) return "malformed";
  const payload = sealed.slice(0, dot);
  const given = Buffer.from(sealed.slice(dot + 1));
  const expected = Buffer.from(seal(payload, key));
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return "forged";
  return parse(payload) ?? "malformed";
}

export type Redemption =
  | { readonly kind: "accepted"; readonly ticket: Ticket }
  | { readonly kind: "refused"; readonly reason: TicketRefusal };

/** What fits a message, and more than are redeemed in a ticket's lifetime. */
const MAX_HANDED = 10_000;

/** What a mailbox process leaves its successor: with it, that one knows of every ticket whether it was used. */
export const usedTickets = z.strictObject({
  /** Tickets issued before are refused. */
  sinceMs: z.number().int(),
  /** Nonces and when they can be forgotten. */
  used: z.array(z.tuple([z.string().max(64), z.number().int()])).max(MAX_HANDED),
});

export type UsedTickets = z.infer<typeof usedTickets>;

/** One for each mailbox process: it remembers which tickets were used. */
export class TicketCounter {
  readonly #key: KeyObject;
  #startedAtMs: number;
  readonly #place: string;
  /** Nonce → when it can be forgotten. In order of arrival, so the oldest come first. */
  readonly #used = new Map<string, number>();
  /** By nonce. */
  readonly #kept = new Map<string, Ticket>();
  #forgetAtMs = 0;

  /**
   * @param startedAtMs tickets issued before are refused: whether they were used is not known any more
   * @param place this process's name; each account has one process, so that "once" means once in all
   */
  constructor(key: KeyObject, startedAtMs: number, place: string) {
    this.#key = key;
    this.#startedAtMs = startedAtMs;
    this.#place = place;
  }

  /** For a ticket that does not leave this process, and so needs no seal. @returns what it is redeemed by */
  keep(ticket: Ticket): string {
    this.#kept.set(ticket.nonce, ticket);
    return ticket.nonce;
  }

  /** @param presented a sealed ticket, or what `keep` gave for one */
  redeem(presented: string, nowMs: number): Redemption {
    const ticket = this.#take(presented) ?? openTicket(presented, this.#key);
    if (typeof ticket === "string") return { kind: "refused", reason: ticket };
    if (ticket.place !== this.#place) return { kind: "refused", reason: "not-ours" };
    const expiresAtMs = ticket.issuedAtMs + TICKET_LIFETIME_MS;
    if (
      ticket.issuedAtMs < this.#startedAtMs ||
      nowMs > expiresAtMs ||
      ticket.issuedAtMs > nowMs + TICKET_LIFETIME_MS
    ) {
      return { kind: "refused", reason: "expired" };
    }
    if (nowMs >= this.#forgetAtMs) this.#forgetExpired(nowMs);
    if (this.#used.has(ticket.nonce)) return { kind: "refused", reason: "used" };
    this.#used.set(ticket.nonce, expiresAtMs);
    return { kind: "accepted", ticket };
  }

  #take(nonce: string): Ticket | undefined {
    const ticket = this.#kept.get(nonce);
    if (ticket !== undefined) this.#kept.delete(nonce);
    return ticket;
  }

  used(nowMs: number): UsedTickets {
    this.#forgetExpired(nowMs);
    const all = [...this.#used].sort(([, a], [, b]) => b - a);
    // Those that do not fit count as used, with all that are older.
    const [, lastExpiryMs = Number.NEGATIVE_INFINITY] = all[MAX_HANDED] ?? [];
    const sinceMs = Math.max(this.#startedAtMs, lastExpiryMs - TICKET_LIFETIME_MS + 1);
    return { sinceMs, used: all.slice(0, MAX_HANDED) };
  }

  /** Takes over from the process before, which redeems no ticket any more. */
  succeed({ sinceMs, used }: UsedTickets): void {
    this.#startedAtMs = sinceMs;
    for (const [nonce, expiresAtMs] of [...used].reverse()) this.#used.set(nonce, expiresAtMs);
  }

  #forgetExpired(nowMs: number): void {
    this.#forgetAtMs = nowMs + FORGET_MS;
    for (const [nonce, expiresAtMs] of this.#used) {
      if (expiresAtMs >= nowMs) break;
      this.#used.delete(nonce);
    }
    // Whoever left before it was redeemed.
    for (const [nonce, { issuedAtMs }] of this.#kept) {
      if (issuedAtMs + TICKET_LIFETIME_MS >= nowMs) break;
      this.#kept.delete(nonce);
    }
  }
}

/** At each ticket would be dear: V8 walks over all entries that have been deleted at a Map's begin. */
const FORGET_MS = 1_000;

function seal(payload: string, key: KeyObject): string {
  return createHmac("sha256", key).update(payload).digest("base64url");
}

/** Undefined when auth has sealed what is no ticket. */
function parse(payload: string): Ticket | undefined {
  const values = parseJson(Buffer.from(payload, "base64url").toString());
  if (!Array.isArray(values) || values.length !== NAMES.length) return undefined;
  const ticket: Partial<Record<keyof Ticket, unknown>> = {};
  for (const [index, name] of NAMES.entries()) {
    const value: unknown = values[index] ?? undefined;
    if (!FIELDS[name](value)) return undefined;
    ticket[name] = value;
  }
  return ticket as Ticket;
}

type Check = (value: unknown) => boolean;

const text =
  (min: number, max: number, form = /^/): Check =>
  (value) =>
    typeof value === "string" && value.length >= min && value.length <= max && form.test(value);

/** Few accounts have one. */
const mailPolicy = z.strictObject({
  expireDays: z.int().positive().nullable().optional(),
  keepDeletedMs: z.int().nonnegative().optional(),
  markSeen: z.boolean().optional(),
  workarounds: z.array(z.enum(WORKAROUNDS)).optional(),
});

function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

const isName = text(0, 20);
const isTlsName = text(0, 160);
export const MAX_DEVICE_NAME_CHARACTERS = 255;
const isDeviceName = text(1, MAX_DEVICE_NAME_CHARACTERS);

/** In the order in which they are sealed. By hand: a schema for all of them was a tenth of what a poll costs. */
const FIELDS: Readonly<Record<keyof Ticket, Check>> = {
  session: text(1, 64),
  account: text(1, 255),
  place: text(1, 64, PLACE),
  maildir: text(1, 4096, /^\//),
  address: text(0, 64),
  mechanism: text(0, 32),
  device: (value) => value === undefined || isDeviceName(value),
  secured: (value) => typeof value === "boolean",
  tls: (value) => value === undefined || isTlsName(value),
  offered: (value) => Array.isArray(value) && value.length <= 16 && value.every(isName),
  mail: (value) => isEmpty(value) || mailPolicy.safeParse(value).success,
  nonce: text(16, 64),
  issuedAtMs: Number.isSafeInteger,
};

const NAMES = Object.keys(FIELDS) as readonly (keyof Ticket)[];

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
