// The other end of a socket, spoken octet for octet; and a folder for sockets.
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export class Peer {
  readonly socket: Socket;
  #text = "";
  #isClosed = false;
  #wake = () => {};

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding("utf8");
    socket.on("data", (chunk: string) => {
      this.#text += chunk;
      this.#wake();
    });
    // A reset is as good as an end here.
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#isClosed = true;
      this.#wake();
    });
  }

  send(text: string | Uint8Array): void {
    this.socket.write(text);
  }

  /** Each octet goes out alone: the next one is written when the last has left. */
  async sendByteByByte(text: string): Promise<void> {
    for (const octet of Buffer.from(text)) {
      await new Promise((resolve) => this.socket.write(Uint8Array.of(octet), resolve));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Takes everything up to the first `end`, which must come. */
  async receive(end = "\n"): Promise<string> {
    while (!this.#text.includes(end)) {
      if (this.#isClosed)
        throw new Error(`closed before ${JSON.stringify(end)}: ${JSON.stringify(this.#text)}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const length = this.#text.indexOf(end) + end.length;
    const received = this.#text.slice(0, length);
    this.#text = this.#text.slice(length);
    return received;
  }

  /** Waits for the other side to close, and gives what it said before. */
  async receiveAll(): Promise<string> {
    while (!this.#isClosed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#text;
  }
}

/** A new folder, a place for one socket in it, and what was opened there: all is gone after `close`. */
export class SocketFolder {
  readonly path: string;
  readonly #folder: string;
  readonly #opened = new Set<{ destroy(): void }>();
  #server: Server | undefined;

  static async make(): Promise<SocketFolder> {
    return new SocketFolder(await mkdtemp(join(tmpdir(), "dewey-auth-")));
  }

  private constructor(folder: string) {
    this.#folder = folder;
    this.path = join(folder, "auth");
  }

  async listen(accept: (socket: Socket) => void): Promise<void> {
    const server = createServer((socket) => {
      this.#opened.add(socket);
      accept(socket);
    });
    this.#server = server;
    server.listen(this.path);
    await once(server, "listening");
  }

  /** As when the process that listens makes room for another one: its connections stay. */
  stopListening(): void {
    this.#server?.close();
    this.#server = undefined;
  }

  /** As when the process that listens dies: nobody answers at the path, and its connections end. */
  async kill(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    server.close();
    for (const socket of this.#opened) socket.destroy();
    if (server.listening) await once(server, "close");
  }

  async connect(): Promise<Peer> {
    const socket = connect({ path: this.path });
    this.#opened.add(socket);
    const peer = new Peer(socket);
    await once(socket, "connect");
    return peer;
  }

  async close(): Promise<void> {
    await this.kill();
    for (const socket of this.#opened) socket.destroy();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
