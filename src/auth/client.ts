// The client's end of Dovecot's auth-client protocol: one kept connection to the auth process, many exchanges on it.
// Runs in the login processes. It outlives the auth process: when that is restarted it connects again.
import { connect, type Socket } from "node:net";
import { writeTogether } from "../host/write-together.ts";
import { LineSplitter } from "../octets/line-splitter.ts";
import type { Retention } from "../pop3/capability.ts";
import { decodeBase64 } from "../sasl/base64.ts";
import { type AuthParameters, formatClientCommand } from "./protocol/client-command.ts";
import { MAX_LINE_OCTETS, PROTOCOL_MAJOR, PROTOCOL_MINOR } from "./protocol/fields.ts";
import { parseServerReply, type ServerReply } from "./protocol/server-reply.ts";
import { ServerGreeting } from "./server-greeting.ts";
import { type StartTimer, startTimer } from "./timer.ts";

export interface AuthClientOptions {
  /** Of the auth process's UNIX socket. */
  readonly path: string;
  readonly pid: number;
  onEvent(event: AuthClientEvent): void;
  readonly startTimer?: StartTimer;
  /** How long a new exchange waits for a connection before it ends as a temporary failure. */
  readonly waitForConnectionMs?: number;
  /** How long auth may take to answer. */
  readonly answerTimeoutMs?: number;
  /** Doubled with each failed attempt, up to the maximum. */
  readonly firstReconnectDelayMs?: number;
  readonly maxReconnectDelayMs?: number;
}

export type AuthClientEvent =
  | {
      readonly kind: "connected";
      readonly serverPid: number;
      readonly mechanisms: ReadonlyMap<string, readonly string[]>;
    }
  /** The exchanges that were under way, `pendingRequests` of them, ended as temporary failures. */
  | { readonly kind: "disconnected"; readonly pendingRequests: number; readonly error: Error | undefined }
  | { readonly kind: "connect-failed"; readonly error: Error | undefined }
  /**
   * What an OK gave leave to remember of this account holds no more; of none, if undefined: so it is when the server retires. After
   * "disconnected" nothing holds either.
   */
  | { readonly kind: "forget"; readonly user: string | undefined }
  /** The server broke the protocol; "disconnected" or "connect-failed" follows. */
  | { readonly kind: "malformed"; readonly reason: string };

export interface AuthRequest extends AuthParameters {
  /** Base64; "" is an empty one, undefined none. */
  readonly initialResponse: string | undefined;
}

export interface AuthFailure {
  /**
   * "temp_fail", "authz_fail", "user_disabled", "pass_expired"; "invalid_base64" and "malformed" when the client's
   * response could not be read; undefined when it was simply wrong.
   */
  readonly code: string | undefined;
  readonly reason: string | undefined;
  readonly temporary: boolean;
}

/**
 * Either `ok` or `failed` is called, once, and nothing after it or after `cancel`. `failed` may come while a challenge
 * waits for its response: auth gives up on a client after a while, or is restarted.
 */
export interface AuthHandler {
  challenge(base64: string): void;
  /** `fields` has at least `user`. */
  ok(fields: ReadonlyMap<string, string>): void;
  failed(failure: AuthFailure): void;
}

export interface Exchange {
  /** Answers the last challenge. @throws TypeError when that is not base64, Error when there was no challenge */
  respond(base64: string): void;
  cancel(): void;
}

export class AuthClient {
  readonly #options: Required<AuthClientOptions>;
  readonly #exchanges = new Map<number, OpenExchange>();
  #lastId = 0;
  /** New requests go there. */
  #socket: Socket | undefined;
  #greeting = new ServerGreeting();
  #isConnected = false;
  #isClosed = false;
  #failedAttempts = 0;
  #cancelReconnect = () => {};
  #mechanisms: ReadonlyMap<string, readonly string[]> = new Map();
  #retention: Retention | undefined;
  /** What the server tells anew in the middle of a connection, complete at DONE. */
  #renewed = new Map<string, readonly string[]>();

  /** Begins to connect at once. */
  constructor(options: AuthClientOptions) {
    this.#options = {
      startTimer,
      waitForConnectionMs: 10_000,
      answerTimeoutMs: 60_000,
      firstReconnectDelayMs: 50,
      maxReconnectDelayMs: 2_000,
      ...options,
    };
    this.#connect();
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  /** Names and MECH parameters as the server told them last; empty before the first connection, kept between two. */
  get mechanisms(): ReadonlyMap<string, readonly string[]> {
    return this.#mechanisms;
  }

  /** What CAPA says before login, as the server told it last; undefined as long as it did not. */
  get retention(): Retention | undefined {
    return this.#retention;
  }

