// A file that other programs replace or rewrite, read again only when it changed. Used for the passwd file and the one of device
// passwords, by the auth process and by pop3-passwd.
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { fileState, fileStateOf } from "../../host/file-state.ts";

export class ChangingFile {
  readonly path: string;
  readonly #now: () => number;
  #seen: Seen | undefined;

  /** @param now the host's clock, in ms */
  constructor(path: string, now: () => number = Date.now) {
    this.path = path;
    this.#now = now;
  }

  /** Whether the last read() gave what stands there now. One stat(2) at once. */
  isUnchanged(): boolean {
    const { state } = this;
    return state !== undefined && state === fileState(this.path);
  }

  /** What the last read() gave, as fileState() tells it as long as nothing changes; undefined when a change might not show. */
  get state(): string | undefined {
    return this.#seen?.isTrusted === true ? this.#seen.state : undefined;
  }

  /** @throws the system call's error; then isUnchanged() is false until a read succeeds */
  async read(): Promise<Uint8Array> {
    this.#seen = undefined;
    const { content, stats, readAtMs } = await readWhole(this.path, this.#now);
    this.#seen = {
      state: fileStateOf(stats),
      isTrusted: readAtMs - Number(stats.ctimeNs / 1_000_000n) > TRUST_MARGIN_MS,
    };
    return content;
  }
}

interface Seen {
  readonly state: string;
  /** Whether a later change is bound to show in it. */
  readonly isTrusted: boolean;
}

// Kernels stamp files by a clock that ticks every few ms, network file systems by the second, FAT every two: a file read within
// its own tick may change again without looking different. Only ctime counts here, since anybody may set mtime back.
const TRUST_MARGIN_MS = 2500;
const MAX_FILE_BYTES = 64 * 1024 * 1024;
const MAX_READ_ATTEMPTS = 5;

/**
 * Content and stats of one and the same file, whatever is renamed over its path meanwhile. If it is written in place while it is
 * read, it is read again.
 */
async function readWhole(path: string, now: () => number) {
  // O_NONBLOCK: somebody's FIFO at this path must not hold the process.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    for (let attempt = 1; ; attempt += 1) {
      const readAtMs = now();
      const before = await file.stat({ bigint: true });
      if (!before.isFile()) throw codedError(before.isDirectory() ? "EISDIR" : "EINVAL");
      if (before.size > MAX_FILE_BYTES) throw codedError("EFBIG");
      const content = new Uint8Array(Number(before.size));
      let length = 0;
      while (length < content.length) {
        const { bytesRead } = await file.read(content, length, content.length - length, length);
        if (bytesRead === 0) break;
        length += bytesRead;
      }
      const stats = await file.stat({ bigint: true });
      const isUnchanged =
        length === content.length && stats.size === before.size && stats.ctimeNs === before.ctimeNs;
      if (isUnchanged || attempt === MAX_READ_ATTEMPTS)
        return { content: content.subarray(0, length), stats, readAtMs };
    }
  } finally {
    await file.close();
  }
}

function codedError(code: string): Error {
  return Object.assign(new Error(code), { code });
}
