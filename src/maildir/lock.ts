// Exclusive access to a maildrop for the length of a session (RFC 1939 §4). Taken and freed by Maildrop in the mailbox
// process; `mail.lock` says which kind.
import { constants } from "node:fs";
import { tryFlock } from "../host/flock.ts";
import { codeOf, type Files } from "./files.ts";

export const LOCK_FILE = "dewey-pop3.lock";

export type LockMode = "flock" | "dotlock" | "none";

export interface MaildropLock {
  /** When the lock file was last changed, in ms: tmp/ was cleaned then. Undefined where there is no lasting file. */
  readonly changedAtMs: number | undefined;
  /** Remembers that tmp/ was cleaned now. */
  touch(nowMs: number): Promise<void>;
  /** False when somebody took a lock file for stale and broke it. */
  isHeld(): Promise<boolean>;
  /** Frees it, at once where the kernel holds it. Again is harmless. */
  release(): Promise<void> | undefined;
}

export type LockResult =
  /** `substitute`: why the lock file could not be used, and the folder itself is locked instead. */
  | { readonly kind: "acquired"; readonly lock: MaildropLock; readonly substitute?: string }
  | { readonly kind: "locked" };

/**
 * Locks with flock(2), which NFS's lock manager carries to other hosts. The kernel frees it with the process.
 *
 * Where the lock file cannot be made or opened for good (read-only or full file system, permissions, or the owner put
 * something else there), the Maildir folder itself is locked: reading mail must not need a writable disk.
 *
 * @throws ENOENT when the Maildir is missing, ENOLCK when the file system cannot lock
 */
export async function acquireFlock(files: Files, maildir: string): Promise<LockResult> {
  for (;;) {
    const opened = await openLockFile(files, `${maildir}/${LOCK_FILE}`);
    let substitute: string | undefined;
    let fd: number;
    if (opened.kind === "file") {
      fd = opened.fd;
    } else {
      substitute = opened.code;
      fd = await files.open(maildir, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NONBLOCK);
    }
    let isOurs = false;
    try {
      if (!tryFlock(fd)) return { kind: "locked" };
      const { nlink, mtimeMs } = files.fstat(fd);
      // Somebody removed the file between open and flock: the next session would lock another one.
      if (nlink === 0) continue;
      isOurs = true;
      const changedAtMs = opened.kind === "file" && !opened.isNew ? mtimeMs : undefined;
      const lock = new KernelLock(files, fd, changedAtMs, substitute === undefined);
      return { kind: "acquired", lock, ...(substitute === undefined ? {} : { substitute }) };
    } finally {
      if (!isOurs) files.close(fd);
    }
  }
}

/** `mail.lock = "none"`: somebody else sees to it that there is one session at a time. */
export const noLock: MaildropLock = {
  changedAtMs: undefined,
  touch: async () => {},
  isHeld: async () => true,
  release: () => undefined,
};

type OpenedLockFile =
  | { readonly kind: "file"; readonly fd: number; readonly isNew: boolean }
  | { readonly kind: "unusable"; readonly code: string };

class KernelLock implements MaildropLock {
  readonly changedAtMs: number | undefined;
  readonly #files: Files;
  readonly #isFile: boolean;
  #fd: number | undefined;

  constructor(files: Files, fd: number, changedAtMs: number | undefined, isFile: boolean) {
    this.#files = files;
    this.#fd = fd;
    this.changedAtMs = changedAtMs;
    this.#isFile = isFile;
  }

  async touch(nowMs: number): Promise<void> {
    if (this.#fd !== undefined && this.#isFile)
      await this.#files.futimes(this.#fd, nowMs / 1000, nowMs / 1000);
  }

  async isHeld(): Promise<boolean> {
    return this.#fd !== undefined;
  }

  release(): undefined {
    if (this.#fd !== undefined) this.#files.close(this.#fd);
    this.#fd = undefined;
  }
}

async function openLockFile(files: Files, path: string): Promise<OpenedLockFile> {
  // O_RDWR because NFS locks exclusively only what is open for writing; nothing is ever written.
  const flags = constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;
  let isNew = false;
  let fd: number;
  try {
    fd = await files.open(path, flags);
  } catch (error) {
    if (SUBSTITUTABLE.has(codeOf(error))) return { kind: "unusable", code: codeOf(error) };
    if (codeOf(error) !== "ENOENT") throw error;
    try {
      fd = await files.open(path, flags | constants.O_CREAT, 0o600);
      isNew = true;
    } catch (creationError) {
      if (SUBSTITUTABLE.has(codeOf(creationError))) return { kind: "unusable", code: codeOf(creationError) };
      throw creationError;
    }
  }
  if (files.fstat(fd).isFile()) return { kind: "file", fd, isNew };
  files.close(fd);
  return { kind: "unusable", code: "EFTYPE" };
}

const SUBSTITUTABLE = new Set(["EROFS", "ENOSPC", "EDQUOT", "EACCES", "EPERM", "ELOOP", "EISDIR", "ENXIO"]);
