// One login process's link in a mailbox process: takes each client's descriptor with its ticket, serves those that are
// admitted, and tells when they are gone. Clients who are served outlive the link.
import { closeSync } from "node:fs";
import * as net from "node:net";
import { receiveDescriptor } from "../../host/descriptors.ts";
import { writeTogether } from "../../host/write-together.ts";
import type { Log } from "../../log/log.ts";
import { descriptorOf, holdReading } from "../../net/descriptor-of.ts";
import { err } from "../../pop3/reply.ts";
import { english } from "../../pop3/texts/english.ts";
import { formatAnswer, type LinkAnswer, type PassFrame, PassFrameReader } from "../link-frames.ts";
import { parsePresented } from "../presented-ticket.ts";
import type { Admission, MailboxService } from "./mailbox-service.ts";

export interface LoginLinkOptions {
  readonly service: Pick<MailboxService, "admit" | "serve">;
  /** Runs what a ticket asks for, which master is told of. */
  present(serve: () => Promise<void>): Promise<void>;
  /** The login process no longer counts this client, who is still served. @returns called when that one is gone, too */
  onOrphaned(address: string): () => void;
  /** No ticket comes by this link any more; called once. */
  onShownAll(): void;
  readonly log: Log;
}

/** A client on its way to its session, or in it. */
interface Passed {
  /** Undefined while its maildrop is being opened. */
  served: { readonly socket: net.Socket; readonly address: string } | undefined;
  isWithdrawn: boolean;
  onGone: (() => void) | undefined;
}

export class LoginLink {
  readonly #frames: net.Socket;
  readonly #descriptors: net.Socket;
  readonly #options: LoginLinkOptions;
  readonly #reader = new PassFrameReader();
  readonly #passed = new Map<number, Passed>();
  #isRetiring = false;
  #hasShownAll = false;

  constructor(frames: net.Socket, descriptors: net.Socket, options: LoginLinkOptions) {
    this.#frames = frames;
    this.#descriptors = descriptors;
    this.#options = options;
    frames.on("data", this.#onData);
    frames.on("end", () => {
      // One that was told to send nothing more still hears who is gone.
      if (!this.#isRetiring) frames.destroy();
      this.#shownAll();
    });
    frames.on("close", () => this.#onClose());
    frames.resume();
    this.#answer({ kind: "ready" });
  }

  /** Another process takes over: what is under way is answered, and nothing new is taken once the other side knows. */
  retire(): void {
    this.#isRetiring = true;
    this.#answer({ kind: "retiring" });
  }

  stopReading(): void {
    this.#frames.off("data", this.#onData);
    holdReading(this.#frames);
    this.#shownAll();
  }

  readonly #onData = (chunk: Buffer): void => {
    const frames = this.#reader.push(chunk);
    for (const frame of frames ?? []) {
      if (this.#frames.destroyed) return;
      if (frame.kind === "withdraw") this.#withdraw(frame.number);
      else this.#take(frame);
    }
    if (frames === undefined) this.#break("malformed frame from a login process");
  };

  /** Before the ticket is looked at: it is still good for another way when no descriptor can be had. */
  #take({ number, presented, read }: Extract<PassFrame, { kind: "pass" }>): void {
    const received = receiveDescriptor(descriptorOf(this.#descriptors) ?? -1);
    const shown = parsePresented(presented);
    if (shown === undefined || received?.number !== number || this.#passed.has(number)) {
      if (received?.fd !== undefined) closeSync(received.fd);
      this.#break("a login process passed no client with its ticket");
      return;
    }
    const { fd } = received;
    if (fd === undefined) {
      this.#options.log.warn("cannot take a client's connection: too many open files, it is relayed");
      this.#answer({ kind: "unpassed", number });
      return;
    }
    const passed: Passed = { served: undefined, isWithdrawn: false, onGone: undefined };
    this.#passed.set(number, passed);
    void this.#options.present(async () => {
      let admission: Admission;
      try {
        admission = await this.#options.service.admit(shown.sealed, shown.choices);
      } catch (error) {
        this.#options.log.error({ err: error }, "cannot admit session");
        admission = { kind: "refused", reply: err(english.maildropUnavailable, "SYS/TEMP") };
      }
      this.#decide(number, passed, fd, read, admission);
    });
  }

  #decide(number: number, passed: Passed, fd: number, read: Uint8Array, admission: Admission): void {
    if (admission.kind === "refused" || passed.isWithdrawn) {
      closeSync(fd);
      if (admission.kind === "admitted") admission.maildrop.close();
      this.#passed.delete(number);
      if (admission.kind === "refused") this.#answer({ ...admission, number });
      return;
    }
    const socket = connectionOf(fd);
    if (socket === undefined) {
      admission.maildrop.close();
      this.#passed.delete(number);
      this.#answer({ kind: "refused", number, reply: err(english.maildropUnavailable, "SYS/TEMP") });
      return;
    }
    passed.served = { socket, address: admission.ticket.address };
    socket.once("close", () => {
      this.#passed.delete(number);
      passed.onGone?.();
      this.#answer({ kind: "over", number });
    });
    this.#answer({ kind: "taken", number });
    this.#options.service.serve(socket, read, admission, { isRelayed: false });
  }

  #withdraw(number: number): void {
    const passed = this.#passed.get(number);
    if (passed === undefined) return;
    passed.isWithdrawn = true;
    passed.served?.socket.destroy();
  }

  #answer(answer: LinkAnswer): void {
    writeTogether(this.#frames, formatAnswer(answer), "latin1");
    // It was taken over, or hangs and will be ended.
    if (this.#frames.writableLength > MAX_WAITING_OCTETS)
      this.#break("a login process does not read its answers");
  }

  #break(message: string): void {
    if (!this.#frames.destroyed) this.#options.log.error(message);
    this.#frames.destroy();
  }

  #onClose(): void {
    this.#descriptors.destroy();
    this.#shownAll();
    for (const passed of this.#passed.values()) {
      if (passed.served === undefined) passed.isWithdrawn = true;
      else passed.onGone = this.#options.onOrphaned(passed.served.address);
    }
  }

  #shownAll(): void {
    if (this.#hasShownAll) return;
    this.#hasShownAll = true;
    this.#options.onShownAll();
  }
}

/** Undefined where it is no client's connection, or one that has broken: then it is closed. */
function connectionOf(fd: number): net.Socket | undefined {
  let socket: net.Socket;
  try {
    socket = new net.Socket({ fd, allowHalfOpen: true });
  } catch {
    closeSync(fd);
    return undefined;
  }
  if (socket.remoteAddress !== undefined) return socket;
  socket.on("error", () => {
    // It may be whatever a login process that was taken over has passed.
  });
  socket.destroy();
  return undefined;
}

/** Some ten thousand answers. */
const MAX_WAITING_OCTETS = 262_144;
