// One client's commands, one at a time: reads lines, hands each to the session, gathers the replies. Reading stops
// while a command works or the output is full, so a session's memory is bounded. Used by login and mailbox processes.
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { whenDrained } from "../host/when-drained.ts";
import type { Line, LineReader } from "../pop3/line-reader.ts";
import { holdReading, readOn } from "./descriptor-of.ts";
import { endAsAsked, endGently } from "./end-gently.ts";
import { OutputBuffer } from "./output-buffer.ts";

export interface ConnectionHandler {
  /** Acts on one line. A returned promise means that the command still works: no other line is handed out. */
  onLine(line: Line): Promise<void> | undefined;
  /** A reply that is on its way; messages are not told. */
  onReply?(text: string): void;
  /** The client does not take what it is sent (`isFull`), or has begun to take it again. */
  onOutput?(isFull: boolean): void;
  /** The connection is over, whoever ended it; called once. */
  onClose(error: Error | undefined): void;
  /** A fault inside `onLine`. The connection is destroyed afterwards. */
  onFault(error: unknown): void;
}

export class Connection {
  readonly output: OutputBuffer;
  readonly #socket: Duplex;
  readonly #reader: LineReader;
  readonly #handler: ConnectionHandler;
  #working = false;
  #running = false;
  #ended = false;
  #detached = false;
  #inputEnded: boolean;
  #error: Error | undefined;

