// Writes the log's lines: one at once, those that follow within milliseconds together. A busy server that made a write(2) of
// each would pay as much for the log as for answering STAT and QUIT. Used by the log of every process.

/**
 * What waits is written before the process exits. Only what it cannot notice (SIGKILL, a fault of the runtime) loses lines, and
 * then the last milliseconds' debug and info lines.
 */
export class LineWriter {
  readonly #write: (lines: string) => void;
  #lines = "";
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;
  /** A line was written in the last milliseconds: others wait for those that follow. */
  #isBusy = false;

  /** @param write writes at once, and all of it */
  constructor(write: (lines: string) => void) {
    this.#write = write;
    process.on("exit", () => this.flush());
  }

  /** @param isUrgent leaves at once, behind all that was said before it */
  add(line: string, isUrgent: boolean): void {
    const bytes = Buffer.byteLength(line);
    if (this.#bytes + bytes > MAX_BYTES) this.flush();
    this.#lines += line;
    this.#bytes += bytes;
    if (isUrgent || !this.#isBusy) this.flush();
  }

  flush(): void {
    if (this.#bytes === 0) return;
    const lines = this.#lines;
    this.#lines = "";
    this.#bytes = 0;
    this.#write(lines);
    if (this.#isBusy) return;
    this.#isBusy = true;
    this.#timer = this.#timer?.refresh() ?? setTimeout(() => this.#timeOver(), GATHER_MS).unref();
  }

  #timeOver(): void {
    this.#isBusy = false;
    this.flush();
  }
}

/** What a pipe keeps together (pipe(7), PIPE_BUF), so that lines of several processes never mix. */
const MAX_BYTES = 4096;

/** Who follows the log does not notice. */
const GATHER_MS = 20;
