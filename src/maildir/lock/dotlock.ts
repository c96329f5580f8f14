// The maildrop's lock as a file that exists while a session lives: `mail.lock = "dotlock"`, for file systems on which
// flock(2) does not work or does not reach other hosts. Taken by Maildrop in the mailbox process.
//
// The file is made by link(2), which exactly one of many can do, on NFS too. It tells whose it is; its time is moved on
// while the session lives. Removing it asks for the right to do so, which is made by link(2), too: nobody takes a lock for
// stale, is overtaken, and removes the next one.
import { constants } from "node:fs";
import { ownProcess, type ProcessIdentity, stateOf } from "../../host/process-identity.ts";
import { codeOf, type Files } from "../files/files.ts";
import { uniqueName } from "../files/unique-name.ts";
import { openRegularFile } from "../message.ts";
import { lockFolder } from "./kernel-lock.ts";
import { LOCK_FILE, type LockResult, type MaildropLock, SUBSTITUTABLE } from "./lock.ts";

export interface DotlockTimes {
  /** How often a session says that it lives. */
  readonly refreshMs: number;
  /** A lock of another host, or of another boot, is stale when it was not refreshed for this long. */
  readonly staleMs: number;
}

const TIMES: DotlockTimes = { refreshMs: 30_000, staleMs: 5 * 60_000 };

/** Others may take and free it meanwhile: after so many attempts it counts as locked. */
const MAX_ATTEMPTS = 5;

/** @throws ENOENT when the Maildir or its tmp/ is missing, and what is wrong for now, such as EIO */
export async function acquireDotlock(
  files: Files,
  maildir: string,
  times: DotlockTimes = TIMES,
): Promise<LockResult> {
  const path = `${maildir}/${LOCK_FILE}`;
  const temporary = `${maildir}/tmp/${uniqueName(Date.now(), LOCK_FILE)}`;
  let fd: number | undefined;
  let isOurs = false;
  try {
    fd = await files.open(
      temporary,
      constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
      0o600,
    );
    const content = Buffer.from(formatHolder(ownProcess()));
    await files.write(fd, content, 0, content.length);
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
      // NFS says "locked" from memory as long as nobody has asked for the folder.
      await files.stat(maildir);
      if (await linked(files, temporary, path, fd)) {
        isOurs = true;
        return { kind: "acquired", lock: new Dotlock(files, maildir, fd, times.refreshMs) };
      }
      const holder = await readHolder(files, path);
      if (holder.kind === "gone") continue;
      if (holder.kind === "not-a-file") return await lockFolder(files, maildir, "EFTYPE");
      // The file system's own clock: that of its server, on NFS.
      const nowMs = files.fstat(fd).mtimeMs;
      if (!isStale(holder, nowMs, times.staleMs)) return { kind: "locked" };
      await removeLock(files, maildir, holder.inode, { nowMs, staleMs: times.staleMs });
    }
    return { kind: "locked" };
  } catch (error) {
    const code = codeOf(error);
    if (!SUBSTITUTABLE.has(code)) throw error;
    return await lockFolder(files, maildir, code);
  } finally {
    await files.unlink(temporary).catch(() => {});
    if (!isOurs && fd !== undefined) files.close(fd);
  }
}

class Dotlock implements MaildropLock {
  readonly changedAtMs = undefined;
  readonly #files: Files;
  readonly #maildir: string;
  readonly #inode: bigint;
  readonly #timer: NodeJS.Timeout;
  #fd: number | undefined;

  constructor(files: Files, maildir: string, fd: number, refreshMs: number) {
    this.#files = files;
    this.#maildir = maildir;
    this.#fd = fd;
    this.#inode = files.identityOf(fd).ino;
    this.#timer = setInterval(() => void this.#refresh(), refreshMs).unref();
  }

  async touch(): Promise<void> {}

