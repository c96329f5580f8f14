// The passwd file as the accounts it holds, kept up to date while it changes under us. Read by the auth process, which is the
// only one that may, and by pop3-passwd for its lists. Never writes: that is edit.ts.
import { createHash } from "node:crypto";
import { type BigIntStats, constants, statSync } from "node:fs";
import { open, realpath } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { type FSWatcher, watch as watchPaths } from "chokidar";
import { type Account, parseAccountLine } from "./account.ts";
import { errorCode } from "./file-error.ts";
import { inTurns } from "./in-turns.ts";
import { splitLines } from "./passwd-lines.ts";

/** For the log. None of them ever holds a password field. */
export type PasswdFileEvent =
  | { readonly kind: "reloaded"; readonly path: string; readonly accounts: number }
  /** The line is skipped. */
  | {
      readonly kind: "invalid-line";
      readonly path: string;
      readonly lineNumber: number;
      readonly reason: string;
    }
  /** The first line holds, this one is skipped. */
  | {
      readonly kind: "duplicate";
      readonly path: string;
      readonly lineNumber: number;
      readonly firstLineNumber: number;
      readonly user: string;
    }
  /** The accounts known before stay. Told once for each code, until the file can be read again. */
  | { readonly kind: "unreadable"; readonly path: string; readonly code: string }
  /** Changes are no longer noticed by themselves, only by refresh(). */
  | { readonly kind: "unwatched"; readonly path: string; readonly code: string };

export interface PasswdFileOptions {
  readonly path: string;
  readonly onEvent: (event: PasswdFileEvent) => void;
  /** The host's clock, in ms. */
  readonly now?: () => number;
}

export class PasswdFile {
  readonly path: string;
  readonly #onEvent: (event: PasswdFileEvent) => void;
  readonly #now: () => number;
  #accounts: ReadonlyMap<string, Account> = new Map();
  #seen: Seen | undefined;
  #contentDigest: string | undefined;
  #reportedCode: string | undefined;
  #running: Promise<void> | undefined;
  #queued: Promise<void> | undefined;
  #watcher: FSWatcher | undefined;
  #settling: NodeJS.Timeout | undefined;

  constructor({ path, onEvent, now = Date.now }: PasswdFileOptions) {
    this.path = resolve(path);
    this.#onEvent = onEvent;
    this.#now = now;
  }

  /** By user name; replaced as a whole when the file changes, so a reference kept is one consistent state of the file. */
  get accounts(): ReadonlyMap<string, Account> {
    return this.#accounts;
  }

  /** Whether the file has been read at all: until then nobody's password is wrong, and nobody can log in. */
  get isLoaded(): boolean {
    return this.#contentDigest !== undefined;
  }

  /** Whether the last refresh() could read the file. While it cannot, who is not among the accounts may still be in the file. */
  get isReadable(): boolean {
    return this.isLoaded && this.#reportedCode === undefined;
  }

  /** As of the last refresh(). Names are compared octet for octet. */
  lookup(user: string): Account | undefined {
    return this.#accounts.get(user);
  }

