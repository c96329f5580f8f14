// Answers nginx's mail proxy on a UNIX socket or a loopback address. Runs in the auth process; what the answers are is the
// caller's. Node's own HTTP server reads the requests: they come from nginx, which has escaped what a stranger sent.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { OpenSet } from "../host/open-set.ts";
import {
  type AuthHttpReply,
  authHttpHeaders,
  MAX_REPLY_OCTETS,
  type ParsedAuthHttp,
  parseAuthHttp,
} from "./auth-http.ts";

export interface AuthHttpServerOptions {
  /** @param isAwaited false once nobody waits for the answer any more */
  answer(
    asked: Exclude<ParsedAuthHttp, { kind: "malformed" }>,
    isAwaited: () => boolean,
  ): Promise<AuthHttpReply>;
  onEvent(event: AuthHttpEvent): void;
}

export type AuthHttpEvent =
  /** Whoever is there is not nginx's mail proxy, or not set up as one for POP3. */
  | { readonly kind: "malformed"; readonly reason: string }
  | { readonly kind: "crowded" }
  /** `answer` rejected; nginx told its client of an internal error. */
  | { readonly kind: "fault"; readonly error: unknown };

export class AuthHttpServer {
  readonly #options: AuthHttpServerOptions;
  readonly #connections = new OpenSet<Socket>();
  readonly #http = createServer((request, response) => void this.#respond(request, response));

  constructor(options: AuthHttpServerOptions) {
    this.#options = options;
    this.#http.on("clientError", (error: NodeJS.ErrnoException, socket) => {
      socket.destroy();
      if (error.code !== "ECONNRESET")
        this.#options.onEvent({ kind: "malformed", reason: error.code ?? error.message });
    });
  }

  /** Takes over an accepted connection. */
  serve(socket: Socket): void {
    if (this.#connections.size >= MAX_CONNECTIONS) {
      this.#options.onEvent({ kind: "crowded" });
      socket.destroy();
      return;
    }
    this.#connections.add(socket);
    socket.once("close", () => this.#connections.delete(socket));
    // An answer may be held back for a while; nginx itself gives up sooner.
    socket.setTimeout(IDLE_MS, () => socket.destroy());
    this.#http.emit("connection", socket);
  }

  /** Resolves when nobody is connected any more: each connection is for one request. */
  whenIdle(): Promise<void> {
    return this.#connections.whenEmpty();
  }

  /** Drops every connection: nginx tells its clients of an internal error. */
  close(): void {
    for (const socket of this.#connections) socket.destroy();
  }

  async #respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.sendDate = false;
    response.shouldKeepAlive = false;
    const asked = parseAuthHttp(request.rawHeaders);
    if (asked.kind === "malformed") {
      this.#options.onEvent(asked);
      response.writeHead(400).end();
      return;
    }
    try {
      const reply = authHttpHeaders(await this.#options.answer(asked, () => !response.destroyed));
      const octets = Object.entries(reply).join("\r\n").length;
      if (octets > MAX_REPLY_OCTETS - STATUS_OCTETS) throw new Error(`an answer of ${octets} octets`);
      response.writeHead(200, reply).end();
    } catch (error) {
      this.#options.onEvent({ kind: "fault", error });
      response.writeHead(500).end();
    } finally {
      if (asked.kind === "request") asked.request.password.fill(0);
    }
  }
}

/** Each is a client of nginx that waits for its verdict, as many as one login process may have waiting. */
const MAX_CONNECTIONS = 1_000;
const IDLE_MS = 120_000;
/** Status line, Connection and Content-Length. */
const STATUS_OCTETS = 120;
