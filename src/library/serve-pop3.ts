// A POP3 session over any stream, for programs that have their users and their mail elsewhere: the server's own session
// classes, without its processes.
import { randomBytes } from "node:crypto";
import type * as net from "node:net";
import type { Duplex } from "node:stream";
import { type SecureContext, type SecureContextOptions, TLSSocket } from "node:tls";
import type { AuthRequest } from "../auth/client.ts";
import type { Log } from "../log/log.ts";
import type { Workaround } from "../mime/workarounds.ts";
import { type TlsFacts, tlsFacts } from "../net/tls-facts.ts";
import type { Retention } from "../pop3/capability.ts";
import type { LanguageTag } from "../pop3/language.ts";
import { err } from "../pop3/reply.ts";
import { type Client, plainClient } from "../processes/login/arrival.ts";
import { AuthorizationSession } from "../processes/login/authorization-session.ts";
import type { HandOver, HandOverResult } from "../processes/login/hand-over.ts";
import { presentationFor } from "../processes/mailbox/presentation-for.ts";
import type { SessionMaildrop } from "../processes/mailbox/session-maildrop.ts";
import { TransactionSession } from "../processes/mailbox/transaction-session.ts";
import { POP3_IMPLEMENTATION } from "../processes/offered.ts";
import { nthPlace } from "../processes/placement.ts";
import { exchange, type LoginChecks, offeredBy } from "./log-in.ts";
import { type OnLog, quietLog } from "./on-log.ts";
import { type OwnMaildrop, sessionMaildropOf } from "./own-maildrop.ts";
import type { PasswdAccount, PasswdAccounts } from "./passwd.ts";
import { type StartedTls, startTls } from "./start-tls.ts";

export type Pop3Options = SessionOptions & (OwnLogin | PasswdLogin);

/** Users of your own. */
export interface OwnLogin {
  /**
   * Whether these are the credentials of somebody, and their maildrop, locked for this session; "locked": another session has it.
   * Where it rejects, the client is told to come back later.
   */
  logIn(user: string, password: string, client: Pop3Client): Promise<LoginResult>;
}

/** A passwd file's users, who may have passwords for single devices, and SCRAM. */
export interface PasswdLogin {
  readonly accounts: PasswdAccounts;
  /** Whoever has logged in gets this maildrop; as `logIn`. */
  open(account: PasswdAccount, client: Pop3Client): Promise<LoginResult>;
}

export interface SessionOptions {
  /** In greeting and sign-off: visible ASCII without spaces, "<", ">" and "@". */
  readonly serverName: string;
  /** Offers STLS (RFC 2595) on a stream that is not encrypted. Give the same object to each session: it is read once. */
  readonly tls?: SecureContextOptions | SecureContext;
  /**
   * What a client that has not said UTF8 gets of a message with headers in UTF-8: a copy in encoded words (RFC 6858; default), the
   * message attached whole, -ERR, or the message itself, which RFC 6856 forbids.
   */
  readonly utf8Headers?: "downgrade" | "wrap" | "refuse" | "as-stored";
  /** What is put right on its way to clients that cannot bear it, as `mail.workarounds` in config.toml; default nothing. */
  readonly workarounds?: readonly Workaround[];
  /** Where passwords are taken without TLS: nowhere, from 127.0.0.0/8 and ::1 (default), everywhere. */
  readonly plaintextWithoutTls?: "never" | "loopback" | "always";
  /** The client's address, where the stream is no socket that knows it. */
  readonly address?: string;
  /** Whether the stream is encrypted; default: whether it is a TLSSocket. */
  readonly secured?: boolean;
  /** What clients are told of how long messages stay (CAPA's EXPIRE, RFC 2449 §6.7), days; nothing by default. */
  readonly expireDays?: number | "never";
  /** Until the client chooses another (LANG); default "i-default", English. */
  readonly language?: LanguageTag;
  /** A refused login is answered no sooner, ms; default 2,000. Count failures yourself, across sessions. */
  readonly failureDelayMs?: number;
  /** From the begin to being logged in, ms; default 3 minutes. */
  readonly loginTimeMs?: number;
  /** Without a command after login, ms; default 10 minutes, RFC 1939's least. */
  readonly idleTimeMs?: number;
  /** A client that takes nothing of what it asked for counts as gone after this, ms; default 100 seconds. */
  readonly stallTimeMs?: number;
  /** What happens, for your log; no password is ever in it. */
  readonly onLog?: OnLog;
}

