// A login process's lasting connections to mailbox processes, by which it passes on clients themselves: each link is a
// pair, one for frames and answers, one for the clients' descriptors, which Node must not read. Opened when first needed.
import { randomBytes } from "node:crypto";
import * as net from "node:net";
import { sendDescriptor } from "../../host/descriptors.ts";
import { writeTogether } from "../../host/write-together.ts";
import type { Log } from "../../log/log.ts";
import type { Connection } from "../../net/connection.ts";
import { descriptorOf } from "../../net/descriptor-of.ts";
import {
  type LinkAnswer,
  LinkAnswerReader,
  MAX_READ_OCTETS,
  passFrame,
  withdrawFrame,
} from "../link-frames.ts";
import { mailboxSocket } from "../placement.ts";

export type PassResult =
  | { readonly kind: "taken" }
  /** `reply` undefined: the mailbox process is gone. The client goes on here. */
  | { readonly kind: "refused"; readonly reply: string | undefined }
  /** It could not be passed, and its ticket has not been shown: another way may be tried. */
  | { readonly kind: "unpassed" };

export interface PassedClient {
  readonly socket: net.Socket;
  readonly connection: Connection;
  /** As presentTicket() makes it. */
  readonly presented: string;
  /** Served elsewhere from now on; the connection is closed here. */
  onTaken(): void;
  /** Called once, after `onTaken`. */
  onOver(): void;
}

export class MailboxLinks {
  readonly #runtimeDir: string;
  readonly #log: Log;
  readonly #links = new Map<string, MailboxLink>();

  constructor(runtimeDir: string, log: Log) {
    this.#runtimeDir = runtimeDir;
    this.#log = log;
  }

  /** @param place the mailbox process that accepts the client's ticket */
  async pass(client: PassedClient, place: string): Promise<PassResult> {
    return await this.#linkTo(place).pass(client);
  }

  #linkTo(place: string): MailboxLink {
    const present = this.#links.get(place);
    if (present?.isOpen) return present;
    const link = new MailboxLink(mailboxSocket(this.#runtimeDir, place), this.#log, () => {
      if (this.#links.get(place) === link) this.#links.delete(place);
    });
    this.#links.set(place, link);
    return link;
  }
}

interface Waiting {
  readonly client: PassedClient;
  readonly read: Uint8Array;
  settle(result: PassResult): void;
}

class MailboxLink {
  readonly #log: Log;
  readonly #frames: net.Socket;
  readonly #descriptors: net.Socket;
  readonly #reader = new LinkAnswerReader();
  /** Whether the mailbox process takes descriptors. */
  readonly #ready: Promise<boolean>;
  #settleReady: (isReady: boolean) => void = () => {};
  /** Shown, and not answered yet. */
  readonly #waiting = new Map<number, Waiting>();
  /** Served by the mailbox process. */
  readonly #passed = new Map<number, PassedClient>();
  #lastNumber = 0;
  #isOpen = true;

  constructor(path: string, log: Log, onClose: () => void) {
    this.#log = log;
    this.#ready = new Promise((resolve) => {
      this.#settleReady = resolve;
    });
    const name = randomBytes(16).toString("hex");
    this.#frames = net.connect({ path });
    this.#descriptors = net.connect({ path });
    this.#frames.write(`link ${name}\n`);
    this.#descriptors.write(`descriptors ${name}\n`);
    this.#frames.on("data", (chunk: Buffer) => this.#onData(chunk));
    for (const [socket, other] of [
      [this.#frames, this.#descriptors],
      [this.#descriptors, this.#frames],
    ] as const) {
      // "close" follows.
      socket.on("error", () => {});
      socket.on("close", () => other.destroy());
    }
    const timer = setTimeout(() => this.#frames.destroy(), READY_MS);
    void this.#ready.then(() => clearTimeout(timer));
    this.#frames.on("close", () => {
      this.#isOpen = false;
      this.#settleReady(false);
      onClose();
      this.#onClose();
    });
  }

  /** Whether clients can be passed by it, now or when it is ready. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  async pass(client: PassedClient): Promise<PassResult> {
    const { socket, connection } = client;
    if (!(await this.#ready)) return { kind: "unpassed" };
    // What it has been told has to be with the kernel: nothing is written by two.
    connection.output.flush();
    if (socket.writableLength > 0) await connection.written();
    if (socket.destroyed) return { kind: "refused", reply: undefined };
    const [fd, channel] = [descriptorOf(socket), descriptorOf(this.#descriptors)];
    if (!this.#isOpen || fd === undefined || channel === undefined) return { kind: "unpassed" };
    const read = connection.holdInput();
    this.#lastNumber = (this.#lastNumber + 1) >>> 0;
    const number = this.#lastNumber;
    if (read.length > MAX_READ_OCTETS || !sendDescriptor(channel, fd, number)) {
      takeBack(client, read);
      return { kind: "unpassed" };
    }
    writeTogether(this.#frames, passFrame(number, client.presented, read));
    return await new Promise((settle) => {
      this.#waiting.set(number, { client, read, settle });
      // One that is ended here meanwhile is not to be served there.
      socket.once("close", () => {
        if (!this.#waiting.delete(number)) return;
        writeTogether(this.#frames, withdrawFrame(number));
        settle({ kind: "refused", reply: undefined });
      });
    });
  }

  #onData(chunk: Buffer): void {
    const answers = this.#reader.push(chunk);
    if (answers === undefined) {
      this.#log.error("malformed answer from a mailbox process");
      this.#frames.destroy();
      return;
    }
    for (const answer of answers) this.#onAnswer(answer);
  }

  #onAnswer(answer: LinkAnswer): void {
    switch (answer.kind) {
      case "ready":
        this.#settleReady(true);
        return;
      case "retiring":
        // What was sent before this end is still answered, and the next client's link leads to the successor.
        this.#isOpen = false;
        this.#frames.end();
        return;
      case "over":
        this.#passed.get(answer.number)?.onOver();
        this.#passed.delete(answer.number);
        return;
      case "taken":
      case "unpassed":
      case "refused":
        this.#onDecision(answer);
        return;
      default:
        answer satisfies never;
    }
  }

  #onDecision(answer: Extract<LinkAnswer, { kind: "taken" | "unpassed" | "refused" }>): void {
    const waiting = this.#waiting.get(answer.number);
    // It was withdrawn.
    if (waiting === undefined) return;
    this.#waiting.delete(answer.number);
    const { client, read, settle } = waiting;
    if (answer.kind === "taken") {
      this.#passed.set(answer.number, client);
      client.connection.detach();
      client.onTaken();
      client.socket.destroy();
    } else takeBack(client, read);
    settle(answer);
  }

  /** Whoever it served is served no more; whoever waited stays here. */
  #onClose(): void {
    for (const { onOver } of this.#passed.values()) onOver();
    this.#passed.clear();
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { client, read, settle } of waiting) {
      takeBack(client, read);
      settle({ kind: "refused", reply: undefined });
    }
  }
}

function takeBack({ connection }: PassedClient, read: Uint8Array): void {
  connection.unread(read);
  connection.readOn();
}

/** A mailbox process answers at once, but for the moment in which a successor takes over. */
const READY_MS = 10_000;
