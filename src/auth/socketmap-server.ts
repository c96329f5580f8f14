// Answers Postfix's socketmap on a UNIX socket. Runs in the auth process; what the maps hold is the caller's.
import type { Socket } from "node:net";
import { OpenSet } from "../host/open-set.ts";
import { whenDrained } from "../host/when-drained.ts";
import { formatNetstring, NetstringSplitter, type SplitNetstring } from "./netstring.ts";
import { formatSocketmapReply, parseSocketmapRequest, type SocketmapReply } from "./socketmap.ts";

export interface SocketmapServerOptions {
  lookup(map: string, key: string): Promise<SocketmapReply>;
  onEvent(event: SocketmapEvent): void;
}

export type SocketmapEvent =
  /** The client broke the protocol and its connection was closed. */
  | { readonly kind: "malformed"; readonly reason: string }
  | { readonly kind: "connection-error"; readonly error: Error }
  /** `lookup` rejected; the client was told of a temporary failure. */
  | { readonly kind: "fault"; readonly error: unknown };

export class SocketmapServer {
  readonly #options: SocketmapServerOptions;
  readonly #connections = new OpenSet<Socket>();
  /** Ends a connection behind the answers that it waits for. */
  readonly #finish = new WeakMap<Socket, () => void>();

  constructor(options: SocketmapServerOptions) {
    this.#options = options;
  }

  /** Takes over an accepted connection, which may be half open: who asks and shuts down still gets the answers. */
  serve(socket: Socket): void {
    this.#connections.add(socket);
    const splitter = new NetstringSplitter();
    // Answers go out in the order of the requests, one at a time; reading waits meanwhile.
    let work = Promise.resolve();
    const finish = (): void => {
      work = work.then(() => void socket.end());
    };
    this.#finish.set(socket, finish);
    socket.on("data", (chunk: Buffer) => {
      const requests = splitter.push(chunk);
      socket.pause();
      work = work.then(() => this.#answerAll(socket, requests)).then(() => void socket.resume());
    });
    socket.on("end", finish);
    socket.on("error", (error) => this.#options.onEvent({ kind: "connection-error", error }));
    socket.on("close", () => this.#connections.delete(socket));
    // Postfix itself closes after 10 s without a question.
    socket.setTimeout(IDLE_MS, () => socket.destroy());
  }

  /** Another process answers from now on: whoever is connected gets the answers to what was asked so far. */
  retire(): void {
    for (const socket of this.#connections) this.#finish.get(socket)?.();
  }

  /** Resolves when nobody is connected any more. */
  whenIdle(): Promise<void> {
    return this.#connections.whenEmpty();
  }

  /** Drops every connection; Postfix connects again, once, and then takes it for a temporary failure. */
  close(): void {
    for (const socket of this.#connections) socket.destroy();
  }

  async #answerAll(socket: Socket, requests: readonly SplitNetstring[]): Promise<void> {
    for (const request of requests) {
      if (socket.destroyed || socket.writableEnded) return;
      if (request.kind === "malformed") {
        this.#options.onEvent(request);
        socket.end(reply({ kind: "PERM", reason: request.reason }));
        return;
      }
      if (!socket.write(reply(await this.#answer(request.octets)))) await whenDrained(socket);
    }
  }

  async #answer(octets: Uint8Array): Promise<SocketmapReply> {
    const request = parseSocketmapRequest(octets);
    if (request.kind === "malformed") return { kind: "PERM", reason: request.reason };
    try {
      return await this.#options.lookup(request.map, request.key);
    } catch (error) {
      this.#options.onEvent({ kind: "fault", error });
      return { kind: "TEMP", reason: "internal fault, see the log of dewey-pop3" };
    }
  }
}

const IDLE_MS = 150_000;

function reply(answer: SocketmapReply): Uint8Array {
  return formatNetstring(formatSocketmapReply(answer));
}
