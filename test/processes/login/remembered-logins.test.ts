import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { AuthFailure, AuthHandler, AuthRequest } from "../../../src/auth/client.ts";
import { fileState } from "../../../src/host/file-state.ts";
import { type Authenticator, RememberedLogins } from "../../../src/processes/login/remembered-logins.ts";
import { sealTicket, type Ticket, TicketCounter, ticketKeyOf } from "../../../src/processes/ticket.ts";

const ticketKey = randomBytes(32).toString("base64");
const key = ticketKeyOf(ticketKey);
const mail = { expireDays: 7 };

const initial = (text: string): string => Buffer.from(text).toString("base64");

let folder: string;
let passwdFile: string;
let remembered: RememberedLogins;
let tickets: TicketCounter;
/** What came as far as auth, which knows one password. */
let asked: AuthRequest[];
let mechanisms: Map<string, readonly string[]>;
/** How auth answers; those that it keeps waiting are answered by the test. */
let leave: (() => string | undefined) | "later";
let waiting: (() => void)[];
let auth: Authenticator;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "remembered-logins-"));
  passwdFile = join(folder, "passwd");
  writeFileSync(passwdFile, "mrose:{PLAIN}secret\n");
  tickets = new TicketCounter(key, 0, "mailbox-0");
  remembered = new RememberedLogins({
    passwdFile,
    ticketKey,
    keepTicket: (ticket) => tickets.keep(ticket),
  });
  [asked, waiting] = [[], []];
  mechanisms = new Map([["PLAIN", ["plaintext"]]]);
  leave = () => fileState(passwdFile);
  auth = remembered.before({
    get mechanisms() {
      return mechanisms;
    },
    retention: { days: 7, perUser: false },
    start(request, handler) {
      asked.push(request);
      const answer = (): void => answerAsAuth(request, handler);
      if (leave === "later") waiting.push(answer);
      else answer();
      return { respond: () => {}, cancel: () => {} };
    },
  });
});
afterEach(() => rmSync(folder, { recursive: true }));

function answerAsAuth(request: AuthRequest, handler: AuthHandler): void {
  const [, user = "", password] = Buffer.from(request.initialResponse ?? "", "base64")
    .toString()
    .split("\0");
  if (password !== "secret") {
    handler.failed({ code: undefined, reason: undefined, temporary: false });
    return;
  }
  const ticket: Ticket = {
    session: request.session ?? "",
    account: "mrose",
    place: "mailbox-0",
    maildir: "/home/mrose/Maildir",
    mail,
    address: request.remoteAddress ?? "",
    mechanism: request.mechanism,
    secured: request.secured,
    offered: [],
    nonce: "0123456789abcdef",
    issuedAtMs: Date.now(),
  };
  const asOf = leave === "later" ? fileState(passwdFile) : leave();
  handler.ok(
    new Map([
      ["user", user === "MRose" ? "mrose" : user],
      ["ticket", sealTicket(ticket, key)],
      ["place", "mailbox-0"],
      ...(asOf === undefined ? [] : ([["remember", asOf]] as const)),
    ]),
  );
}

interface Asking extends Partial<AuthRequest> {
  readonly from?: string;
  readonly response?: string;
}

let sessions = 0;

/** Resolves with what OK told, or the failure. */
function logIn(asking: Asking = {}): Promise<ReadonlyMap<string, string> | AuthFailure> {
  const { from = "192.0.2.1", response = "\0mrose\0secret", ...rest } = asking;
  return new Promise((resolve) => {
    auth.start(
      {
        mechanism: "PLAIN",
        initialResponse: initial(response),
        service: "pop3",
        secured: true,
        tls: "TLSv1.3",
        session: `session-${++sessions}`,
        remoteAddress: from,
        localAddress: "192.0.2.9",
        remotePort: 50_000,
        localPort: 995,
        offered: ["PLAIN", "LOGIN"],
        ...rest,
      },
      { challenge: () => {}, ok: resolve, failed: resolve },
    );
  });
}

/** How many of these logins go as far as auth. */
async function askedFor(...logins: readonly Asking[]): Promise<number> {
  const before = asked.length;
  for (const login of logins) await logIn(login);
  return asked.length - before;
}

