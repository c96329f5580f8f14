// One client of the auth server: its requests, from AUTH to the result. Runs in the auth process, see server.ts.
import type { Socket } from "node:net";
import { writeTogether } from "../host/write-together.ts";
import { LineSplitter } from "../octets/line-splitter.ts";
import type { Retention } from "../pop3/capability.ts";
import { decodeBase64, encodeBase64 } from "../sasl/base64.ts";
import type { Mechanism, MechanismContext, ServerMechanism, Step } from "../sasl/mechanism.ts";
import { type AuthParameters, type ClientCommand, parseClientCommand } from "./protocol/client-command.ts";
import { MAX_LINE_OCTETS, PROTOCOL_MAJOR, PROTOCOL_MINOR } from "./protocol/fields.ts";
import { decodeInitialResponse } from "./protocol/initial-response.ts";
import { formatServerReply, type ServerReply } from "./protocol/server-reply.ts";
import type { Credentials, ServerOptions, Verdict } from "./server-options.ts";

export class ServerConnection {
  readonly #options: ServerOptions;
  readonly #socket: Socket;
  readonly #connectionId: number;
  readonly #lines = new LineSplitter(MAX_LINE_OCTETS);
  readonly #requests = new Map<number, OpenRequest>();
  /** What is being worked on, for requests that nobody waits for any longer, too. */
  #works = 0;
  #isRetiring = false;
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

  tellMechanisms(): void {
    this.#write([...mechanismReplies(this.#options.mechanisms), DONE].map(formatServerReply).join(""));
  }

  tellRetention(): void {
    this.#write(retentionReplies(this.#options.retention).map(formatServerReply).join(""));
  }

  forget(user: string | undefined): void {
    this.#write(formatServerReply({ kind: "FORGET", user }));
  }

  retire(how: "tell" | "close"): void {
    if (how === "tell") {
      this.#write(formatServerReply({ kind: "RETIRE" }));
      return;
    }
    this.#isRetiring = true;
    this.#endIfRetired();
  }

  #endIfRetired(): void {
    if (this.#isRetiring && this.#requests.size === 0) this.#socket.end();
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
    if (Math.max(this.#requests.size, this.#works) >= maxOpenRequests()) {
      return { kind: "temporary-failure", id };
    }
    const mechanism = mechanisms.get(parameters.mechanism)?.create(this.#context(parameters));
    if (mechanism === undefined) return fail(id, { reason: "unsupported authentication mechanism" });
    const initial = decodeInitialResponse(response, this.#clientMinor);
    if (initial.kind === "invalid-base64") return fail(id, INVALID_BASE64);
    const request: OpenRequest = {
      id,
      parameters,
      mechanism,
      awaitsResponse: false,
      letIn: undefined,
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
    if (octets === undefined) return fail(id, INVALID_BASE64);
    const { letIn } = request;
    if (letIn === undefined) return this.#take(request, request.mechanism.next(octets));
    if (octets.length > 0) return fail(id, MALFORMED);
    return this.#work(request, async () => letIn());
  }

  #context({ channelBinding, clientCertificateUser }: AuthParameters): MechanismContext {
    const { mechanisms, hashing, prepareName, randomBytes } = this.#options;
    const offersPlus = [...mechanisms.values()].some(({ parameters }) =>
      parameters.includes("channel-binding"),
    );
    return {
      // A multiple of three octets, so that it ends in no "=".
      makeNonce: () => encodeBase64(randomBytes(18)),
      prepareName,
      hashing,
      channelBinding: offersPlus && channelBinding ? decodeBase64(channelBinding.data) : undefined,
      certificateUser: clientCertificateUser,
    };
  }

  #take(request: OpenRequest, step: Step): Outcome {
    const { id, parameters } = request;
    switch (step.kind) {
      case "challenge":
        return ask(request, step.data);
      case "malformed":
        return fail(id, MALFORMED);
      case "refused":
        this.#options.onEvent({ kind: "refused", parameters, reason: step.reason });
        return fail(id, { reason: step.reason });
      case "verifier": {
        const { authenticationIdentity, hash, proceed } = step;
        const refusal = checkIdentities(id, step);
        if (refusal.kind !== "nothing") return refusal;
        return this.#work(request, async () => {
          const verifier = await this.#options.findVerifier(authenticationIdentity, hash);
          return verifier === undefined
            ? { kind: "temporary-failure", id }
            : this.#take(request, proceed(verifier));
        });
      }
      case "password": {
        const { password } = step;
        const refusal = checkIdentities(id, step);
        if (refusal.kind === "nothing") return this.#verify(request, step, { kind: "password", password });
        password.fill(0);
        return refusal;
      }
      case "certificate": {
        const refusal = checkIdentities(id, step);
        return refusal.kind === "nothing" ? this.#verify(request, step, { kind: "certificate" }) : refusal;
      }
      case "proof":
        return this.#verify(request, step, step, step.serverFinal);
      default:
        return step satisfies never;
    }
  }

