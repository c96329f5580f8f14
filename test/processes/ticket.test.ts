import { createHmac, createSecretKey, randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TicketKeys } from "../../src/processes/auth/ticket-keys.ts";
import {
  placeKeyOf,
  sealTicket,
  TICKET_LIFETIME_MS,
  type Ticket,
  TicketCounter,
  ticketKeyOf,
  usedTickets,
} from "../../src/processes/ticket.ts";

const newKey = () => createSecretKey(randomBytes(32));
const key = newKey();
const startedAtMs = 1_000_000;
const ticket: Ticket = {
  session: "c0ffee",
  account: "mrose",
  place: "mailbox-1000-100",
  maildir: "/home/mrose/Maildir",
  mail: {},
  address: "192.0.2.1",
  mechanism: "PLAIN",
  secured: false,
  tls: undefined,
  offered: ["PLAIN", "LOGIN"],
  nonce: "0123456789abcdef",
  issuedAtMs: startedAtMs + 5,
};
const nowMs = ticket.issuedAtMs + 10;
const counter = (place = ticket.place): TicketCounter => new TicketCounter(key, startedAtMs, place);

describe("TicketKeys", () => {
  it("are one for each process, which knows no other's", () => {
    const secret = randomBytes(32).toString("base64");
    const keys = new TicketKeys(secret);
    const other = { ...ticket, place: "mailbox-1001-100" };
    const processOf = ({ place }: Ticket): TicketCounter =>
      new TicketCounter(ticketKeyOf(placeKeyOf(secret, place)), startedAtMs, place);
    for (const one of [ticket, other])
      expect(processOf(one).redeem(sealTicket(one, keys.of(one.place)), nowMs).kind).toBe("accepted");
    // What the first process could seal, with all that it knows.
    const forged = sealTicket(other, ticketKeyOf(placeKeyOf(secret, ticket.place)));
    expect(processOf(other).redeem(forged, nowMs)).toEqual({ kind: "refused", reason: "forged" });
    expect(placeKeyOf(secret, ticket.place)).not.toBe(secret);
  });
});

