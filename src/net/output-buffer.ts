// Gathers a connection's output, so that the replies to one packet of commands, or a message with its status line and
// termination, leave in one write. Buffers come from a pool shared by the process: an idle session holds none.
import type { Duplex } from "node:stream";

/** What one buffer holds: one chunk of a message that doubles in the worst case, and short replies before it. */
export const CHUNK_BYTES = 128 * 1024;
const BUFFER_OCTETS = 2 * CHUNK_BYTES + 4096;
const MAX_POOLED = 16;
const pool: Buffer[] = [];

export class OutputBuffer {
  readonly #socket: Duplex;
  #buffer: Buffer | undefined;
  #length = 0;

  constructor(socket: Duplex) {
    this.#socket = socket;
  }

  /** Octets gathered and not yet written. */
  get length(): number {
    return this.#length;
  }

  /** Adds a byte string. */
  text(text: string): void {
    if (text.length > BUFFER_OCTETS) {
      this.flush();
      this.#socket.write(text, "latin1");
      return;
    }
    const { buffer, offset } = this.reserve(text.length);
    this.#length = offset + buffer.write(text, offset, "latin1");
  }

  /**
   * Free room of at least so many octets (at most one buffer), behind what is gathered.
   * Write there, then `commit` the end; what was gathered is flushed first when the room is short.
   */
  reserve(octets: number): { buffer: Buffer; offset: number } {
    if (this.#buffer !== undefined && BUFFER_OCTETS - this.#length < octets) this.flush();
    this.#buffer ??= pool.pop() ?? Buffer.allocUnsafeSlow(BUFFER_OCTETS);
    return { buffer: this.#buffer, offset: this.#length };
  }

  commit(end: number): void {
    this.#length = end;
  }

  /** Hands what is gathered to the socket. */
  flush(): void {
    const buffer = this.#buffer;
    if (buffer === undefined) return;
    const length = this.#length;
    this.#buffer = undefined;
    this.#length = 0;
    const release = (): void => {
      if (pool.length < MAX_POOLED) pool.push(buffer);
    };
    if (length === 0 || this.#socket.destroyed) release();
    else this.#socket.write(buffer.subarray(0, length), release);
  }
}