export interface Pop3Client {
  /** "" where nobody knows it. */
  readonly address: string;
  readonly secured: boolean;
}

/** A maildrop of your own, or a Maildir that openMaildir() has opened. */
export type LoginResult = OwnMaildrop | SessionMaildrop | "refused" | "locked";

export interface Pop3Session {
  /** Lets the running command finish, then closes without deleting anything. */
  end(): void;
  /** Settles when the client is gone and its maildrop is closed. */
  readonly over: Promise<void>;
}

/** Serves one client from the greeting on. The stream is the session's from now on. */
export function servePop3(stream: Duplex, options: Pop3Options): Pop3Session {
  const session = new LibrarySession(stream, options);
  return { over: session.over, end: () => session.end() };
}

class LibrarySession {
  readonly over: Promise<void>;
  readonly #options: Pop3Options;
  readonly #session = randomBytes(8).toString("hex");
  readonly #log: Log;
  readonly #client: Client;
  /** STLS puts TLS below it. */
  #stream: Duplex;
  #tls: TlsFacts | undefined;
  #opened: { readonly account: string; readonly result: Exclude<LoginResult, "refused"> } | undefined;
  /** Of the last login: both states announce the same mechanisms. */
  #login: Pick<AuthRequest, "mechanism" | "offered"> = { mechanism: "PLAIN", offered: [] };
  #part: AuthorizationSession | TransactionSession | undefined;
  #isEnding = false;
  #settle: () => void = () => {};

