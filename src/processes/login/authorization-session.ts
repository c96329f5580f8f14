// One client before login: acts on what the AUTHORIZATION state decides, asks auth, hands over. Runs in a login
// process as `dewey-login`, which sees no hash and opens no Maildir.
import type * as net from "node:net";
import type { AuthFailure, Exchange } from "../../auth/client.ts";
import { countCommand } from "../../control/counters/command-times.ts";
import { count } from "../../control/counters/counters.ts";
import type { AnswerOf } from "../../control/link/questions.ts";
import type { Log } from "../../log/log.ts";
import { isLoopback } from "../../net/address.ts";
import { Connection } from "../../net/connection.ts";
import type { TlsFacts } from "../../net/tls-facts.ts";
import {
  type AuthorizationOutcome,
  AuthorizationState,
  type Failure,
} from "../../pop3/authorization-state.ts";
import { knownKeyword } from "../../pop3/command.ts";
import { type Line, LineReader } from "../../pop3/line-reader.ts";
import { err } from "../../pop3/reply.ts";
import { maskedLine, maskedReply, type SessionTrace, tracing } from "../child/tracing.ts";
import { type ConnectionFacts, offeredMechanisms, POP3_IMPLEMENTATION } from "../offered.ts";
import { PLACE } from "../placement.ts";
import type { LoginSettings } from "../settings.ts";
import type { Arrivals, Client } from "./arrival.ts";
import { refusalText } from "./gate.ts";
import type { HandOver } from "./hand-over.ts";
import type { Authenticator } from "./remembered-logins.ts";
import type { SessionLimit } from "./session-limits.ts";

export interface AuthorizationContext {
  readonly session: string;
  readonly arrivals: Pick<Arrivals, "canStartTls" | "startTls">;
  /** What is left of `limits.login_time`. */
  readonly loginTimeMs: number;
  readonly settings: Pick<
    LoginSettings,
    "serverName" | "language" | "maxUselessCommands" | "plaintextWithoutTls"
  >;
  readonly auth: Authenticator;
  readonly handOver: HandOver;
  readonly log: Log;
  /** Its TRANSACTION part has the client's own connection: this session is over. */
  onPassed(): void;
  /** The client is gone, from this state or from the next one. */
  onOver(): void;
}

/** What begins anew when STLS has put TLS below it. */
interface Talk {
  readonly socket: net.Socket;
  readonly connection: Connection;
  readonly state: AuthorizationState;
  readonly tls: TlsFacts | undefined;
  readonly facts: ConnectionFacts;
  readonly offered: readonly string[];
}

export class AuthorizationSession {
  readonly #context: AuthorizationContext;
  readonly #timer: NodeJS.Timeout;
  readonly #client: Client;
  /** STLS begins a new one. */
  #talk: Talk;
  readonly #trace: SessionTrace | undefined;
  #exchange: Exchange | undefined;
  /** Auth gave up while it was the client's turn. */
  #failure: Failure | undefined;
  #settle: (() => void) | undefined;
  #phase: "open" | "securing" | "handing-over" | "handed-over" | "over" = "open";
  #isDraining = false;
  #isTurnedAway = false;
  readonly #startedAtMs = Date.now();
  #lastLineAtMs = this.#startedAtMs;
  #failedLogins = 0;
  /** Whether the last command was answered by -ERR. */
  #isRefused = false;
  #reason = "disconnected";

  constructor(socket: net.Socket, client: Client, context: AuthorizationContext) {
    this.#context = context;
    this.#client = client;
    this.#trace = tracing.begin({ session: context.session, address: client.address });
    this.#timer = setTimeout(() => this.#timeOut(), context.loginTimeMs);
    this.#talk = this.#begin(socket, client.tls);
    this.#talk.connection.reply(this.#talk.state.greeting());
    this.#talk.connection.start(new Uint8Array(0));
  }

