// Octets from the mailbox process to the client and back, after login, where TLS ends here or a connection could not be
// passed on. This is where such a session spends its CPU, so the way to the client reads into a reused buffer and allocates
// nothing. Runs in the login process.
import * as net from "node:net";
import { endGently } from "./end-gently.ts";
import { type StallLimits, StallWatch } from "./stall-watch.ts";

// An idle session holds the small buffer; one that a message flows through borrows a large one.
const SMALL_BYTES = 4 * 1024;
const LARGE_BYTES = 128 * 1024;
const MAX_POOLED = 16;
const STALL_GRACE_MS = 2_000;
const pool: Buffer[] = [];

export interface UpstreamHandler {
  /** Octets that came back before `relay`; true ends this phase: nothing more is read until `relay`. */
  onReply(octets: Buffer): boolean;
  /** The connection ended before `relay` was called. */
  onClose(error: Error | undefined): void;
}

/** A connection to a mailbox process: first a reply to the ticket, then the client's session. */
export class Upstream {
  readonly #handler: UpstreamHandler;
  readonly #socket: net.Socket;
  readonly #small = Buffer.allocUnsafeSlow(SMALL_BYTES);
  #buffer: Buffer = this.#small;
  #client: net.Socket | undefined;
  #watch: StallWatch | undefined;
  #isReplied = false;
  /** The buffer whose octets the client has not taken yet: it must stay as it is, and nothing is read meanwhile. */
  #held: Buffer | undefined;
  #lastBytes = 0;
  #error: Error | undefined;

  constructor(path: string, handler: UpstreamHandler) {
    this.#handler = handler;
    this.#socket = net.connect({
      path,
      allowHalfOpen: true,
      onread: {
        buffer: () => this.#nextBuffer(),
        callback: (bytes, buffer) => this.#onRead((buffer as Buffer).subarray(0, bytes)),
      },
    });
    this.#socket.on("error", (error) => {
      this.#error = error;
    });
    // It has said everything, and takes nothing in any more.
    this.#socket.on("end", () => this.#socket.destroy());
    this.#socket.on("close", () => {
      this.#release();
      if (this.#client === undefined) this.#handler.onClose(this.#error);
      else endGently(this.#client);
    });
  }

  write(octets: Uint8Array): void {
    this.#socket.write(octets);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /**
   * From now on everything goes straight through, and each end's close closes the other.
   *
   * @param client paused and without listeners; its octets that were read already have been written by the caller
   * @param limits for a client that does not take what it is sent: this is the process that sees how much it takes
   * @param onClose called once, when the client's side is closed
   */
  relay(client: net.Socket, limits: () => StallLimits, onClose: () => void): void {
    this.#client = client;
    // The mailbox process sees it wait for as long, so that it knows why the client is gone.
    const withGrace = (): StallLimits => {
      const { stallTimeMs, minOctetsPerSecond } = limits();
      return { stallTimeMs: stallTimeMs + STALL_GRACE_MS, minOctetsPerSecond };
    };
    this.#watch = new StallWatch(client, withGrace, () => client.destroy());
    client.on("data", (chunk: Uint8Array) => {
      if (this.#socket.write(chunk)) return;
      client.pause();
      this.#socket.once("drain", () => client.resume());
    });
    client.on("end", () => this.#end());
    client.on("error", () => {
      // "close" follows and says all that matters here.
    });
    client.on("close", () => {
      this.#socket.destroy();
      onClose();
    });
    if (client.readableEnded) this.#end();
    if (this.#socket.destroyed) client.destroy();
    client.resume();
    this.#socket.resume();
  }

  /** The client sends no more; most often since it was sent away, and this connection is over already. */
  #end(): void {
    if (!this.#socket.destroyed) this.#socket.end();
  }

  #onRead(octets: Buffer): boolean {
    this.#lastBytes = octets.length;
    const client = this.#client;
    if (client === undefined) {
      if (!this.#isReplied) this.#isReplied = this.#handler.onReply(octets);
      // `relay` may have been called just now; otherwise reading stops until it is.
      return this.#client !== undefined || !this.#isReplied;
    }
    if (client.destroyed) return true;
    const buffer = this.#buffer;
    client.write(octets, () => {
      if (this.#held !== buffer) return;
      this.#held = undefined;
      if (buffer !== this.#buffer) recycle(buffer);
      this.#watch?.waits(false);
      if (!this.#socket.destroyed) this.#socket.resume();
    });
    // A write that the kernel took whole leaves nothing behind, and the buffer is free again. TLS holds each one.
    this.#held = client.writableLength > 0 ? buffer : undefined;
    if (this.#held !== undefined) this.#watch?.waits(true);
    return this.#held === undefined;
  }

  /** Asked for after each read: so the size follows what came, whether it is held or not. */
  #nextBuffer(): Buffer {
    const isLarge = this.#buffer !== this.#small;
    if (!isLarge && this.#lastBytes === SMALL_BYTES) {
      this.#buffer = pool.pop() ?? Buffer.allocUnsafeSlow(LARGE_BYTES);
    } else if (isLarge && this.#lastBytes <= SMALL_BYTES) {
      this.#release();
    }
    return this.#buffer;
  }

  #release(): void {
    // A held one is recycled once its write is done, or left to the garbage collector.
    if (this.#buffer !== this.#held) recycle(this.#buffer);
    this.#buffer = this.#small;
  }
}

function recycle(buffer: Buffer): void {
  if (buffer.length === LARGE_BYTES && pool.length < MAX_POOLED) pool.push(buffer);
}
