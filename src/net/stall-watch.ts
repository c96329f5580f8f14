// Notices a client that takes what it is sent too slowly, or not at all: only the time in which octets wait for it counts,
// and only octets that it took. Used where the client's own connection is: by the relay, and by a worker's sessions.
import type { Duplex } from "node:stream";
import { unacknowledgedOctets } from "../host/unacknowledged.ts";

export interface StallLimits {
  /** Over so much time of waiting … */
  readonly stallTimeMs: number;
  /** … it has to take so many octets a second, and one at all. */
  readonly minOctetsPerSecond: number;
}

export class StallWatch {
  readonly #socket: Duplex;
  readonly #limits: () => StallLimits;
  readonly #onStalled: () => void;
  #timer: NodeJS.Timeout | undefined;
  /** Since when octets have been waiting, whatever the client took meanwhile. */
  #waitingSinceMs: number | undefined;
  // Of the time that is judged as one.
  #countedSinceMs = 0;
  #countedMs = 0;
  #takenBefore = 0;
  // Of the time that was judged last, and found well.
  #judgedMs = 0;
  #judgedOctets = 0;

  /** @param limits asked again and again: a reload may change them */
  constructor(socket: Duplex, limits: () => StallLimits, onStalled: () => void) {
    this.#socket = socket;
    this.#limits = limits;
    this.#onStalled = onStalled;
    socket.once("close", () => this.waits(false));
  }

  /** Octets wait for the client; or none do any more. */
  waits(isWaiting: boolean): void {
    if (isWaiting === (this.#waitingSinceMs !== undefined)) return;
    const nowMs = performance.now();
    if (!isWaiting) {
      clearTimeout(this.#timer);
      this.#countedMs += nowMs - this.#countedSinceMs;
      this.#waitingSinceMs = undefined;
      return;
    }
    if (this.#countedMs === 0) this.#takenBefore = takenFrom(this.#socket);
    this.#waitingSinceMs = nowMs;
    this.#count(nowMs);
  }

  /** How long octets have been waiting without a pause, ms. */
  get waitingMs(): number {
    return this.#waitingSinceMs === undefined ? 0 : performance.now() - this.#waitingSinceMs;
  }

  /**
   * Whether the client has waited and taken less than these limits ask for, in the time that was judged last and since then.
   * For who finds it gone and has other limits itself.
   */
  hasTakenLess({ stallTimeMs, minOctetsPerSecond }: StallLimits): boolean {
    if (this.#waitingSinceMs === undefined) return false;
    const ms = this.#judgedMs + this.#countedMs + performance.now() - this.#countedSinceMs;
    const octets = this.#judgedOctets + takenFrom(this.#socket) - this.#takenBefore;
    return ms >= stallTimeMs && octets < Math.max(1, (minOctetsPerSecond * ms) / 1000);
  }

  #count(nowMs: number): void {
    this.#countedSinceMs = nowMs;
    const leftMs = Math.max(0, this.#limits().stallTimeMs - this.#countedMs);
    this.#timer = setTimeout(() => this.#look(), Math.min(leftMs, LOOK_AGAIN_MS));
  }

  #look(): void {
    const nowMs = performance.now();
    this.#countedMs += nowMs - this.#countedSinceMs;
    // A timer may be a fraction early.
    if (this.#countedMs + 1 >= this.#limits().stallTimeMs) this.#judge();
    else this.#count(nowMs);
  }

  #judge(): void {
    const { stallTimeMs, minOctetsPerSecond } = this.#limits();
    const taken = takenFrom(this.#socket);
    if (taken - this.#takenBefore < Math.max(1, (minOctetsPerSecond * stallTimeMs) / 1000)) {
      this.#onStalled();
      return;
    }
    this.#judgedMs = this.#countedMs;
    this.#judgedOctets = taken - this.#takenBefore;
    this.#takenBefore = taken;
    this.#countedMs = 0;
    this.#count(performance.now());
  }
}

/** Limits that were changed count from then on. */
const LOOK_AGAIN_MS = 5_000;

/**
 * Octets that the client has acknowledged. What was written waits in two places: a write of 128 KiB to a slow client takes
 * minutes in Node, which keeps to itself how far it is; and the kernel holds megabytes for a client that was quick once,
 * and makes room for more in large steps.
 */
function takenFrom(socket: Duplex): number {
  const { _handle: handle, bytesWritten } = socket as unknown as {
    readonly bytesWritten?: number;
    readonly _handle?: {
      readonly bytesWritten: number;
      readonly writeQueueSize: number;
      readonly fd: number;
    } | null;
  };
  // Of a connection that is gone only the most is known that it can have been.
  if (handle === undefined || handle === null) return bytesWritten ?? 0;
  return handle.bytesWritten - handle.writeQueueSize - unacknowledgedOctets(handle.fd);
}
