// What auth hands a login process on success, and a mailbox process accepts once: who may open which Maildir.
// Authenticated by HMAC-SHA-256 with a key that master draws at start and only auth and mailbox processes know, so a
// login process that was taken over can name no user whose password it has not got.
import { createHmac, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import { WORKAROUNDS } from "../mime/workarounds.ts";
import { PLACE } from "./placement.ts";

const ticketSchema = z.strictObject({
  /** Session id, for the log. */
  session: z.string().min(1).max(64),
  account: z.string().min(1).max(255),
  /** The one mailbox process that may accept it; where mail belongs to users of the host, it names uid and gid. */
  place: z.string().regex(PLACE),
  /** Absolute path of the Maildir. */
  maildir: z.string().startsWith("/").max(4096),
  /** The client's address, for the log. */
  address: z.string().max(64),
  mechanism: z.string().max(32),
  secured: z.boolean(),
  /** TLS version and cipher suite, for the log. */
  tls: z.string().max(160).optional(),
  /** The SASL mechanisms that the connection was offered: both states announce the same. */
  offered: z.array(z.string().max(20)).max(16),
  /** What holds for this account in place of the config's [mail]. */
  mail: z.strictObject({
    expireDays: z.int().positive().nullable().optional(),
    keepDeletedMs: z.int().nonnegative().optional(),
    markSeen: z.boolean().optional(),
    workarounds: z.array(z.enum(WORKAROUNDS)).optional(),
  }),
  /** Drawn by auth for each ticket; a mailbox process accepts it once. */
  nonce: z.string().min(16).max(64),
  issuedAtMs: z.number().int(),
});

export type Ticket = z.infer<typeof ticketSchema>;

/** From password to maildrop takes milliseconds; a ticket that is older than this is worth nothing. */
export const TICKET_LIFETIME_MS = 10_000;

/** Longest line that a ticket is presented in: the fields' limits in base64, and more than any real one. */
export const MAX_TICKET_OCTETS = 8192;

/** The ticket as one word of base64url characters and a dot. @param key 32 random bytes */
export function sealTicket(ticket: Ticket, key: Uint8Array): string {
  const payload = Buffer.from(JSON.stringify(ticket)).toString("base64url");
  return `${payload}.${mac(payload, key).toString("base64url")}`;
}

export type Redemption =
  | { readonly kind: "accepted"; readonly ticket: Ticket }
  | { readonly kind: "refused"; readonly reason: "forged" | "malformed" | "expired" | "used" | "not-ours" };

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
  readonly #key: Uint8Array;
  #startedAtMs: number;
  readonly #place: string;
  /** Nonce → when it can be forgotten. In order of arrival, so the oldest come first. */
  readonly #used = new Map<string, number>();

  /**
   * @param startedAtMs tickets issued before are refused: whether they were used is not known any more
   * @param place this process's name; each account has one process, so that "once" means once in all
   */
  constructor(key: Uint8Array, startedAtMs: number, place: string) {
    this.#key = key;
    this.#startedAtMs = startedAtMs;
    this.#place = place;
  }

  redeem(sealed: string, nowMs: number): Redemption {
    const [payload, seal, ...more] = sealed.split(".");
    if (payload === undefined || seal === undefined || more.length > 0)
      return { kind: "refused", reason: "malformed" };
    const given = Buffer.from(seal, "base64url");
    const expected = mac(payload, this.#key);
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
      return { kind: "refused", reason: "forged" };
    }
    const ticket = parse(payload);
    if (ticket === undefined) return { kind: "refused", reason: "malformed" };
    if (ticket.place !== this.#place) return { kind: "refused", reason: "not-ours" };
    const expiresAtMs = ticket.issuedAtMs + TICKET_LIFETIME_MS;
    if (
      ticket.issuedAtMs < this.#startedAtMs ||
      nowMs > expiresAtMs ||
      ticket.issuedAtMs > nowMs + TICKET_LIFETIME_MS
    ) {
      return { kind: "refused", reason: "expired" };
    }
    this.#forgetExpired(nowMs);
    if (this.#used.has(ticket.nonce)) return { kind: "refused", reason: "used" };
    this.#used.set(ticket.nonce, expiresAtMs);
    return { kind: "accepted", ticket };
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
    for (const [nonce, expiresAtMs] of this.#used) {
      if (expiresAtMs >= nowMs) break;
      this.#used.delete(nonce);
    }
  }
}

function mac(payload: string, key: Uint8Array): Buffer {
  return createHmac("sha256", key).update(payload).digest();
}

function parse(payload: string): Ticket | undefined {
  try {
    return ticketSchema.parse(JSON.parse(Buffer.from(payload, "base64url").toString("utf8")));
  } catch {
    return undefined;
  }
}