describe("TicketCounter", () => {
  it("accepts what auth sealed, once", () => {
    const tickets = counter();
    const sealed = sealTicket(ticket, key);
    expect(tickets.redeem(sealed, nowMs)).toEqual({ kind: "accepted", ticket });
    expect(tickets.redeem(sealed, nowMs)).toEqual({ kind: "refused", reason: "used" });
    expect(tickets.redeem(sealTicket({ ...ticket, nonce: "another-nonce-of-auth" }, key), nowMs).kind).toBe(
      "accepted",
    );
  });

  it("hands over to a successor what was used and what was not", () => {
    const before = counter();
    const unused = { ...ticket, nonce: "shown-to-the-successor" };
    before.redeem(sealTicket(ticket, key), nowMs);
    const successor = new TicketCounter(key, nowMs + 500, ticket.place);
    expect(successor.redeem(sealTicket(unused, key), nowMs + 600).kind).toBe("refused");
    successor.succeed(before.used(nowMs + 600));
    expect(successor.redeem(sealTicket(ticket, key), nowMs + 600)).toEqual({
      kind: "refused",
      reason: "used",
    });
    expect(successor.redeem(sealTicket(unused, key), nowMs + 600).kind).toBe("accepted");
    expect(successor.used(nowMs + TICKET_LIFETIME_MS - 100).used).toHaveLength(2);
    expect(successor.used(nowMs + 2 * TICKET_LIFETIME_MS).used).toHaveLength(0);
  });

  it("hands over more than fit by refusing the oldest", () => {
    const before = counter();
    const sealed = Array.from({ length: 10_050 }, (_, i) =>
      sealTicket({ ...ticket, nonce: `nonce-of-number-${i}`, issuedAtMs: startedAtMs + i }, key),
    );
    const laterMs = startedAtMs + 10_100;
    for (const each of sealed) before.redeem(each, laterMs - 1_000);
    const handed = before.used(laterMs - 1_000);
    expect(usedTickets.parse(handed).used).toHaveLength(10_000);
    const successor = new TicketCounter(key, laterMs, ticket.place);
    successor.succeed(handed);
    for (const each of [sealed[0]!, sealed[49]!, sealed[50]!, sealed.at(-1)!])
      expect(successor.redeem(each, laterMs - 1_000).kind).toBe("refused");
  });

  it("refuses a ticket of which any character was changed", () => {
    const sealed = sealTicket(ticket, key);
    for (let i = 0; i < sealed.length; i++) {
      const changed = `${sealed.slice(0, i)}${sealed[i] === "A" ? "B" : "A"}${sealed.slice(i + 1)}`;
      // The last character of 43 carries two bits that decode to nothing.
      if (
        Buffer.from(changed.split(".")[1] ?? "", "base64url").equals(
          Buffer.from(sealed.split(".")[1]!, "base64url"),
        )
      ) {
        if (changed.split(".")[0] === sealed.split(".")[0]) continue;
      }
      expect(counter().redeem(changed, nowMs).kind).toBe("refused");
    }
  });

  it("refuses another key's seal, and what is no ticket", () => {
    expect(counter().redeem(sealTicket(ticket, newKey()), nowMs)).toEqual({
      kind: "refused",
      reason: "forged",
    });
    for (const text of ["", ".", "a.b", "a.b.c", "mrose", "{}"])
      expect(counter().redeem(text, nowMs).kind).toBe("refused");
  });

  it("refuses any octets that auth did not seal, and never throws", () => {
    const sealed = sealTicket(ticket, key);
    const part = fc.oneof(
      fc.string({ unit: "binary", maxLength: 80 }),
      fc.constantFrom(...sealed.split("."), sealed),
    );
    fc.assert(
      fc.property(
        fc.array(part, { maxLength: 4 }).map((parts) => parts.join(".")),
        (text) => {
          expect(counter().redeem(text, nowMs).kind).toBe(text === sealed ? "accepted" : "refused");
        },
      ),
    );
  });

  it("carries everything that auth says", () => {
    const full: Ticket = {
      ...ticket,
      account: "mrose@exämple.org",
      tls: "TLSv1.3 TLS_AES_256_GCM_SHA384",
      device: "Marshall's phone",
      mail: { expireDays: null, keepDeletedMs: 0, markSeen: false, workarounds: ["nul"] },
    };
    expect(counter().redeem(sealTicket(full, key), nowMs)).toEqual({ kind: "accepted", ticket: full });
  });

  it.each<[string, Partial<Record<keyof Ticket, unknown>>]>([
    ["no session", { session: "" }],
    ["a session that is a number", { session: 1 }],
    ["no account", { account: "" }],
    ["an endless account", { account: "a".repeat(256) }],
    ["a relative Maildir", { maildir: "Maildir" }],
    ["an address that is none", { address: null }],
    ["a mechanism that is none", { mechanism: true }],
    ["a device without a name", { device: "" }],
    ["secured by a word", { secured: "yes" }],
    ["TLS that is a number", { tls: 1.3 }],
    ["mechanisms in one word", { offered: "PLAIN" }],
    ["mechanisms that are numbers", { offered: [1] }],
    ["an unknown policy", { mail: { uid: 0 } }],
    ["a policy that cannot be", { mail: { expireDays: 0 } }],
    ["a policy that is none", { mail: null }],
    ["a short nonce", { nonce: "0123" }],
    ["no time", { issuedAtMs: null }],
    ["a time between milliseconds", { issuedAtMs: nowMs - 0.5 }],
  ])("refuses a ticket with %s, even well sealed", (_, fields) => {
    const sealed = sealTicket({ ...ticket, ...fields } as Ticket, key);
    expect(counter().redeem(sealed, nowMs)).toEqual({ kind: "refused", reason: "malformed" });
  });

  it("refuses more or fewer fields than a ticket's, and what is no list of them, even well sealed", () => {
    const sealText = (text: string): string => {
      const payload = Buffer.from(text).toString("base64url");
      return `${payload}.${createHmac("sha256", key).update(payload).digest("base64url")}`;
    };
    const [payload] = sealTicket(ticket, key).split(".");
    const fields = JSON.parse(Buffer.from(payload!, "base64url").toString()) as unknown[];
    expect(counter().redeem(sealText(JSON.stringify(fields)), nowMs).kind).toBe("accepted");
    const others = [[...fields, 0], fields.slice(1), { ...fields, length: fields.length }, ticket, null, 1];
    for (const text of [...others.map((other) => JSON.stringify(other)), "", "["]) {
      const refused = { kind: "refused", reason: "malformed" };
      expect(counter().redeem(sealText(text), nowMs)).toEqual(refused);
    }
  });

  it("refuses one that is too old, from the future, or from before this process began", () => {
    const sealed = sealTicket(ticket, key);
    expect(counter().redeem(sealed, ticket.issuedAtMs + TICKET_LIFETIME_MS).kind).toBe("accepted");
    const expired = { kind: "refused", reason: "expired" };
    expect(counter().redeem(sealed, ticket.issuedAtMs + TICKET_LIFETIME_MS + 1)).toEqual(expired);
    expect(counter().redeem(sealed, ticket.issuedAtMs - TICKET_LIFETIME_MS - 1)).toEqual(expired);
    const before = sealTicket({ ...ticket, issuedAtMs: startedAtMs - 1 }, key);
    expect(counter().redeem(before, startedAtMs)).toEqual(expired);
  });

  it("takes one that stays in this process without a seal, once, as long as it is good", () => {
    const tickets = counter();
    const kept = tickets.keep(ticket);
    expect(counter().redeem(kept, nowMs).kind).toBe("refused");
    expect(tickets.redeem(kept, nowMs)).toEqual({ kind: "accepted", ticket });
    expect(tickets.redeem(kept, nowMs)).toEqual({ kind: "refused", reason: "malformed" });
    expect(tickets.redeem(sealTicket(ticket, key), nowMs)).toEqual({ kind: "refused", reason: "used" });
    const late = tickets.keep({ ...ticket, nonce: "of-one-that-left" });
    const lateMs = ticket.issuedAtMs + TICKET_LIFETIME_MS + 1;
    const other = { ...ticket, nonce: "of-one-that-came", issuedAtMs: lateMs };
    expect(tickets.redeem(sealTicket(other, key), lateMs).kind).toBe("accepted");
    expect(tickets.redeem(late, lateMs)).toEqual({ kind: "refused", reason: "malformed" });
    const elsewhere = tickets.keep({ ...other, nonce: "of-another-place", place: "mailbox-0" });
    expect(tickets.redeem(elsewhere, lateMs)).toEqual({ kind: "refused", reason: "not-ours" });
  });

  it.each(["mailbox-1001-100", "mailbox-1000-101", "mailbox-1000", "mailbox-0"])(
    "refuses a ticket for another process: in %s",
    (place) => {
      const refused = { kind: "refused", reason: "not-ours" };
      expect(counter(place).redeem(sealTicket(ticket, key), nowMs)).toEqual(refused);
    },
  );

  it.each(["mailbox-", "../x", "mailbox-1-2-3", "mailbox-a"])("refuses %s as a process's name", (place) => {
    const refused = { kind: "refused", reason: "malformed" };
    expect(counter(place).redeem(sealTicket({ ...ticket, place }, key), nowMs)).toEqual(refused);
  });
});
