// The server's end of Dovecot's auth-client protocol. Runs in the auth process, one AuthServer for each listener:
// our own login processes connect to one, Postfix and Exim to others.
import type { Socket } from "node:net";
import type { Mechanism, ServerMechanism, Step } from "../sasl/mechanism.ts";
import { decodeBase64, encodeBase64 } from "./base64.ts";
import {
  type AuthParameters,
  type ClientCommand,
  decodeInitialResponse,
  formatServerReply,
  PROTOCOL_MAJOR,
  PROTOCOL_MINOR,
  parseClientCommand,
  type ServerReply,
} from "./codec.ts";
import { LineSplitter } from "./line-splitter.ts";
import { type StartTimer, startTimer } from "./timer.ts";

export interface VerifyRequest extends AuthParameters {
  /** Has no control characters, is not empty. */
  readonly user: string;
  /** Overwritten when the promise settles. */
  readonly password: Uint8Array;
  /** False once nobody waits for the verdict any more. */
  isAwaited(): boolean;
}

export type Verdict =
  /** `fields` go out with OK: what only our login process may learn (a ticket), so never on an MTA's listener. */
  | { readonly kind: "ok"; readonly user: string; readonly fields?: ReadonlyMap<string, string> }
  /** `reason` is read by whoever tried: Postfix puts it into its reply. */
  | {
      readonly kind: "refused";
      readonly code?: "authz_fail" | "user_disabled" | "pass_expired" | "unusable";
      readonly reason?: string;
    }
  | { readonly kind: "temporary-failure" };

export interface AuthServerOptions {
  readonly mechanisms: ReadonlyMap<string, Mechanism>;
  verify(request: VerifyRequest): Promise<Verdict>;
  /**
   * What a temporary failure looks like. MTAs take every FAIL for a wrong password (535), but a closed socket for a
   * temporary failure (454): "close". Our login process understands `FAIL code=temp_fail`: "reply".
   */
  readonly temporaryFailure: "close" | "reply";
  readonly pid: number;
  randomBytes(size: number): Uint8Array;
  onEvent(event: AuthServerEvent): void;
  readonly startTimer?: StartTimer;
  /** From AUTH to the result. Postfix never says that its client gave up. */
  readonly requestTimeoutMs?: number;
  /** Of one connection: more end as temporary failures. */
  readonly maxOpenRequests?: number;
}

export type AuthServerEvent =
  /** The client broke the protocol and its connection was dropped. */
  | {
      readonly kind: "malformed";
      readonly connectionId: number;
      readonly clientPid: number | undefined;
      readonly reason: string;
    }
  | {
      readonly kind: "connection-error";
      readonly connectionId: number;
      readonly clientPid: number | undefined;
      readonly error: Error;
    }
  /** `verify` rejected or its verdict could not be sent; the client was told of a temporary failure. */
  | { readonly kind: "fault"; readonly error: unknown };

export class AuthServer {
  readonly #options: ServerOptions;
  readonly #connections = new Set<Socket>();
  #lastConnectionId = 0;

  constructor(options: AuthServerOptions) {
    // 150 s is Dovecot's MASTER_AUTH_SERVER_TIMEOUT_SECS.
    this.#options = { startTimer, requestTimeoutMs: 150_000, maxOpenRequests: 1_000, ...options };
  }