  async isHeld(): Promise<boolean> {
    if (this.#fd === undefined) return false;
    try {
      await this.#files.stat(this.#maildir);
      return (await this.#files.identity(`${this.#maildir}/${LOCK_FILE}`)).ino === this.#inode;
    } catch {
      return false;
    }
  }

  release(): Promise<void> | undefined {
    const fd = this.#fd;
    if (fd === undefined) return undefined;
    this.#fd = undefined;
    clearInterval(this.#timer);
    return removeLock(this.#files, this.#maildir, this.#inode)
      .catch(() => {
        // It stays until it is stale: the next session finds that out.
      })
      .finally(() => this.#files.close(fd));
  }

  /** One more octet: futimes(2) would set this host's time, not the file system's. */
  async #refresh(): Promise<void> {
    if (this.#fd !== undefined) await this.#files.write(this.#fd, LF, 0, 1).catch(() => {});
  }
}

const LF = Buffer.from("\n");

/** False when somebody has the lock. */
async function linked(files: Files, temporary: string, path: string, fd: number): Promise<boolean> {
  try {
    await files.link(temporary, path);
    return true;
  } catch (error) {
    // An NFS server's answer can be lost, and the call repeated: the link is there although it "failed".
    if (files.fstat(fd).nlink === 2) return true;
    if (codeOf(error) === "EEXIST") return false;
    throw error;
  }
}

type Holder =
  | {
      readonly kind: "holder";
      readonly inode: bigint;
      readonly changedAtMs: number;
      /** "nobody": an empty file, as `mail.lock = "flock"` leaves it; undefined: not to be made out. */
      readonly process: ProcessIdentity | "nobody" | undefined;
    }
  | { readonly kind: "gone" }
  | { readonly kind: "not-a-file" };

async function readHolder(files: Files, path: string): Promise<Holder> {
  let fd: number | undefined;
  try {
    const opened = await openRegularFile(files, path);
    if (opened.kind === "not-a-file") return opened;
    fd = opened.fd;
    const buffer = Buffer.alloc(MAX_HOLDER_BYTES);
    const bytes = await files.read(fd, buffer, 0, buffer.length, 0);
    const stats = files.fstat(fd);
    return {
      kind: "holder",
      inode: files.identityOf(fd).ino,
      changedAtMs: stats.mtimeMs,
      process: bytes === 0 ? "nobody" : parseHolder(buffer.toString("latin1", 0, bytes)),
    };
  } catch (error) {
    if (codeOf(error) === "ENOENT") return { kind: "gone" };
    throw error;
  } finally {
    if (fd !== undefined) files.close(fd);
  }
}

function isStale(
  { process, changedAtMs }: Holder & { kind: "holder" },
  nowMs: number,
  staleMs: number,
): boolean {
  if (process === "nobody") return true;
  const state = process === undefined ? "unknown" : stateOf(process);
  switch (state) {
    case "running":
      return false;
    case "gone":
      return true;
    case "unknown":
      return nowMs - changedAtMs > staleMs;
    default:
      return state satisfies never;
  }
}

/**
 * Removes the lock file if it is still this one. Whoever removes it, its owner included, first makes a second name for
 * it, which only one can; while that name is there, the inode is not used again.
 *
 * @param whenCrashed a second name so old was left by a process that died in between: it is removed
 */
async function removeLock(
  files: Files,
  maildir: string,
  inode: bigint,
  whenCrashed?: { readonly nowMs: number; readonly staleMs: number },
): Promise<void> {
  const path = `${maildir}/${LOCK_FILE}`;
  // Without the device's number, which each host has its own of.
  const right = `${maildir}/tmp/${inode}.removing.${LOCK_FILE}`;
  try {
    await files.link(path, right);
  } catch (error) {
    if (codeOf(error) === "ENOENT") return;
    if (codeOf(error) !== "EEXIST") throw error;
    if (whenCrashed === undefined) return;
    const { ctimeMs } = await files.lstat(right).catch(() => ({ ctimeMs: whenCrashed.nowMs }));
    if (whenCrashed.nowMs - ctimeMs > whenCrashed.staleMs) await files.unlink(right).catch(() => {});
    return;
  }
  try {
    if ((await files.identity(right)).ino === inode) await files.unlink(path);
  } finally {
    await files.unlink(right).catch(() => {});
  }
}

const MAX_HOLDER_BYTES = 512;

/** `dewey-pop3 <host> <boot id> <pid namespace> <pid> <start>`, and a line end for each refresh. */
function formatHolder({ host, bootId, pidNamespace, pid, startTicks }: ProcessIdentity): string {
  return `dewey-pop3 ${host} ${bootId} ${pidNamespace} ${pid} ${startTicks}\n`;
}

function parseHolder(text: string): ProcessIdentity | undefined {
  const [, host, bootId, pidNamespace, pid, startTicks] =
    /^dewey-pop3 ([^ \n]+) ([0-9a-f-]+) ([0-9]+) ([1-9][0-9]{0,9}) ([0-9]+)\n/.exec(text) ?? [];
  if (startTicks === undefined) return undefined;
  return { host: host!, bootId: bootId!, pidNamespace: pidNamespace!, pid: Number(pid), startTicks };
}