describe("RememberedLogins", () => {
  it("lets in again without auth, by a ticket of its own for each session", async () => {
    expect(await askedFor({})).toBe(1);
    for (const session of ["first", "second"]) {
      const before = asked.length;
      const fields = await logIn({ session, offered: ["PLAIN"], secured: false, tls: undefined });
      expect(asked.length).toBe(before);
      if (!(fields instanceof Map)) throw new Error("refused");
      expect([fields.get("user"), fields.get("place")]).toEqual(["mrose", "mailbox-0"]);
      expect(tickets.redeem(fields.get("ticket"), Date.now())).toEqual({
        kind: "accepted",
        ticket: {
          ...{ session, account: "mrose", place: "mailbox-0", maildir: "/home/mrose/Maildir", mail },
          ...{ address: "192.0.2.1", mechanism: "PLAIN", secured: false, tls: undefined, offered: ["PLAIN"] },
          ...{ device: undefined, nonce: expect.any(String), issuedAtMs: expect.any(Number) },
        },
      });
    }
    expect(auth.retention).toEqual({ days: 7, perUser: false });
    expect(auth.mechanisms).toBe(mechanisms);
  });

  it("asks auth for all that it was given no leave for", async () => {
    leave = () => undefined;
    expect(await askedFor({}, {}, {})).toBe(3);
  });

  it.each<[string, Asking]>([
    ["another address", { from: "192.0.2.2" }],
    ["a client without an address", { remoteAddress: undefined }],
    ["another user", { response: "\0joe\0secret" }],
    ["another form of the name", { response: "\0MRose\0secret" }],
    ["somebody who acts for another", { response: "mrose\0mrose\0secret" }],
    ["a longer password", { response: "\0mrose\0secret1" }],
    ["another mechanism", { mechanism: "LOGIN" }],
    ["a response that comes later", { initialResponse: undefined }],
    ["a response of no form", { response: "\0" }],
    ["an empty response", { response: "" }],
  ])("asks auth for %s", async (_, asking) => {
    await askedFor({}, {});
    expect(await askedFor(asking)).toBe(1);
  });

  it("asks auth where the mechanism is not offered any more", async () => {
    expect(await askedFor({}, {})).toBe(1);
    mechanisms = new Map([["SCRAM-SHA-256", []]]);
    expect(await askedFor({})).toBe(1);
  });

  it("forgets an account at the first wrong password: the right one is for auth to throttle", async () => {
    expect(await askedFor({}, {}, { from: "192.0.2.2" }, { from: "192.0.2.2" })).toBe(2);
    leave = () => undefined;
    expect(await askedFor({ response: "\0mrose\0wrong" }, {}, { from: "192.0.2.2" })).toBe(3);
  });

  it("forgets what auth takes back", async () => {
    const others = { response: "\0joe\0secret" };
    expect(await askedFor({}, others, {}, others)).toBe(2);
    leave = () => undefined;
    remembered.heard({ kind: "forget", user: "mrose" });
    expect(await askedFor(others)).toBe(0);
    expect(await askedFor({})).toBe(1);
    remembered.heard({ kind: "malformed", reason: "whatever" });
    expect(await askedFor(others)).toBe(0);
    remembered.heard({ kind: "forget", user: undefined });
    expect(await askedFor(others)).toBe(1);
  });

  it("forgets all when the connection to auth is lost", async () => {
    expect(await askedFor({}, {})).toBe(1);
    remembered.heard({ kind: "disconnected", pendingRequests: 0, error: undefined });
    expect(await askedFor({})).toBe(1);
  });

  it("does not remember what another auth process, or another config, gave leave for", async () => {
    leave = "later";
    const login = logIn();
    remembered.heard({ kind: "forget", user: undefined });
    for (const answer of waiting) answer();
    expect(await login).toBeInstanceOf(Map);
    leave = () => undefined;
    expect(await askedFor({})).toBe(1);
  });

  it("asks auth as soon as the passwd file is another, or gone", async () => {
    expect(await askedFor({}, {})).toBe(1);
    writeFileSync(passwdFile, "mrose:{PLAIN}changed\n");
    expect(await askedFor({}, {})).toBe(1);
    rmSync(passwdFile);
    leave = () => undefined;
    expect(await askedFor({})).toBe(1);
    writeFileSync(passwdFile, "mrose:{PLAIN}secret\n");
    expect(await askedFor({})).toBe(1);
  });

  it("asks auth after a reload that names another passwd file", async () => {
    expect(await askedFor({}, {})).toBe(1);
    const other = join(folder, "other");
    writeFileSync(other, "mrose:{PLAIN}secret\n");
    remembered.configure({ passwdFile: other });
    expect(await askedFor({})).toBe(1);
  });

  it("remembers a handful of addresses of each account", async () => {
    const many = Array.from({ length: 20 }, (_, i) => ({ from: `192.0.2.${i + 1}` }));
    expect(await askedFor(...many)).toBe(20);
    const forgotten = await askedFor(...many.toReversed());
    expect(forgotten).toBeGreaterThanOrEqual(12);
    expect(forgotten).toBeLessThan(20);
  });

  it("answers after it was asked, and not when the client has left", async () => {
    await logIn();
    const said: string[] = [];
    const handler: AuthHandler = {
      challenge: () => {},
      ok: () => said.push("ok"),
      failed: () => said.push("failed"),
    };
    const request = { ...asked[0]!, session: "left" };
    auth.start(request, handler).cancel();
    expect(said).toEqual([]);
    auth.start(request, handler);
    expect(said).toEqual([]);
    await Promise.resolve();
    expect(said).toEqual(["ok"]);
    expect(asked).toHaveLength(1);
  });

  it("counts among what happened to the account", async () => {
    await askedFor({}, {});
    const events: unknown[] = [];
    await remembered.answers.history?.(
      { kind: "history", account: "mrose" },
      (event) => events.push(event),
      AbortSignal.timeout(1_000),
    );
    expect(events).toEqual([
      {
        kind: "login",
        atMs: expect.any(Number),
        address: "192.0.2.1",
        service: "pop3",
        mechanism: "PLAIN",
      },
    ]);
  });
});