  /** @param serverFinal what the client is told before it is let in */
  #verify(
    request: OpenRequest,
    { authenticationIdentity: user }: Identities,
    credentials: Credentials,
    serverFinal?: Uint8Array,
  ): Outcome {
    const { id, parameters } = request;
    return this.#work(request, async () => {
      try {
        const isAwaited = () => this.#isOpen(request);
        const verdict = await this.#options.verify({ user, credentials, isAwaited, ...parameters });
        if (verdict.kind !== "ok" || serverFinal === undefined) return conclude(id, user, verdict);
        request.letIn = () => conclude(id, user, verdict);
        return ask(request, serverFinal);
      } finally {
        if (credentials.kind === "password") credentials.password.fill(0);
      }
    });
  }

  /** Does what takes a while, and then what comes of it. */
  #work(request: OpenRequest, work: () => Promise<Outcome>): Outcome {
    void this.#workOn(request, work);
    return NOTHING;
  }

  async #workOn(request: OpenRequest, work: () => Promise<Outcome>): Promise<void> {
    this.#works++;
    try {
      const outcome = await work();
      if (this.#isOpen(request)) this.#perform(outcome);
    } catch (error) {
      this.#options.onEvent({ kind: "fault", error });
      if (this.#isOpen(request)) this.#perform({ kind: "temporary-failure", id: request.id });
    } finally {
      this.#works--;
    }
  }

  /** Not so when cancelled, expired or disconnected meanwhile: the id may be another request's by now. */
  #isOpen(request: OpenRequest): boolean {
    return this.#requests.get(request.id) === request;
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
        this.#destroy();
        break;
      }
      case "temporary-failure":
        if (this.#options.temporaryFailure === "close") this.#destroy();
        else this.#perform(fail(outcome.id, { code: "temp_fail" }));
        break;
      default: {
        const line = formatServerReply(outcome);
        if (outcome.kind === "OK" || outcome.kind === "FAIL") this.#end(outcome.id);
        this.#write(line);
        this.#endIfRetired();
      }
    }
  }

  #end(id: number): void {
    this.#requests.get(id)?.cancelTimer();
    this.#requests.delete(id);
  }

  #write(text: string): void {
    // Who doesn't read the replies is not read any longer: output stays bounded.
    if (!writeTogether(this.#socket, text)) this.#socket.pause();
  }

  /** What was said before still arrives. */
  #destroy(): void {
    this.#socket.uncork();
    this.#socket.destroy();
  }
}

interface OpenRequest {
  readonly id: number;
  readonly parameters: AuthParameters;
  readonly mechanism: ServerMechanism;
  /** A challenge is out and its response has not come. */
  awaitsResponse: boolean;
  /** The last challenge is out, and the client is let in once it has answered by nothing. */
  letIn: (() => Outcome) | undefined;
  cancelTimer: () => void;
}

/** What comes of a command or a verdict. */
type Outcome =
  | ServerReply
  | { readonly kind: "temporary-failure"; readonly id: number }
  | { readonly kind: "drop"; readonly reason: string }
  | { readonly kind: "nothing" };

const NOTHING: Outcome = { kind: "nothing" };
const DONE: ServerReply = { kind: "DONE" };
const CONTROL_CHARACTER = /\p{Cc}/u;
const TIMED_OUT = { reason: "authentication request timed out" };
const INVALID_BASE64 = { code: "invalid_base64", reason: "invalid base64" };
const MALFORMED = { code: "malformed", reason: "malformed authentication response" };

/** One text, with MECH before SPID: that order is how Postfix and Exim tell this socket from auth-master. */
function greeting(options: ServerOptions, connectionId: number): string {
  const replies: readonly ServerReply[] = [
    { kind: "VERSION", major: PROTOCOL_MAJOR, minor: PROTOCOL_MINOR },
    ...mechanismReplies(options.mechanisms),
    ...retentionReplies(options.retention),
    { kind: "SPID", pid: options.pid },
    { kind: "CUID", connectionId },
    { kind: "COOKIE", cookie: Buffer.from(options.randomBytes(16)).toString("hex") },
    DONE,
  ];
  return replies.map(formatServerReply).join("");
}

function mechanismReplies(mechanisms: ReadonlyMap<string, Mechanism>): ServerReply[] {
  return Array.from(mechanisms, ([name, { parameters }]) => ({ kind: "MECH", name, parameters }));
}

function retentionReplies(retention: Retention | undefined): ServerReply[] {
  return retention === undefined ? [] : [{ kind: "EXPIRE", retention }];
}

function ask(request: OpenRequest, data: Uint8Array): Outcome {
  request.awaitsResponse = true;
  return { kind: "CONT", id: request.id, data: encodeBase64(data) };
}

interface Identities {
  readonly authorizationIdentity: string;
  readonly authenticationIdentity: string;
}

/** @returns why these credentials need no look at the password */
function checkIdentities(
  id: number,
  { authorizationIdentity, authenticationIdentity: user }: Identities,
): Outcome {
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
      return { kind: "OK", id, fields: new Map([["user", verdict.user], ...(verdict.fields?.() ?? [])]) };
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
