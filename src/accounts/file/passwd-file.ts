// The passwd file as the accounts it holds, kept up to date while it changes under us. Read by the auth process, which is the
// only one that may, and by pop3-passwd for its lists. Never writes: that is edit.ts.
import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { open, realpath } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { type FSWatcher, watch as watchPaths } from "chokidar";
import { type Account, parseAccountLine } from "../account.ts";
import { inTurns } from "../in-turns.ts";
import { preparedName } from "../passwords/saslprep.ts";
import { ChangingFile } from "./changing-file.ts";
import { errorCode } from "./file-error.ts";
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
  /** What was known before stays, if it `wasRead`. Told once for each code, until the file can be read again. */
  | { readonly kind: "unreadable"; readonly path: string; readonly code: string; readonly wasRead: boolean }
  /** Changes are no longer noticed by themselves, only by refresh(). */
  | { readonly kind: "unwatched"; readonly path: string; readonly code: string };

export interface PasswdFileOptions {
  readonly path: string;
  readonly onEvent: (event: PasswdFileEvent) => void;
  /** The host's clock, in ms. */
  readonly now?: () => number;
  /** How often watch() looks by itself. */
  readonly lookEveryMs?: number;
}

export class PasswdFile {
  readonly path: string;
  readonly #onEvent: (event: PasswdFileEvent) => void;
  readonly #file: ChangingFile;
  #accounts: ReadonlyMap<string, Account> = new Map();
  #contentDigest: string | undefined;
  #reportedCode: string | undefined;
  #running: Promise<void> | undefined;
  #queued: Promise<void> | undefined;
  #watcher: FSWatcher | undefined;
  #settling: NodeJS.Timeout | undefined;
  #looking: NodeJS.Timeout | undefined;
  readonly #lookEveryMs: number;

  constructor({ path, onEvent, now = Date.now, lookEveryMs = LOOK_EVERY_MS }: PasswdFileOptions) {
    this.#lookEveryMs = lookEveryMs;
    this.path = resolve(path);
    this.#onEvent = onEvent;
    this.#file = new ChangingFile(this.path, now);
  }

  /** By user name as `preparedName` gives it; replaced as a whole when the file changes, so a reference kept is one consistent state of the file. */
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

  /** What the accounts are of, as fileState() of its path tells it; undefined while that is not certain. */
  get state(): string | undefined {
    return this.#running === undefined ? this.#file.state : undefined;
  }

  /** As of the last refresh(). @param user prepared by SASLprep, or it may not be found */
  lookup(user: string): Account | undefined {
    return this.#accounts.get(user);
  }

  /**
   * Reads the file again if it changed; costs one stat(2) if it did not. What stood in the file when this was called is in
   * `accounts` when it resolves. Never rejects for what is wrong with the file: that becomes an event.
   */
  refresh(): Promise<void> {
    if (this.#running === undefined && this.#file.isUnchanged()) return UNCHANGED;
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
   * resolves when the watch stands. Replacement by rename is noticed because the folders are watched, not the file. Every few
   * seconds it looks by itself: nothing tells a host of another one's change on NFS, or of a folder above that was exchanged.
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
    this.#looking = setInterval(() => void this.#look(), this.#lookEveryMs).unref();
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
    clearInterval(this.#looking);
    await watcher?.close();
    await this.#running;
  }

  /** NFS answers stat(2) from memory for up to a minute; open(2) asks its server. */
  async #look(): Promise<void> {
    await open(this.path, constants.O_RDONLY | constants.O_NONBLOCK).then(
      (file) => file.close(),
      () => {},
    );
    await this.refresh();
  }

  async #refreshNow(): Promise<void> {
    try {
      const content = await this.#file.read();
      const wasUnreadable = this.#reportedCode !== undefined;
      this.#reportedCode = undefined;
      const contentDigest = createHash("sha256").update(content).digest("base64");
      if (contentDigest === this.#contentDigest && !wasUnreadable) return;
      await this.#load(content);
      this.#contentDigest = contentDigest;
    } catch (error) {
      const code = errorCode(error) ?? UNKNOWN_CODE;
      if (code === this.#reportedCode) return;
      this.#reportedCode = code;
      this.#onEvent({ kind: "unreadable", path: this.path, code, wasRead: this.isLoaded });
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
          const user = preparedName(parsed.account.user);
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

const UNCHANGED = Promise.resolve();
// chokidar drops changes within 50 ms of one it told, and looks away for a moment after a replacement: one more look, later.
const SETTLE_MS = 250;
const LOOK_EVERY_MS = 5_000;
const UNKNOWN_CODE = "EUNKNOWN";

async function realpathOr(path: string): Promise<string> {
  return realpath(path).catch(() => path);
}