  constructor(stream: Duplex, options: Pop3Options) {
    this.#options = options;
    this.#log = quietLog(options.onLog);
    this.#stream = stream;
    this.#client = clientOf(stream, options);
    this.#tls = this.#client.tls;
    this.over = new Promise((resolve) => {
      this.#settle = resolve;
    });
    if ("logIn" in options) {
      this.#begin({ password: (user, password) => this.#logIn(options, user, password) });
      return;
    }
    // It may end before it has begun.
    stream.on("error", () => {});
    this.#checksOf(options).then(
      (checks) => this.#begin(checks),
      () => this.#begin({ password: (user, password) => this.#byPassword(options, user, password) }),
    );
  }

  end(): void {
    this.#isEnding = true;
    this.#part?.drain();
  }

  #begin(checks: LoginChecks): void {
    if (this.#stream.destroyed || this.#isEnding) {
      this.#stream.destroy();
      this.#settle();
      return;
    }
    const { serverName, language = "i-default", plaintextWithoutTls = "loopback", tls } = this.#options;
    this.#part = new AuthorizationSession(this.#stream as net.Socket, this.#client, {
      session: this.#session,
      arrivals: { canStartTls: tls !== undefined, startTls: () => this.#startTls(tls!) },
      loginTimeMs: this.#options.loginTimeMs ?? 180_000,
      settings: { serverName, language, maxUselessCommands: 10, plaintextWithoutTls },
      auth: {
        mechanisms: offeredBy(checks),
        retention: this.#retention,
        start: (request, { challenge, ok, failed }) => {
          this.#login = request;
          const withTicket = (fields: ReadonlyMap<string, string>): void =>
            ok(new Map([...fields, ["ticket", this.#session], ["place", nthPlace(0)]]));
          const handler = { challenge, ok: withTicket, failed };
          return exchange(request, handler, checks, this.#options.failureDelayMs ?? 2_000);
        },
      },
      handOver: (client) => this.#handOver(client),
      log: this.#log,
      // There is no other process.
      onPassed: () => {},
      onOver: () => this.#settle(),
    });
  }

  async #checksOf(options: PasswdLogin): Promise<LoginChecks> {
    const { accounts } = options;
    return {
      password: (user, password) => this.#byPassword(options, user, password),
      scram: {
        hashes: await accounts.scramHashes(),
        verifier: (user, hash) => accounts.scramVerifier(user, hash),
        proof: async (user, proof) =>
          this.#admit(options, await accounts.authenticateByProof(user, proof, this.#address)),
      },
    };
  }

  async #logIn({ logIn }: OwnLogin, user: string, password: Buffer): Promise<boolean> {
    return this.#take(user, await logIn(user, password.toString(), this.#pop3Client));
  }

  async #byPassword(options: PasswdLogin, user: string, password: Buffer): Promise<boolean> {
    return this.#admit(options, await options.accounts.authenticate(user, password, this.#address));
  }

  async #admit({ open }: PasswdLogin, account: PasswdAccount | undefined): Promise<boolean> {
    if (account === undefined) return false;
    return this.#take(account.user, await open(account, this.#pop3Client));
  }

  #take(account: string, result: LoginResult): boolean {
    if (result === "refused") return false;
    if (this.#stream.destroyed || this.#isEnding) {
      // Nobody is there any more to have it.
      if (result !== "locked") maildropOf(result).close();
      return false;
    }
    this.#opened = { account, result };
    return true;
  }

  async #startTls(tls: SecureContextOptions | SecureContext): Promise<StartedTls> {
    const started = await startTls(this.#stream, tls);
    if (started.kind === "secured") {
      this.#stream = started.socket;
      this.#tls = started.tls;
    }
    return started;
  }

  async #handOver({ connection, state }: Parameters<HandOver>[0]): Promise<HandOverResult> {
    if (this.#opened === undefined) throw new Error("nobody has logged in");
    const { account, result } = this.#opened;
    this.#opened = undefined;
    if (result === "locked") return { kind: "refused", reply: err(state.texts.maildropLocked, "IN-USE") };
    const maildrop = maildropOf(result);
    if (this.#stream.destroyed || this.#isEnding) {
      maildrop.close();
      return { kind: "refused", reply: "" };
    }
    const { serverName, language = "i-default", utf8Headers = "downgrade", workarounds = [] } = this.#options;
    maildrop.present(presentationFor(utf8Headers, workarounds, state.choices));
    const read = connection.takeRest();
    connection.detach();
    this.#part = new TransactionSession(this.#stream as net.Socket, read, {
      ticket: {
        session: this.#session,
        account,
        address: this.#address,
        mechanism: this.#login.mechanism,
        secured: this.#tls !== undefined,
        ...(this.#tls === undefined ? {} : { tls: this.#tls.tls }),
      },
      maildrop,
      options: {
        serverName,
        language,
        choices: state.choices,
        maxUselessCommands: 30,
        capabilities: {
          mechanisms: this.#login.offered ?? [],
          passwordAllowed: this.#login.offered?.includes("PLAIN") === true,
          implementation: POP3_IMPLEMENTATION,
          retention: this.#retention,
        },
      },
      idleTimeMs: this.#options.idleTimeMs ?? 600_000,
      stall: () => ({ stallTimeMs: this.#options.stallTimeMs ?? 100_000, minOctetsPerSecond: 100 }),
      isRelayed: false,
      log: this.#log,
      now: Date.now,
      onOver: () => this.#settle(),
    });
    return { kind: "taken" };
  }

  get #retention(): Retention | undefined {
    const { expireDays } = this.#options;
    if (expireDays === undefined) return undefined;
    return { days: expireDays === "never" ? undefined : expireDays, perUser: false };
  }

  get #address(): string {
    return this.#client.address;
  }

  get #pop3Client(): Pop3Client {
    return { address: this.#address, secured: this.#tls !== undefined };
  }
}

function maildropOf(maildrop: OwnMaildrop | SessionMaildrop): SessionMaildrop {
  return "openMessage" in maildrop ? maildrop : sessionMaildropOf(maildrop);
}

function clientOf(stream: Duplex, { address, secured }: Pop3Options): Client {
  const plain = plainClient(stream as net.Socket);
  const tls = stream instanceof TLSSocket ? tlsFacts(stream, "email") : undefined;
  const elsewhere = { tls: "by the stream", channelBinding: undefined, clientCertificateUser: undefined };
  return {
    ...plain,
    address: address ?? plain.address,
    tls: secured === undefined ? tls : secured ? (tls ?? elsewhere) : undefined,
  };
}
