// Writes what one turn of the event loop has for a connection together: the requests of all clients that said PASS at that
// moment, and their answers. Each write(2) wakes the process at the other end. Used by both ends of the auth protocol.
import type { Socket } from "node:net";

export class GatheredWrites {
  readonly socket: Socket;
  readonly #onFull: () => void;
  #text = "";

  /** @param onFull told when the other end does not read what it is sent */
  constructor(socket: Socket, onFull: () => void = () => {}) {
    this.socket = socket;
    this.#onFull = onFull;
  }

  write(text: string): void {
    if (this.#text === "") setImmediate(() => this.flush());
    this.#text += text;
  }

  /** At once, such as before the end of the connection. */
  flush(): void {
    const text = this.#text;
    this.#text = "";
    if (text !== "" && !this.socket.destroyed && !this.socket.write(text)) this.#onFull();
  }
}