  /** Takes over an accepted connection and speaks first: Exim says nothing before it has read DONE. */
  serve(socket: Socket): void {
    this.#connections.add(socket);
    socket.once("close", () => this.#connections.delete(socket));
    new Connection(this.#options, socket, ++this.#lastConnectionId);
  }

  /** Drops every connection; MTAs and login processes see a temporary failure and connect again. */
  close(): void {
    for (const socket of this.#connections) socket.destroy();
  }
}

type ServerOptions = Required<AuthServerOptions>;

interface OpenRequest {
  readonly id: number;
  readonly parameters: AuthParameters;
  readonly mechanism: ServerMechanism;
  /** A challenge is out and its response has not come. */
  awaitsResponse: boolean;
  cancelTimer: () => void;
}

/** What comes of a command or a verdict. */
type Outcome =
  | ServerReply
  | { readonly kind: "temporary-failure"; readonly id: number }
  | { readonly kind: "drop"; readonly reason: string }
  | { readonly kind: "nothing" };

class Connection {
  readonly #options: ServerOptions;
  readonly #socket: Socket;
  readonly #connectionId: number;
  readonly #lines = new LineSplitter();
  readonly #requests = new Map<number, OpenRequest>();
  /** Verifications under way, those that nobody waits for any longer included. */
  #verifications = 0;
  #clientMinor: number | undefined;
  #clientPid: number | undefined;

  constructor(options: ServerOptions, socket: Socket, connectionId: number) {
    this.#options = options;
    this.#socket = socket;
    this.#connectionId = connectionId;
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    socket.on("drain", () => socket.resume());
    socket.on("error", (error) => {
      options.onEvent({ kind: "connection-error", connectionId, clientPid: this.#clientPid, error });
    });
    socket.on("close", () => {
      for (const id of this.#requests.keys()) this.#end(id);
    });
    this.#write(greeting(options, connectionId));
  }

  #read(chunk: Buffer): void {
    for (const line of this.#lines.push(chunk)) {
      if (this.#socket.destroyed) return;
      const command = line.kind === "line" ? parseClientCommand(line.text) : line;
      switch (command.kind) {
        case "unknown":
          break;
        case "malformed":
          this.#perform({ kind: "drop", reason: command.reason });
          break;
        default:
          this.#perform(this.#handle(command));
      }
    }
  }

  #handle(command: ClientCommand): Outcome {
    switch (command.kind) {
      case "VERSION":
        if (this.#clientMinor !== undefined) return drop("second VERSION");
        if (command.major !== PROTOCOL_MAJOR) return drop("VERSION: another major version");
        this.#clientMinor = command.minor;
        return NOTHING;
      case "CPID":
        if (this.#clientPid !== undefined) return drop("second CPID");
        this.#clientPid = command.pid;
        return NOTHING;
      case "AUTH":
        return this.#begin(command.id, command.parameters, command.response);
      case "CONT":
        return this.#continue(command.id, command.data);
      case "CANCEL":
        this.#end(command.id);
        return NOTHING;
      default:
        return command satisfies never;
    }
  }

  #begin(id: number, parameters: AuthParameters, response: string | undefined): Outcome {
    const { mechanisms, maxOpenRequests, requestTimeoutMs } = this.#options;
    if (this.#clientMinor === undefined || this.#clientPid === undefined) {
      return drop("AUTH before VERSION and CPID");
    }
    if (this.#requests.has(id)) return drop("AUTH: the id of an open request");
    if (Math.max(this.#requests.size, this.#verifications) >= maxOpenRequests) {
      return { kind: "temporary-failure", id };
    }
    const mechanism = mechanisms.get(parameters.mechanism)?.create();
    if (mechanism === undefined) return fail(id, { reason: "unsupported authentication mechanism" });
    const initial = decodeInitialResponse(response, this.#clientMinor);
    if (initial.kind === "invalid-base64") return fail(id, INVALID_BASE64);
    const request: OpenRequest = {
      id,
      parameters,
      mechanism,
      awaitsResponse: false,
      cancelTimer: this.#options.startTimer(() => this.#expire(request), requestTimeoutMs),
    };
    this.#requests.set(id, request);
    return this.#take(request, mechanism.start(initial.kind === "octets" ? initial.octets : undefined));
  }

  #continue(id: number, data: string): Outcome {
    const request = this.#requests.get(id);
    if (request === undefined) return fail(id, TIMED_OUT);
    if (!request.awaitsResponse) return fail(id, { reason: "unexpected continuation" });
    request.awaitsResponse = false;
    const octets = decodeBase64(data);
    return octets === undefined
      ? fail(id, INVALID_BASE64)
      : this.#take(request, request.mechanism.next(octets));
  }

  #take(request: OpenRequest, step: Step): Outcome {
    switch (step.kind) {
      case "challenge":
        request.awaitsResponse = true;
        return { kind: "CONT", id: request.id, data: encodeBase64(step.data) };
      case "malformed":
        return fail(request.id, MALFORMED);
      case "password": {
        const refusal = checkIdentities(request.id, step);
        if (refusal.kind !== "nothing") step.password.fill(0);
        else void this.#verify(request, step.authenticationIdentity, step.password);
        return refusal;
      }
      default:
        return step satisfies never;
    }
  }

  async #verify(request: OpenRequest, user: string, password: Uint8Array): Promise<void> {
    const { id, parameters } = request;
    // Not so when cancelled, expired or disconnected meanwhile: the id may be another request's by now.
    const isAwaited = () => this.#requests.get(id) === request;
    this.#verifications++;
    try {
      const verdict = await this.#options.verify({ ...parameters, user, password, isAwaited });
      if (isAwaited()) this.#perform(conclude(id, user, verdict));
    } catch (error) {
      this.#options.onEvent({ kind: "fault", error });
      if (isAwaited()) this.#perform({ kind: "temporary-failure", id });
    } finally {
      password.fill(0);
      this.#verifications--;
    }
  }

  #expire({ id, awaitsResponse }: OpenRequest): void {
    this.#perform(awaitsResponse ? fail(id, TIMED_OUT) : { kind: "temporary-failure", id });
  }

  #perform(outcome: Outcome): void {
    switch (outcome.kind) {
      case "nothing":
        break;
      case "drop": {
        const [connectionId, clientPid] = [this.#connectionId, this.#clientPid];
        this.#options.onEvent({ kind: "malformed", connectionId, clientPid, reason: outcome.reason });
        this.#socket.destroy();
        break;
      }
      case "temporary-failure":
        if (this.#options.temporaryFailure === "close") this.#socket.destroy();
        else this.#perform(fail(outcome.id, { code: "temp_fail" }));
        break;
      default: {
        const line = formatServerReply(outcome);
        if (outcome.kind === "OK" || outcome.kind === "FAIL") this.#end(outcome.id);
        this.#write(line);
      }
    }
  }

  #end(id: number): void {
    this.#requests.get(id)?.cancelTimer();
    this.#requests.delete(id);
  }

  #write(text: string): void {
    // Who doesn't read the replies is not read any longer: output stays bounded.
    if (!this.#socket.destroyed && !this.#socket.write(text)) this.#socket.pause();
  }
}

const NOTHING: Outcome = { kind: "nothing" };
const CONTROL_CHARACTER = /\p{Cc}/u;
const TIMED_OUT = { reason: "authentication request timed out" };
const INVALID_BASE64 = { code: "invalid_base64", reason: "invalid base64" };
const MALFORMED = { code: "malformed", reason: "malformed authentication response" };

/** One text, with MECH before SPID: that order is how Postfix and Exim tell this socket from auth-master. */
function greeting(options: ServerOptions, connectionId: number): string {
  const replies: readonly ServerReply[] = [
    { kind: "VERSION", major: PROTOCOL_MAJOR, minor: PROTOCOL_MINOR },
    ...Array.from(options.mechanisms, ([name, { parameters }]) => ({
      kind: "MECH" as const,
      name,
      parameters,
    })),
    { kind: "SPID", pid: options.pid },
    { kind: "CUID", connectionId },
    { kind: "COOKIE", cookie: Buffer.from(options.randomBytes(16)).toString("hex") },
    { kind: "DONE" },
  ];
  return replies.map(formatServerReply).join("");
}

/** @returns why these credentials need no look at the password */
function checkIdentities(id: number, credentials: Extract<Step, { kind: "password" }>): Outcome {
  const { authorizationIdentity, authenticationIdentity: user } = credentials;
  // The MTAs don't unescape what they read, and a name is written to logs.
  if (CONTROL_CHARACTER.test(user + authorizationIdentity)) return fail(id);
  // Nobody may act for somebody else here.
  return authorizationIdentity === "" || authorizationIdentity === user
    ? NOTHING
    : fail(id, { user, code: "authz_fail" });
}

function conclude(id: number, user: string, verdict: Verdict): Outcome {
  switch (verdict.kind) {
    case "ok":
      return { kind: "OK", id, fields: new Map([["user", verdict.user], ...(verdict.fields ?? [])]) };
    case "refused":
      return fail(id, {
        user,
        ...(verdict.code && { code: verdict.code }),
        ...(verdict.reason && { reason: verdict.reason }),
      });
    case "temporary-failure":
      return { kind: "temporary-failure", id };
    default:
      return verdict satisfies never;
  }
}

function fail(id: number, fields: Readonly<Record<string, string>> = {}): ServerReply {
  return { kind: "FAIL", id, fields: new Map(Object.entries(fields)) };
}

function drop(reason: string): Outcome {
  return { kind: "drop", reason };
}
