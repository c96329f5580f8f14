// The next message of a client that takes one after the other, read while that client still has to take in the one before:
// so it waits for fewer system calls when it asks. One message a process, since where several clients keep it busy nothing
// is gained. Used by sessions.
import { MAX_QUICK_BYTES } from "../../maildir/files/quick-reads.ts";
import type { SessionMaildrop } from "./session-maildrop.ts";

type ReadableMaildrop = Pick<SessionMaildrop, "count" | "readMessageNow">;

export class ReadAhead {
  readonly #buffer = new Uint8Array(MAX_QUICK_BYTES);
  readonly #nowMs: () => number;
  /** What stands in `#buffer`, or will when `bytes` is there. */
  #next:
    | { readonly maildrop: ReadableMaildrop; readonly index: number; bytes: Uint8Array | undefined }
    | undefined;
  #readAtMs = 0;
  #pauseReads = 0;
  #immediate: NodeJS.Immediate | undefined;

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** As `readMessageNow` gives it: what is returned is good until the next call. */
  read(maildrop: ReadableMaildrop, index: number): Uint8Array | undefined {
    const next = this.#next;
    const { bytes } = next ?? {};
    if (next?.maildrop === maildrop && next.index === index && bytes !== undefined) {
      this.#next = undefined;
      if (this.#nowMs() - this.#readAtMs < FRESH_MS) return bytes;
    }
    return maildrop.readMessageNow(index, ownBuffer);
  }

  /** A client is likely to ask for this message next: it is read when everything that came in is answered. */
  expect(maildrop: ReadableMaildrop, index: number): void {
    if (index >= maildrop.count) return;
    if (this.#next?.bytes !== undefined) this.#pauseReads = PAUSE_READS;
    this.#next = undefined;
    if (this.#pauseReads > 0) {
      this.#pauseReads--;
      return;
    }
    this.#next = { maildrop, index, bytes: undefined };
    this.#immediate ??= setImmediate(() => this.#readNext());
  }

  /** The maildrop is closed. */
  forget(maildrop: ReadableMaildrop): void {
    if (this.#next?.maildrop === maildrop) this.#next = undefined;
  }

  #readNext(): void {
    this.#immediate = undefined;
    const next = this.#next;
    if (next === undefined) return;
    next.bytes = next.maildrop.readMessageNow(next.index, this.#buffer);
    if (next.bytes === undefined) this.#next = undefined;
    else this.#readAtMs = this.#nowMs();
  }
}

/** One for all sessions of a process. */
export const readAhead = new ReadAhead();

/** Filled and sent without anything in between. No Buffer: their parts cost more. */
const ownBuffer = new Uint8Array(MAX_QUICK_BYTES);

/** Another program may have removed the message since: a client that asks later is told so. */
const FRESH_MS = 1_000;

/** Read in vain, since clients come in turns or skip messages: that they do is looked at again after so many. */
const PAUSE_READS = 64;
