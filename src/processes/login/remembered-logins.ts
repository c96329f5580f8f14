// Who has logged in by password lately, and from where, in a worker: a client that polls every minute is let in again without
// the way to auth and back. Only where one process has login and mailbox anyway, so that nothing is told to somebody who had
// no need to know; as keyed hashes, of which no password can be read.
//
// Auth goes on deciding. It gives leave with an OK, which holds for one account, password and address, and as long as the
// passwd file is the same; and takes it back from every worker with the first wrong guess at the account, wherever that was made. So
// its throttle is not got round: a worker answers one right guess at most, and none after a wrong one.
import { hash, type KeyObject, randomBytes } from "node:crypto";
import type { AuthClient, AuthClientEvent, AuthRequest } from "../../auth/client.ts";
import { count } from "../../control/counters/counters.ts";
import type { Handlers } from "../../control/link/questions.ts";
import { BoundedMap } from "../../host/bounded-map.ts";
import { fileState } from "../../host/file-state.ts";
import { History } from "../child/history.ts";
import { issueTicket, openTicket, type Ticket, ticketKeyOf } from "../ticket.ts";

/** What a session before login needs of auth. */
export type Authenticator = Pick<AuthClient, "mechanisms" | "retention" | "start">;

export interface RememberedLoginsOptions {
  readonly passwdFile: string;
  /** Of the tickets that this process takes. */
  readonly ticketKey: string;
  /** Has this process take one of its own. @returns what it takes it by */
  keepTicket(ticket: Ticket): string;
}

export class RememberedLogins {
  #passwdFile: string;
  readonly #ticketKey: KeyObject;
  readonly #keepTicket: RememberedLoginsOptions["keepTicket"];
  readonly #key = randomBytes(32).toString("hex");
  /** By account, then by the client's address. */
  readonly #logins = new BoundedMap<string, Map<string, RememberedLogin>>(MAX_ACCOUNTS);
  /** Counts how often all was forgotten. */
  #generation = 0;
  readonly #history = new History();

  constructor({ passwdFile, ticketKey, keepTicket }: RememberedLoginsOptions) {
    this.#passwdFile = passwdFile;
    this.#ticketKey = ticketKeyOf(ticketKey);
    this.#keepTicket = keepTicket;
  }

  /** After a reload. */
  configure({ passwdFile }: Pick<RememberedLoginsOptions, "passwdFile">): void {
    this.#passwdFile = passwdFile;
  }

  readonly answers: Handlers = this.#history.answers;

  heard(event: AuthClientEvent): void {
    if (event.kind === "forget" && event.user !== undefined) this.#logins.delete(event.user);
    else if (event.kind === "forget" || event.kind === "disconnected") {
      this.#logins.clear();
      this.#generation++;
    }
  }

  /** Auth, asked for what is not remembered. */
  before(auth: Authenticator): Authenticator {
    const start: Authenticator["start"] = (request, handler) => {
      const asked = auth.mechanisms.has("PLAIN") ? plainRequest(request) : undefined;
      if (asked === undefined) return auth.start(request, handler);
      const proof = this.#proofOf(asked);
      const fields = this.#recall(asked, proof);
      if (fields !== undefined) {
        let isCancelled = false;
        void ASYNC.then(() => isCancelled || handler.ok(fields));
        return {
          respond: () => {},
          cancel: () => {
            isCancelled = true;
          },
        };
      }
      const generation = this.#generation;
      return auth.start(request, {
        challenge: (base64) => handler.challenge(base64),
        ok: (fields) => {
          if (generation === this.#generation) this.#remember(asked, proof, fields);
          handler.ok(fields);
        },
        failed: (failure) => handler.failed(failure),
      });
    };
    return {
      get mechanisms() {
        return auth.mechanisms;
      },
      get retention() {
        return auth.retention;
      },
      start,
    };
  }

  /** Computed for everybody: an answer must not tell by its time who is remembered. */
  #proofOf({ address, initialResponse }: PlainRequest): string {
    return hash("sha256", `${this.#key}\0${address}\0${initialResponse}`);
  }

  /** @returns what auth would answer with OK */
  #recall({ user, address, request }: PlainRequest, proof: string): ReadonlyMap<string, string> | undefined {
    const login = this.#logins.get(user)?.get(address);
    if (login === undefined) return undefined;
    // Nobody without the key knows how one guess's hash differs from another's: where the comparison ends tells nothing.
    if (login.proof !== proof || login.asOf !== fileState(this.#passwdFile)) {
      this.#logins.delete(user);
      return undefined;
    }
    const { whose } = login;
    const { mechanism, service } = request;
    count("logins", ["pop3", mechanism, "ok"]);
    this.#history.add(user, { kind: "login", atMs: Date.now(), address, service, mechanism });
    return new Map([
      ["user", user],
      ["ticket", this.#keepTicket(issueTicket(request, whose))],
      ["place", whose.place],
    ]);
  }

  #remember({ user, address }: PlainRequest, proof: string, fields: ReadonlyMap<string, string>): void {
    const asOf = fields.get("remember");
    if (asOf === undefined || fields.get("user") !== user) return;
    const ticket = openTicket(fields.get("ticket") ?? "", this.#ticketKey);
    if (typeof ticket === "string") return;
    const { account, place, maildir, mail } = ticket;
    const known = this.#logins.get(user);
    const logins = known === undefined || known.size >= MAX_ADDRESSES ? new Map() : known;
    this.#logins.set(user, logins.set(address, { proof, asOf, whose: { account, place, maildir, mail } }));
  }
}

/** Cheaper than queueMicrotask(), which keeps the caller's async context. */
const ASYNC = Promise.resolve();

interface RememberedLogin {
  readonly proof: string;
  /** The passwd file's state that auth's answer stands on. */
  readonly asOf: string;
  readonly whose: Pick<Ticket, "account" | "place" | "maildir" | "mail">;
}

interface PlainRequest {
  /** As the client has it: whoever is called by another form of the name takes the way to auth. */
  readonly user: string;
  readonly address: string;
  readonly initialResponse: string;
  readonly request: AuthRequest;
}

/** Undefined for what is no password in one message, as PASS and most clients' AUTH send it (RFC 4616). */
function plainRequest(request: AuthRequest): PlainRequest | undefined {
  const { mechanism, initialResponse, remoteAddress: address } = request;
  if (mechanism !== "PLAIN" || !initialResponse || address === undefined) return undefined;
  const message = Buffer.from(initialResponse, "base64");
  const end = message.indexOf(0, 1);
  if (message[0] !== 0 || end === -1) return undefined;
  return { user: message.toString("utf8", 1, end), address, initialResponse, request };
}

/** Some 500 bytes each. */
const MAX_ACCOUNTS = 20_000;

/** Of one account. */
const MAX_ADDRESSES = 8;