  constructor(socket: Duplex, reader: LineReader, handler: ConnectionHandler) {
    this.#socket = socket;
    this.#reader = reader;
    this.#handler = handler;
    this.output = new OutputBuffer(socket);
    // The socket's previous owner may have seen the end already.
    this.#inputEnded = socket.readableEnded;
    socket.on("data", this.#onData);
    socket.on("drain", this.#onDrain);
    socket.on("error", this.#onError);
    socket.on("end", this.#onEnd);
    socket.on("close", this.#onClose);
  }

  /** True while a command works: a drain lets it finish. */
  get isWorking(): boolean {
    return this.#working;
  }

  /** True when the client does not take what it asked for. */
  get isOutputFull(): boolean {
    return this.#socket.writableNeedDrain;
  }

  /** Takes octets that were read before this object came to be, and begins. */
  start(read: Uint8Array): void {
    if (read.length > 0) this.#reader.push(read);
    this.#run();
  }

  /** Adds a reply; it leaves when the commands at hand are done. */
  reply(text: string): void {
    this.#handler.onReply?.(text);
    this.output.text(text);
  }

  /** Tells of a reply that was written to `output` directly. */
  told(text: string): void {
    this.#handler.onReply?.(text);
  }

  /** Writes what is gathered and waits until the client has taken enough of it. False when it is gone. */
  async flush(): Promise<boolean> {
    this.output.flush();
    while (this.#socket.writableNeedDrain && !this.#socket.destroyed) {
      this.#handler.onOutput?.(true);
      await whenDrained(this.#socket);
    }
    return !this.#socket.destroyed;
  }

  /** Says a last thing and closes; lines not yet handled are dropped. */
  end(text: string): void {
    if (this.#saysLast(text)) endGently(this.#socket);
  }

  /** As `end`, to a client that has asked for it. */
  endAsAsked(text: string): void {
    if (this.#saysLast(text)) endAsAsked(this.#socket, this.#reader.hasOctets);
  }

  #saysLast(text: string): boolean {
    if (this.#ended) return false;
    this.#ended = true;
    if (text !== "") this.#handler.onReply?.(text);
    this.output.text(text);
    this.output.flush();
    return true;
  }

  /** Closes at once and says nothing more. */
  destroy(): void {
    this.#ended = true;
    this.#socket.destroy();
  }

  /** The octets read and not yet handled; while a command works, they can be given back with `unread`. */
  takeRest(): Uint8Array {
    return this.#reader.takeRest();
  }

  unread(octets: Uint8Array): void {
    if (octets.length > 0) this.#reader.push(octets);
  }

  /** Forgets everything that was read, also what the socket has not handed over yet. For a command that works. */
  dropInput(): void {
    this.#reader.clear();
    this.#readAll();
  }

  /**
   * Reads no more, so that the next octet stays in the kernel for another process, and gives what was read and not yet handled.
   * For a command that works; `unread` and `readOn` take it back.
   */
  holdInput(): Uint8Array {
    const read = Buffer.concat([this.#reader.takeRest(), ...this.#readAll()]);
    holdReading(this.#socket as Socket);
    return read;
  }

  readOn(): void {
    readOn(this.#socket as Socket);
  }

  /** What the socket has not handed over yet. */
  #readAll(): readonly Buffer[] {
    const chunks: Buffer[] = [];
    this.#socket.off("data", this.#onData);
    for (let chunk = this.#socket.read(); chunk !== null; chunk = this.#socket.read()) chunks.push(chunk);
    this.#socket.on("data", this.#onData);
    this.#socket.pause();
    return chunks;
  }

  /** Resolves once the kernel has everything that was written before, or the client is gone. */
  written(): Promise<void> {
    this.output.flush();
    return new Promise((resolve) => {
      this.#socket.once("close", resolve);
      this.#socket.write("", () => {
        this.#socket.off("close", resolve);
        resolve();
      });
    });
  }

  /** Lets go of the socket, which is left paused and without listeners, for its next owner. */
  detach(): void {
    this.output.flush();
    this.#detached = true;
    this.#socket.off("data", this.#onData);
    this.#socket.off("drain", this.#onDrain);
    this.#socket.off("error", this.#onError);
    this.#socket.off("end", this.#onEnd);
    this.#socket.off("close", this.#onClose);
    this.#socket.pause();
  }

  readonly #onData = (chunk: Uint8Array): void => {
    if (this.#ended) return;
    this.#reader.push(chunk);
    this.#run();
  };

  readonly #onDrain = (): void => {
    this.#handler.onOutput?.(false);
    this.#run();
  };

  readonly #onError = (error: Error): void => {
    this.#error = error;
  };

  // The client sends no more. It may still read (half-closed): what it asked for is answered, then we close too.
  readonly #onEnd = (): void => {
    this.#inputEnded = true;
    this.#run();
  };

  readonly #onClose = (): void => {
    this.#ended = true;
    this.#handler.onClose(this.#error);
  };

  #run(): void {
    if (this.#running || this.#working || this.#detached) return;
    this.#running = true;
    const beginMs = performance.now();
    while (!this.#working && !this.#ended && !this.#detached && !this.#socket.writableNeedDrain) {
      const line = this.#reader.next();
      if (line === undefined) break;
      this.#handle(line);
      if (this.output.length > FLUSH_OCTETS) this.output.flush();
      if (performance.now() - beginMs > TURN_MS && this.#reader.hasOctets) {
        this.#yield();
        break;
      }
    }
    this.#running = false;
    if (this.#detached) return;
    // Replies to pipelined commands wait for the command under way only as long as there are more lines to come.
    if (!this.#working || !this.#reader.hasOctets) this.output.flush();
    if (this.#ended) return;
    if (this.#socket.writableNeedDrain) this.#handler.onOutput?.(true);
    if (this.#working || this.#socket.writableNeedDrain) this.#socket.pause();
    else if (this.#inputEnded) this.end("");
    else this.#socket.resume();
  }

  /** Others are served before this client's next command. */
  #yield(): void {
    if (this.#working) return;
    this.#working = true;
    setImmediate(() => {
      this.#working = false;
      this.#run();
    });
  }

  #handle(line: Line): void {
    let work: Promise<void> | undefined;
    try {
      work = this.#handler.onLine(line);
    } catch (error) {
      this.#fault(error);
      return;
    }
    if (work === undefined) return;
    this.#working = true;
    work.then(
      () => {
        this.#working = false;
        this.#run();
      },
      (error: unknown) => {
        this.#working = false;
        this.#fault(error);
      },
    );
  }

  #fault(error: unknown): void {
    this.#handler.onFault(error);
    this.destroy();
  }
}

/** How long one client's pipelined commands may keep the process, ms. */
const TURN_MS = 10;

/** Gathered replies leave at this length even while more commands wait. */
const FLUSH_OCTETS = 64 * 1024;