  /**
   * Never calls the handler before it has returned.
   *
   * @throws TypeError when the initial response is not base64, RangeError when the request exceeds the protocol's line
   */
  start({ initialResponse, ...parameters }: AuthRequest, handler: AuthHandler): Exchange {
    const id = this.#nextId();
    const line = formatClientCommand({ kind: "AUTH", id, parameters, response: initialResponse });
    const exchange: OpenExchange = {
      handler,
      queued: line,
      socket: undefined,
      awaitsResponse: false,
      cancelTimer: () => {},
    };
    this.#exchanges.set(id, exchange);
    if (this.#isConnected) this.#sendQueued(id, exchange);
    else this.#startTimer(id, exchange, this.#isClosed ? 0 : this.#options.waitForConnectionMs);
    const isOpen = () => this.#exchanges.get(id) === exchange;
    return {
      respond: (base64) => {
        if (isOpen()) this.#respond(id, exchange, base64);
      },
      cancel: () => {
        if (isOpen()) this.#cancel(id, exchange);
      },
    };
  }

  /** For good. Open exchanges end as temporary failures. */
  close(): void {
    this.#isClosed = true;
    this.#isConnected = false;
    this.#cancelReconnect();
    this.#socket?.destroy();
    for (const [id, { socket }] of [...this.#exchanges]) {
      socket?.destroy();
      this.#end(id)?.handler.failed(UNAVAILABLE);
    }
  }

  #connect(): void {
    const socket = connect({ path: this.#options.path });
    const lines = new LineSplitter(MAX_LINE_OCTETS);
    let failure: Error | undefined;
    this.#socket = socket;
    this.#greeting = new ServerGreeting();
    this.#renewed = new Map();
    socket.on("connect", () => {
      socket.write(formatClientCommand({ kind: "VERSION", major: PROTOCOL_MAJOR, minor: PROTOCOL_MINOR }));
      socket.write(formatClientCommand({ kind: "CPID", pid: this.#options.pid }));
    });
    socket.on("data", (chunk: Buffer) => {
      for (const line of lines.push(chunk)) {
        if (socket.destroyed) return;
        const reply = line.kind === "line" ? parseServerReply(line.text) : line;
        const fault = reply.kind === "malformed" ? reply.reason : this.#handle(reply, socket);
        if (fault === undefined) continue;
        this.#options.onEvent({ kind: "malformed", reason: fault });
        socket.destroy();
      }
    });
    socket.on("error", (error) => {
      failure = error;
    });
    socket.on("close", () => {
      if (socket === this.#socket) this.#disconnected(failure);
      else this.#failAll(socket);
    });
  }

  #disconnected(error: Error | undefined): void {
    if (this.#isClosed) return;
    const pending = [...this.#exchanges.values()].filter(({ socket }) => socket === this.#socket);
    this.#options.onEvent(
      this.#isConnected
        ? { kind: "disconnected", pendingRequests: pending.length, error }
        : { kind: "connect-failed", error },
    );
    this.#isConnected = false;
    const { firstReconnectDelayMs, maxReconnectDelayMs } = this.#options;
    const delayMs = Math.min(maxReconnectDelayMs, firstReconnectDelayMs * 2 ** this.#failedAttempts);
    this.#failedAttempts++;
    this.#cancelReconnect = this.#options.startTimer(() => this.#connect(), delayMs);
    this.#failAll(this.#socket);
  }

  /** Those that were sent there and wait for an answer. */
  #failAll(gone: Socket | undefined): void {
    if (gone === undefined) return;
    for (const [id, { socket }] of [...this.#exchanges])
      if (socket === gone) this.#end(id)?.handler.failed(UNAVAILABLE);
  }

  /** Another auth process takes the new requests; this one answers those that it has, and is left with the last. */
  #moveOn(retiring: Socket): void {
    this.#isConnected = false;
    this.#options.onEvent({ kind: "forget", user: undefined });
    this.#connect();
    this.#leaveIfDone(retiring);
  }

  #leaveIfDone(socket: Socket | undefined): void {
    if (socket === undefined || socket === this.#socket) return;
    for (const exchange of this.#exchanges.values()) if (exchange.socket === socket) return;
    // A CANCEL may have been written just now.
    socket.uncork();
    socket.destroy();
  }

  /** @returns what is wrong with the reply, if anything is */
  #handle(reply: ServerReply | { readonly kind: "unknown" }, socket: Socket): string | undefined {
    if (reply.kind === "unknown") return undefined;
    const isPresent = socket === this.#socket;
    if (isPresent && !this.#isConnected) {
      const fault = this.#greeting.take(reply);
      if (fault === undefined && reply.kind === "DONE") this.#connected();
      return fault;
    }
    if (reply.kind === "RETIRE") {
      if (isPresent) this.#moveOn(socket);
      return undefined;
    }
    if (reply.kind === "FORGET") {
      this.#options.onEvent({ kind: "forget", user: reply.user });
      return undefined;
    }
    // What a process that retires offers is no news.
    if (!isPresent && (reply.kind === "EXPIRE" || reply.kind === "MECH" || reply.kind === "DONE"))
      return undefined;
    if (reply.kind === "EXPIRE") {
      this.#retention = reply.retention;
      return undefined;
    }
    if (reply.kind === "MECH") {
      this.#renewed.set(reply.name, reply.parameters);
      return undefined;
    }
    if (reply.kind === "DONE" && this.#renewed.size > 0) {
      this.#mechanisms = this.#renewed;
      this.#renewed = new Map();
      return undefined;
    }
    if (reply.kind !== "OK" && reply.kind !== "FAIL" && reply.kind !== "CONT")
      return `${reply.kind} after DONE`;
    const exchange = this.#exchanges.get(reply.id);
    // The answer to an exchange cancelled meanwhile.
    if (exchange === undefined || exchange.socket !== socket) return undefined;
    if (exchange.awaitsResponse && reply.kind !== "FAIL") return `${reply.kind} before the response`;
    switch (reply.kind) {
      case "OK":
        this.#end(reply.id)?.handler.ok(reply.fields);
        return undefined;
      case "FAIL":
        this.#end(reply.id)?.handler.failed(failure(reply.fields));
        return undefined;
      case "CONT":
        if (decodeBase64(reply.data) === undefined) return "CONT malformed: not base64";
        exchange.cancelTimer();
        exchange.awaitsResponse = true;
        exchange.handler.challenge(reply.data);
        return undefined;
      default:
        return reply satisfies never;
    }
  }

  #connected(): void {
    const { serverPid, mechanisms, retention } = this.#greeting;
    this.#isConnected = true;
    this.#failedAttempts = 0;
    this.#mechanisms = mechanisms;
    this.#retention = retention;
    this.#options.onEvent({ kind: "connected", serverPid: serverPid!, mechanisms });
    for (const [id, exchange] of this.#exchanges) this.#sendQueued(id, exchange);
  }

  #sendQueued(id: number, exchange: OpenExchange): void {
    if (exchange.queued === undefined) return;
    exchange.socket = this.#socket;
    this.#send(id, exchange, exchange.queued);
    // It holds a password.
    exchange.queued = undefined;
  }

  #respond(id: number, exchange: OpenExchange, base64: string): void {
    if (!exchange.awaitsResponse) throw new Error("auth client: a response without a challenge");
    const line = formatClientCommand({ kind: "CONT", id, data: base64 });
    exchange.awaitsResponse = false;
    this.#send(id, exchange, line);
  }

  #cancel(id: number, exchange: OpenExchange): void {
    if (exchange.socket !== undefined)
      writeTogether(exchange.socket, formatClientCommand({ kind: "CANCEL", id }));
    this.#end(id);
  }

  #send(id: number, exchange: OpenExchange, line: string): void {
    exchange.cancelTimer();
    this.#startTimer(id, exchange, this.#options.answerTimeoutMs);
    if (exchange.socket !== undefined) writeTogether(exchange.socket, line);
  }

  #startTimer(id: number, exchange: OpenExchange, delayMs: number): void {
    exchange.cancelTimer = this.#options.startTimer(() => {
      this.#cancel(id, exchange);
      exchange.handler.failed(UNAVAILABLE);
    }, delayMs);
  }

  #end(id: number): OpenExchange | undefined {
    const exchange = this.#exchanges.get(id);
    exchange?.cancelTimer();
    this.#exchanges.delete(id);
    this.#leaveIfDone(exchange?.socket);
    return exchange;
  }

  #nextId(): number {
    do this.#lastId = this.#lastId === MAX_ID ? 1 : this.#lastId + 1;
    while (this.#exchanges.has(this.#lastId));
    return this.#lastId;
  }
}

const MAX_ID = 0xffff_ffff;
const UNAVAILABLE: AuthFailure = { code: "temp_fail", reason: undefined, temporary: true };

interface OpenExchange {
  readonly handler: AuthHandler;
  /** The AUTH line while it waits for a connection. */
  queued: string | undefined;
  /** Where it was sent. */
  socket: Socket | undefined;
  awaitsResponse: boolean;
  cancelTimer: () => void;
}

function failure(fields: ReadonlyMap<string, string>): AuthFailure {
  const code = fields.get("code");
  return { code, reason: fields.get("reason"), temporary: code === "temp_fail" };
}