  /**
   * Reads the file again if it changed; costs one stat(2) if it did not. What stood in the file when this was called is in
   * `accounts` when it resolves. Never rejects for what is wrong with the file: that becomes an event.
   */
  refresh(): Promise<void> {
    if (this.#running === undefined && this.#isUnchanged()) return UNCHANGED;
    if (this.#running === undefined) {
      this.#running = this.#refreshNow().finally(() => {
        this.#running = undefined;
      });
      return this.#running;
    }
    // The one under way may have looked at the file before the caller's change: all who come meanwhile share the one after it.
    this.#queued ??= this.#running.then(() => {
      this.#queued = undefined;
      return this.refresh();
    });
    return this.#queued;
  }

  /**
   * Refreshes by itself from now on, whenever something happens to the file, or to the file that a symbolic link there names;
   * resolves when the watch stands. Replacement by rename is noticed because the folders are watched, not the file.
   */
  async watch(): Promise<void> {
    if (this.#watcher !== undefined) return;
    const files = new Set<string>();
    const folders = new Set<string>();
    // The target of a symbolic link is watched too, and may be another one after the next change.
    const addPaths = async (): Promise<void> => {
      const linkPath = join(await realpathOr(dirname(this.path)), basename(this.path));
      for (const file of [linkPath, await realpathOr(this.path)]) {
        files.add(file);
        folders.add(dirname(file));
      }
    };
    await addPaths();
    const watcher = watchPaths([...folders], {
      depth: 0,
      ignoreInitial: true,
      followSymlinks: false,
      // The folder may be /etc: without this every file in it would cost a watch.
      ignored: (path) => !files.has(path) && !folders.has(path),
    });
    this.#watcher = watcher;
    watcher.on("all", () => {
      void this.refresh();
      clearTimeout(this.#settling);
      this.#settling = setTimeout(() => void this.refresh(), SETTLE_MS);
      void addPaths().then(() => watcher.closed || watcher.add([...folders]));
    });
    await new Promise<void>((resolve) => {
      watcher.once("ready", resolve);
      watcher.on("error", (error) => {
        this.#onEvent({ kind: "unwatched", path: this.path, code: errorCode(error) ?? UNKNOWN_CODE });
        resolve();
      });
    });
    await this.refresh();
  }

  /** Ends the watch; lookups and refresh() go on working. */
  async close(): Promise<void> {
    const watcher = this.#watcher;
    this.#watcher = undefined;
    clearTimeout(this.#settling);
    await watcher?.close();
    await this.#running;
  }

  /**
   * One stat(2) at once: the file was read before, so the kernel has the answer in memory, and each login asks. The
   * thread pool would cost twenty times as much.
   */
  #isUnchanged(): boolean {
    if (this.#seen?.isTrusted !== true) return false;
    try {
      return isSame(this.#seen, statSync(this.path, { bigint: true }));
    } catch {
      // Reading it will say what is wrong.
      return false;
    }
  }

  async #refreshNow(): Promise<void> {
    try {
      const { content, stats, readAtMs } = await readWhole(this.path, this.#now);
      this.#seen = {
        dev: stats.dev,
        ino: stats.ino,
        size: stats.size,
        mtimeNs: stats.mtimeNs,
        ctimeNs: stats.ctimeNs,
        isTrusted: readAtMs - Number(stats.ctimeNs / 1_000_000n) > TRUST_MARGIN_MS,
      };
      const wasUnreadable = this.#reportedCode !== undefined;
      this.#reportedCode = undefined;
      const contentDigest = createHash("sha256").update(content).digest("base64");
      if (contentDigest === this.#contentDigest && !wasUnreadable) return;
      await this.#load(content);
      this.#contentDigest = contentDigest;
    } catch (error) {
      const code = errorCode(error) ?? UNKNOWN_CODE;
      this.#seen = undefined;
      if (code === this.#reportedCode) return;
      this.#reportedCode = code;
      this.#onEvent({ kind: "unreadable", path: this.path, code });
    }
  }

  async #load(content: Uint8Array): Promise<void> {
    const accounts = new Map<string, Account>();
    await inTurns(splitLines(content), (line, index) => {
      const lineNumber = index + 1;
      const parsed = parseAccountLine(line.bytes, lineNumber);
      switch (parsed.kind) {
        case "blank":
          break;
        case "invalid":
          this.#onEvent({ kind: "invalid-line", path: this.path, lineNumber, reason: parsed.reason });
          break;
        case "account": {
          const { user } = parsed.account;
          const first = accounts.get(user);
          if (first === undefined) accounts.set(user, parsed.account);
          else {
            const firstLineNumber = first.lineNumber;
            this.#onEvent({ kind: "duplicate", path: this.path, lineNumber, firstLineNumber, user });
          }
          break;
        }
        default:
          parsed satisfies never;
      }
    });
    this.#accounts = accounts;
    this.#onEvent({ kind: "reloaded", path: this.path, accounts: accounts.size });
  }
}

interface Seen {
  readonly dev: bigint;
  readonly ino: bigint;
  readonly size: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  /** Whether a later change is bound to show in these numbers. */
  readonly isTrusted: boolean;
}

const UNCHANGED = Promise.resolve();
// Kernels stamp files by a clock that ticks every few ms, network file systems by the second, FAT every two: a file read within
// its own tick may change again without looking different. Only ctime counts here, since anybody may set mtime back.
const TRUST_MARGIN_MS = 2500;
// chokidar drops changes within 50 ms of one it told, and looks away for a moment after a replacement: one more look, later.
const SETTLE_MS = 250;
const UNKNOWN_CODE = "EUNKNOWN";
const MAX_FILE_BYTES = 64 * 1024 * 1024;
const MAX_READ_ATTEMPTS = 5;

function isSame(seen: Seen, stats: BigIntStats): boolean {
  return (
    seen.dev === stats.dev &&
    seen.ino === stats.ino &&
    seen.size === stats.size &&
    seen.mtimeNs === stats.mtimeNs &&
    seen.ctimeNs === stats.ctimeNs
  );
}

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

async function realpathOr(path: string): Promise<string> {
  return realpath(path).catch(() => path);
}

function codedError(code: string): Error {
  return Object.assign(new Error(code), { code });
}
