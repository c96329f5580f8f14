// A dialogue's client over a real socket.
import { once } from "node:events";
import type { Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { english } from "../../src/pop3/texts/english.ts";
import { german } from "../../src/pop3/texts/german.ts";

/** In the languages of the dialogues. */
const LOGGED_IN = new Set([english, german].map(({ passAccepted }) => `+OK ${passAccepted}`));

export class SocketWire {
  /** True once the server has accepted a password on this connection. */
  isLoggedIn = false;
  #socket: Socket;
  readonly #closed: Promise<void>;
  #received = "";
  #isClosed = false;
  #wake: () => void = () => {};

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on("data", this.#onData);
    socket.on("error", () => this.#wake());
    this.#closed = new Promise((resolve) => {
      socket.on("close", () => {
        this.#isClosed = true;
        this.#wake();
        resolve();
      });
    });
  }

  readonly #onData = (octets: Buffer): void => {
    this.#received += octets.toString("latin1");
    this.#wake();
  };

  async secure(authority: string): Promise<void> {
    this.#socket.off("data", this.#onData);
    const plain = this.#socket;
    const secured = connectTls({ socket: plain, ca: authority, servername: "pop.example.org" });
    await once(secured, "secureConnect");
    secured.on("error", () => this.#wake());
    secured.on("data", this.#onData);
    this.#socket = secured;
  }

  send(octets: string): void {
    this.#socket.write(octets, "latin1");
  }

  async line(): Promise<string | undefined> {
    for (;;) {
      const end = this.#received.indexOf("\r\n");
      if (end !== -1) {
        const line = this.#received.slice(0, end);
        this.#received = this.#received.slice(end + 2);
        if (LOGGED_IN.has(line)) this.isLoggedIn = true;
        return line;
      }
      if (this.#isClosed) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  close(): Promise<void> {
    this.#socket.destroy();
    return this.#closed;
  }
}
