// Clients whose own connections login processes pass on, on the mailbox process's side: pairs up each link's two
// connections. What comes by them is for the link.
import type * as net from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { OpenSet } from "../../host/open-set.ts";
import { holdReading } from "../../net/descriptor-of.ts";
import { LoginLink, type LoginLinkOptions } from "./login-link.ts";

type Half = "link" | "descriptors";

export class PassedClients {
  readonly #options: Omit<LoginLinkOptions, "onShownAll">;
  /** Connections of a link whose other one has not come yet. */
  readonly #halves = new Map<string, { readonly kind: Half; readonly socket: net.Socket }>();
  /** Links that may show a ticket yet. */
  readonly #showing = new OpenSet<LoginLink>();

  constructor(options: Omit<LoginLinkOptions, "onShownAll">) {
    this.#options = options;
  }

  /**
   * A connection, paused, has said what it is.
   *
   * @param name of the link that it belongs to
   * @param read octets behind that
   */
  join(kind: Half, name: string, socket: net.Socket, read: Uint8Array): void {
    // Node's reading would lose descriptors: none is sent before the link says that it is ready.
    if (kind === "descriptors") holdReading(socket);
    const half = this.#halves.get(name);
    if (read.length > 0 || half?.kind === kind) {
      this.#options.log.error("malformed opening of a link");
      socket.destroy();
      return;
    }
    if (half !== undefined) {
      this.#halves.delete(name);
      this.#open(kind === "link" ? [socket, half.socket] : [half.socket, socket]);
      return;
    }
    this.#halves.set(name, { kind, socket });
    const timer = setTimeout(() => {
      if (this.#halves.get(name)?.socket === socket) socket.destroy();
    }, HALF_MS);
    socket.once("close", () => {
      clearTimeout(timer);
      if (this.#halves.get(name)?.socket === socket) this.#halves.delete(name);
    });
  }

  #open([frames, descriptors]: readonly [net.Socket, net.Socket]): void {
    const link = new LoginLink(frames, descriptors, {
      ...this.#options,
      onShownAll: () => this.#showing.delete(link),
    });
    this.#showing.add(link);
  }

  /** Resolves when no login process can show a ticket by a link any more. Who is served goes on. */
  async retire(patienceMs: number): Promise<void> {
    for (const { socket } of this.#halves.values()) socket.destroy();
    for (const link of this.#showing) link.retire();
    await Promise.race([this.#showing.whenEmpty(), delay(patienceMs)]);
    for (const link of this.#showing) link.stopReading();
  }
}

/** Both connections of a link are opened at once. */
const HALF_MS = 5_000;