  #begin(socket: net.Socket, tls: TlsFacts | undefined): Talk {
    const { settings, auth, arrivals, log } = this.#context;
    const { serverName, language, maxUselessCommands, plaintextWithoutTls } = settings;
    const { address, isKnown } = this.#client;
    const passwordAllowed =
      tls !== undefined ||
      plaintextWithoutTls === "always" ||
      (plaintextWithoutTls === "loopback" && isKnown && isLoopback(address));
    const { channelBinding, clientCertificateUser, clientCertificateFault } = tls ?? {};
    if (clientCertificateFault !== undefined)
      log.info({ ...this.#identity(), reason: clientCertificateFault }, "client certificate refused");
    const facts = { passwordAllowed, channelBinding, clientCertificateUser };
    const offered = offeredMechanisms(auth.mechanisms, facts);
    const state = new AuthorizationState({
      serverName,
      language,
      maxUselessCommands,
      // USER and PASS are SASL PLAIN by another name.
      passwordAllowed: offered.includes("PLAIN"),
      mechanisms: offered,
      implementation: POP3_IMPLEMENTATION,
      tls: tls !== undefined ? "active" : arrivals.canStartTls ? "available" : "none",
      retention: auth.retention,
    });
    const connection = new Connection(socket, new LineReader((start) => state.maxLineOctets(start)), {
      onLine: (line) => {
        this.#lastLineAtMs = Date.now();
        this.#trace?.line("C", maskedLine(line, state.isExchanging));
        return this.#onLine(line);
      },
      onReply: (text) => this.#trace?.line("S", maskedReply(text)),
      onClose: () => this.#onClose(),
      onFault: (error) => {
        this.#reason = "fault";
        log.error({ err: error, ...this.#identity() }, "session failed");
      },
    });
    return { socket, connection, state, tls, facts, offered };
  }

  /** Ends the session, unless it is on its way to the TRANSACTION state or there: that part drains itself. */
  drain(): void {
    this.#isDraining = true;
    if (this.#phase === "open") this.#shutDown();
    else if (this.#phase === "securing") this.destroy();
  }

  destroy(): void {
    this.#talk.socket.destroy();
  }

  /** An administrator ends it. */
  kick(): void {
    this.#reason = "kicked";
    if (this.#phase === "open") this.#close(this.#talk.state.texts.connectionKicked);
    else this.destroy();
  }

  /** Whether it may be ended because there are too many. */
  get isDispensable(): boolean {
    return this.#phase === "open" && !this.#isTurnedAway && !this.#talk.connection.isWorking;
  }

  get address(): string {
    return this.#client.address;
  }

  turnAway(limit: SessionLimit): void {
    this.#isTurnedAway = true;
    this.#reason = "limit";
    this.#close(refusalText(limit, this.#talk.state.texts));
  }

  /** For pop3-ctl; undefined once the TRANSACTION part has it. */
  describe(): AnswerOf<"sessions"> | undefined {
    if (this.#phase === "handed-over" || this.#phase === "over") return undefined;
    const idleMs = this.#talk.connection.isWorking ? 0 : Date.now() - this.#lastLineAtMs;
    return {
      ...this.#identity(),
      account: null,
      secured: this.#talk.tls !== undefined,
      state: "AUTHORIZATION",
      startedAtMs: this.#startedAtMs,
      idleMs: Math.max(0, idleMs),
      messages: 0,
      octets: 0,
    };
  }

  #onLine(line: Line): Promise<void> | undefined {
    const { state } = this.#talk;
    const beganMs = performance.now();
    const isResponse = state.isExchanging;
    const keyword = line.kind === "line" ? knownKeyword(line.text) : undefined;
    this.#isRefused = false;
    const outcome = state.handle(line);
    if (keyword === "USER" && line.kind === "line") this.#trace?.isOf(line.text.slice(5).trim());
    const work = this.#act(outcome);
    if (isResponse) return work;
    const counted = (): void =>
      countCommand(keyword ?? "unknown", this.#isRefused, performance.now() - beganMs);
    if (work !== undefined) return work.then(counted);
    counted();
    return undefined;
  }

  #act(outcome: AuthorizationOutcome): Promise<void> | undefined {
    const failure = this.#failure;
    if (failure !== undefined && (outcome.kind === "respond" || outcome.kind === "cancel")) {
      this.#failure = undefined;
      return this.#act(this.#talk.state.refused(failure));
    }
    switch (outcome.kind) {
      case "reply":
        this.#isRefused = isError(outcome.text);
        this.#talk.connection.reply(outcome.text);
        return undefined;
      case "close":
        this.#isRefused = isError(outcome.text);
        this.#reason = outcome.reason;
        this.#exchange?.cancel();
        if (outcome.reason === "quit") this.#talk.connection.endAsAsked(outcome.text);
        else this.#talk.connection.end(outcome.text);
        return undefined;
      case "cancel":
        this.#exchange?.cancel();
        this.#exchange = undefined;
        this.#talk.connection.reply(outcome.text);
        return undefined;
      case "start-tls":
        return this.#startTls(outcome.text);
      case "authenticate":
        return this.#exchangeStep(() => this.#authenticate(outcome.mechanism, outcome.initialResponse));
      case "respond":
        return this.#exchangeStep(() => this.#exchange?.respond(outcome.response));
      default:
        return outcome satisfies never;
    }
  }

  // RFC 2595 §4: what was read before counts for nothing, and the session begins anew; only its time goes on. Octets that
  // come behind our reply are the handshake's: plain commands among them make it fail.
  async #startTls(text: string): Promise<void> {
    const { socket, connection } = this.#talk;
    this.#phase = "securing";
    connection.dropInput();
    connection.reply(text);
    await connection.written();
    connection.detach();
    const handshake = await this.#context.arrivals.startTls(socket);
    if (handshake.kind === "failed") {
      if (this.#reason === "disconnected") this.#reason = `handshake: ${handshake.reason}`;
      this.#onClose();
      return;
    }
    this.#phase = "open";
    this.#talk = this.#begin(handshake.socket, handshake.tls);
    this.#talk.connection.start(new Uint8Array(0));
  }

  /** One round with auth: the command works until auth has answered and the answer was dealt with. */
  #exchangeStep(begin: () => void): Promise<void> {
    return new Promise((resolve) => {
      this.#settle = resolve;
      begin();
    });
  }

  #authenticate(mechanism: string, initialResponse: string | undefined): void {
    const { session, auth } = this.#context;
    const { tls, facts, offered } = this.#talk;
    const { address, port, localAddress, localPort } = this.#client;
    this.#exchange = auth.start(
      {
        mechanism,
        initialResponse,
        service: "pop3",
        secured: tls !== undefined,
        tls: tls?.tls,
        session,
        remoteAddress: address,
        localAddress,
        remotePort: port,
        localPort,
        channelBinding: facts.channelBinding,
        clientCertificateUser: facts.clientCertificateUser,
        offered,
      },
      {
        challenge: (base64) => {
          this.#talk.connection.reply(this.#talk.state.challenged(base64));
          this.#settle?.();
        },
        ok: (fields) => {
          this.#exchange = undefined;
          void this.#handOver(fields).finally(() => this.#settle?.());
        },
        failed: (failure) => {
          this.#exchange = undefined;
          if (!failure.temporary) this.#failedLogins++;
          // While a challenge is out, the client owes a line: the failure answers that one, or replies would slip.
          if (this.#talk.connection.isWorking) this.#refuse(failureOf(failure));
          else this.#failure = failureOf(failure);
          this.#settle?.();
        },
      },
    );
  }

  async #handOver(fields: ReadonlyMap<string, string>): Promise<void> {
    const ticket = fields.get("ticket");
    const place = fields.get("place");
    if (ticket === undefined || place === undefined || !PLACE.test(place)) {
      this.#context.log.error(this.#identity(), "auth gave no ticket, or none for a mailbox process");
      this.#refuse({ kind: "temporary" });
      return;
    }
    if (this.#phase !== "open") return;
    this.#phase = "handing-over";
    this.#trace?.isOf(fields.get("user") ?? "");
    try {
      const result = await this.#context.handOver(this.#talk, { ticket, place }, this.#context);
      if (result.kind === "taken") {
        this.#phase = "handed-over";
        clearTimeout(this.#timer);
        return;
      }
      this.#backToAuthorization({ kind: "maildrop", reply: result.reply });
    } catch (error) {
      this.#context.log.error({ err: error, ...this.#identity() }, "hand-over failed");
      this.#backToAuthorization({ kind: "temporary" });
    }
  }

  #backToAuthorization(failure: Failure): void {
    if (this.#phase !== "handing-over") return;
    this.#phase = "open";
    this.#refuse(failure);
    if (this.#isDraining) this.#shutDown();
  }

  #refuse(failure: Failure): void {
    if (this.#phase === "open") void this.#act(this.#talk.state.refused(failure));
  }

  #shutDown(): void {
    this.#reason = "shutdown";
    this.#close(this.#talk.state.texts.shuttingDown);
  }

  #close(text: string): void {
    this.#exchange?.cancel();
    this.#talk.connection.end(err(text, "SYS/TEMP"));
  }

  // RFC 1939 §3: the autologout timer closes the connection without a reply.
  #timeOut(): void {
    this.#reason = "login-time";
    this.#talk.connection.destroy();
  }

  #onClose(): void {
    clearTimeout(this.#timer);
    if (this.#phase === "over") return;
    this.#phase = "over";
    this.#trace?.end(this.#reason);
    const limit = LIMITS.get(this.#reason);
    if (limit !== undefined) count("limits_reached", [limit]);
    this.#exchange?.cancel();
    // A probe that connects and leaves is not worth a line.
    const level = this.#failedLogins > 0 || this.#reason === "useless-commands" ? "info" : "debug";
    this.#context.log[level](
      { ...this.#identity(), failedLogins: this.#failedLogins, reason: this.#reason },
      "connection ended before login",
    );
    this.#context.onOver();
  }

  #identity(): { session: string; address: string } {
    return { session: this.#context.session, address: this.#client.address };
  }
}

function isError(reply: string): boolean {
  return reply.startsWith("-ERR");
}

/** What a reason is called in the config; who is turned away by another limit was counted there. */
const LIMITS: ReadonlyMap<string, string> = new Map([
  ["login-time", "limits.login_time"],
  ["useless-commands", "limits.useless_commands_before_login"],
]);

function failureOf({ temporary, code }: AuthFailure): Failure {
  if (temporary) return { kind: "temporary" };
  if (code === "malformed" || code === "invalid_base64") return { kind: "malformed" };
  return { kind: code === "unusable" ? "permanent" : "refused" };
}
