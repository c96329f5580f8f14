// The channel between master and one of its children: JSON lines on a socket pair. Either end only ever gets messages or
// learns that the other one is broken. Node's own channel is none for a child that may have been taken over: it parses
// whatever comes, without a limit, throws into the parent, and has commands of its own. Runs in master and in every child.
import type { Socket } from "node:net";
import { whenDrained } from "../../host/when-drained.ts";

export interface ChannelEvents {
  /** Any JSON value: whether it is one of ours is still to be checked. */
  onMessage(message: unknown): void;
  /** What came is no message, or the other end reads nothing. Nothing follows but `onClose`. */
  onBroken(reason: string): void;
  onClose(): void;
}

/** Longer than any message: those with a host's certificates are the longest. */
export const MAX_MESSAGE_OCTETS = 1_048_576;

/** Messages that wait for an end that does not read. */
const MAX_WAITING_OCTETS = 4 * MAX_MESSAGE_OCTETS;

export class Channel {
  readonly #socket: Socket;
  readonly #events: ChannelEvents;
  #rest: Buffer = Buffer.alloc(0);
  #isBroken = false;

  constructor(socket: Socket, events: ChannelEvents) {
    this.#socket = socket;
    this.#events = events;
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.on("close", () => events.onClose());
    // "close" follows.
    socket.on("error", () => {});
  }

  get isOpen(): boolean {
    return !this.#isBroken && this.#socket.writable;
  }

  /** Much waits to be read: what need not be said is left out, since one who sends too much is taken for broken. */
  get isBusy(): boolean {
    return this.#socket.writableLength > MAX_MESSAGE_OCTETS;
  }

  /** For what has to be said: resolves when the channel is not busy, or closed. */
  async whenRead(): Promise<void> {
    while (this.isOpen && this.isBusy) {
      await whenDrained(this.#socket);
    }
  }

  send(message: object): void {
    if (!this.isOpen) return;
    this.#socket.write(`${JSON.stringify(message)}\n`);
    if (this.#socket.writableLength > MAX_WAITING_OCTETS) this.#break("does not read its messages");
  }

  #receive(chunk: Buffer): void {
    if (this.#isBroken) return;
    const octets = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let start = 0;
    for (let end = octets.indexOf(LF); end !== -1 && !this.#isBroken; end = octets.indexOf(LF, start)) {
      const line = octets.subarray(start, end);
      start = end + 1;
      const message = line.length > MAX_MESSAGE_OCTETS ? undefined : parse(line);
      if (message === undefined) {
        this.#break("sent what is no message");
        return;
      }
      this.#events.onMessage(message.value);
    }
    this.#rest = octets.subarray(start);
    if (this.#rest.length > MAX_MESSAGE_OCTETS) this.#break("sent a message without an end");
  }

  #break(reason: string): void {
    this.#isBroken = true;
    this.#rest = Buffer.alloc(0);
    this.#socket.destroy();
    this.#events.onBroken(reason);
  }
}

const LF = 10;

function parse(line: Buffer): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(line.toString("utf8")) };
  } catch {
    return undefined;
  }
}
