// The maildrop's lock as the kernel keeps it, by flock(2): `mail.lock = "flock"`, and what stands in for a lock file that
// cannot be made. Taken by Maildrop in the mailbox process.
import { constants } from "node:fs";
import { tryFlock } from "../../host/flock.ts";
import { codeOf, type Files } from "../files/files.ts";
import { LOCK_FILE, type LockResult, type MaildropLock, SUBSTITUTABLE } from "./lock.ts";

/**
 * Locks with flock(2), which NFS's lock manager carries to other hosts. The kernel frees it with the process.
 *
 * Where the lock file cannot be made or opened for good (read-only or full file system, permissions, or the owner put
 * something else there), the Maildir folder itself is locked: reading mail must not need a writable disk.
 *
 * @param isShared a server keeps the lock for this host, and may take it away from one that it has not heard of
 * @throws ENOENT when the Maildir is missing, ENOLCK when the file system cannot lock
 */
export async function acquireFlock(files: Files, maildir: string, isShared = false): Promise<LockResult> {
  for (;;) {
    const opened = await openLockFile(files, `${maildir}/${LOCK_FILE}`);
    if (opened.kind === "unusable") return lockFolder(files, maildir, opened.code);
    const { fd, isNew } = opened;
    let isOurs = false;
    try {
      if (!tryFlock(fd)) return { kind: "locked" };
      const { nlink, mtimeMs } = files.fstat(fd);
      // Somebody removed the file between open and flock: the next session would lock another one.
      if (nlink === 0) continue;
      isOurs = true;
      const changedAtMs = isNew ? undefined : mtimeMs;
      const lock = isShared
        ? new SharedLock(files, fd, changedAtMs, maildir)
        : new KernelLock(files, fd, changedAtMs, true);
      return { kind: "acquired", lock };
    } finally {
      if (!isOurs) files.close(fd);
    }
  }
}

/** Locks the Maildir folder itself. @param why a lock file cannot be used, as an errno's name */
export async function lockFolder(files: Files, maildir: string, why: string): Promise<LockResult> {
  const fd = await files.open(maildir, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NONBLOCK);
  let isOurs = false;
  try {
    if (!tryFlock(fd)) return { kind: "locked" };
    isOurs = true;
    return { kind: "acquired", lock: new KernelLock(files, fd, undefined, false), substitute: why };
  } finally {
    if (!isOurs) files.close(fd);
  }
}

type OpenedLockFile =
  | { readonly kind: "file"; readonly fd: number; readonly isNew: boolean }
  | { readonly kind: "unusable"; readonly code: string };

class KernelLock implements MaildropLock {
  readonly changedAtMs: number | undefined;
  protected readonly files: Files;
  protected fd: number | undefined;
  readonly #isFile: boolean;

  constructor(files: Files, fd: number, changedAtMs: number | undefined, isFile: boolean) {
    this.files = files;
    this.fd = fd;
    this.changedAtMs = changedAtMs;
    this.#isFile = isFile;
  }

  async touch(nowMs: number): Promise<void> {
    if (this.fd !== undefined && this.#isFile) await this.files.futimes(this.fd, nowMs / 1000, nowMs / 1000);
  }

  async isHeld(): Promise<boolean> {
    return this.fd !== undefined;
  }

  release(): undefined {
    if (this.fd !== undefined) this.files.close(this.fd);
    this.fd = undefined;
  }
}

/**
 * The lock on shared storage. A host that could not reach the server for its lease's length (NFSv4: 90 s) has lost it, and
 * another host may have the maildrop: before UPDATE the server is asked once more.
 */
class SharedLock extends KernelLock {
  readonly #maildir: string;

  constructor(files: Files, fd: number, changedAtMs: number | undefined, maildir: string) {
    super(files, fd, changedAtMs, true);
    this.#maildir = maildir;
  }

  override async isHeld(): Promise<boolean> {
    const { fd, files } = this;
    if (fd === undefined) return false;
    try {
      await files.stat(this.#maildir);
      const { ino } = await files.identity(`${this.#maildir}/${LOCK_FILE}`);
      const isSame = ino === files.identityOf(fd).ino;
      return isSame && tryFlock(fd);
    } catch {
      return false;
    }
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
