// The server's end of Dovecot's auth-client protocol. Runs in the auth process, one AuthServer for each listener:
// our own login processes connect to one, Postfix and Exim to others.
import type { Socket } from "node:net";
import { OpenSet } from "../host/open-set.ts";
import type { Retention } from "../pop3/capability.ts";
import type { Mechanism } from "../sasl/mechanism.ts";
import { ServerConnection } from "./server-connection.ts";
import type { AuthServerOptions, ServerOptions } from "./server-options.ts";
import { startTimer } from "./timer.ts";

export class AuthServer {
  readonly #options: ServerOptions;
  readonly #connections = new Map<Socket, ServerConnection>();
  readonly #open = new OpenSet<Socket>();
  #lastConnectionId = 0;

  constructor(options: AuthServerOptions) {
    // 150 s is Dovecot's MASTER_AUTH_SERVER_TIMEOUT_SECS.
    this.#options = { startTimer, requestTimeoutMs: 150_000, maxOpenRequests: () => 1_000, ...options };
  }

  /** Takes over an accepted connection and speaks first: Exim says nothing before it has read DONE. */
  serve(socket: Socket): void {
    socket.once("close", () => {
      this.#connections.delete(socket);
      this.#open.delete(socket);
    });
    this.#open.add(socket);
    this.#connections.set(socket, new ServerConnection(this.#options, socket, ++this.#lastConnectionId));
  }

  /**
   * What clients are offered from now on. Told to those who are connected, too, by MECH lines and DONE once more: only
   * our own client knows how to take them, so never on an MTA's listener, whose clients ask anew soon enough.
   */
  offer(mechanisms: ReadonlyMap<string, Mechanism>, tell: "new-connections" | "all"): void {
    this.#options.mechanisms = mechanisms;
    if (tell === "all") for (const connection of this.#connections.values()) connection.tellMechanisms();
  }

  /** What CAPA says before login, told now and to each new client: only our own knows that line. */
  announce(retention: Retention): void {
    this.#options.retention = retention;
    for (const connection of this.#connections.values()) connection.tellRetention();
  }

  /** What an OK gave leave to remember of this account holds no more; of none, if undefined. For our own clients alone. */
  forget(user: string | undefined): void {
    for (const connection of this.#connections.values()) connection.forget(user);
  }

  /**
   * Another process takes the requests from now on. Our own client is told so ("tell") and closes its connection with its last
   * request; an MTA's is closed as soon as it has none under way ("close"), and connects again.
   */
  retire(how: "tell" | "close"): void {
    for (const connection of this.#connections.values()) connection.retire(how);
  }

  /** Resolves when no client is connected any more. */
  whenIdle(): Promise<void> {
    return this.#open.whenEmpty();
  }

  /** Drops every connection; MTAs and login processes see a temporary failure and connect again. */
  close(): void {
    for (const socket of this.#connections.keys()) socket.destroy();
  }
}
