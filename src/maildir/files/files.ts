// The file system as the Maildir engine uses it: a handful of calls, so that tests can make one of them fail, stall or
// "crash". Bare descriptors instead of FileHandles: a session opens thousands of messages. Used all over src/maildir.
import * as fs from "node:fs";
import { constants } from "node:os";

/** A string while it is ASCII, else the bytes as the file system has them: a Maildir's names need not be UTF-8. */
export type FilePath = string | Buffer;

/** `dev` is this host's own number for the file system; `ino` is the same on every host. */
export interface FileIdentity {
  readonly dev: bigint;
  readonly ino: bigint;
}

/** One entry of a folder, its name as a byte string (latin1). */
export interface FolderEntry {
  readonly name: string;
  readonly type: EntryType;
}

export type EntryType = "file" | "folder" | "symlink" | "fifo" | "socket" | "device" | "unknown";

/** Each rejects with an error whose `code` is the errno's name (ENOENT, EACCES …), as Node's own do. */
export interface Files {
  /** open(2); O_CLOEXEC is always set (libuv does). */
  open(path: FilePath, flags: number, mode?: number): Promise<number>;
  /** Asks an open descriptor, without leaving the thread: the kernel has the answer in memory. */
  fstat(fd: number): fs.Stats;
  stat(path: FilePath): Promise<fs.BigIntStats>;
  lstat(path: FilePath): Promise<fs.Stats>;
  /** What tells a file from all others: in full, where `lstat` rounds the numbers of large file systems. Follows no link. */
  identity(path: FilePath): Promise<FileIdentity>;
  /** Of an open descriptor, without leaving the thread. */
  identityOf(fd: number): FileIdentity;
  /** Never waits for the disk to write: read-only descriptors, or ones that were synced before. */
  close(fd: number): void;
  read(
    fd: number,
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number | null,
  ): Promise<number>;
  write(fd: number, buffer: Uint8Array, offset: number, length: number): Promise<number>;
  list(path: FilePath): Promise<FolderEntry[]>;
  unlink(path: FilePath): Promise<void>;
  rename(from: FilePath, to: FilePath): Promise<void>;
  link(from: FilePath, to: FilePath): Promise<void>;
  mkdir(path: FilePath, mode: number): Promise<void>;
  fsync(fd: number): Promise<void>;
  futimes(fd: number, atimeSeconds: number, mtimeSeconds: number): Promise<void>;
}

export const systemFiles: Files = {
  open: (path, flags, mode = 0) =>
    new Promise((resolve, reject) => {
      fs.open(path, flags, mode, (error, fd) => (error === null ? resolve(fd) : reject(error)));
    }),
  fstat: (fd) => fs.fstatSync(fd),
  stat: (path) =>
    new Promise((resolve, reject) => {
      fs.stat(path, { bigint: true }, (error, stats) => (error === null ? resolve(stats) : reject(error)));
    }),
  lstat: (path) =>
    new Promise((resolve, reject) => {
      fs.lstat(path, (error, stats) => (error === null ? resolve(stats) : reject(error)));
    }),
  identity: (path) =>
    new Promise((resolve, reject) => {
      fs.lstat(path, { bigint: true }, (error, stats) => (error === null ? resolve(stats) : reject(error)));
    }),
  identityOf: (fd) => fs.fstatSync(fd, { bigint: true }),
  close: (fd) => fs.closeSync(fd),
  read: (fd, buffer, offset, length, position) =>
    new Promise((resolve, reject) => {
      fs.read(fd, buffer, offset, length, position, (error, bytes) =>
        error === null ? resolve(bytes) : reject(error),
      );
    }),
  write: (fd, buffer, offset, length) =>
    new Promise((resolve, reject) => {
      fs.write(fd, buffer, offset, length, null, (error, bytes) =>
        error === null ? resolve(bytes) : reject(error),
      );
    }),
  list: listFolder,
  unlink: (path) => call((done) => fs.unlink(path, done)),
  rename: (from, to) => call((done) => fs.rename(from, to, done)),
  link: (from, to) => call((done) => fs.link(from, to, done)),
  mkdir: (path, mode) => call((done) => fs.mkdir(path, mode, done)),
  fsync: (fd) => call((done) => fs.fsync(fd, done)),
  futimes: (fd, atimeSeconds, mtimeSeconds) =>
    call((done) => fs.futimes(fd, atimeSeconds, mtimeSeconds, done)),
};

/** The errno's name of a failed call, such as ENOENT. */
export function codeOf(error: unknown): string {
  const { code, errno } = (error ?? {}) as NodeJS.ErrnoException;
  if (typeof code !== "string") return "UNKNOWN";
  // Node has no name for some that file systems give: ESTALE is "Unknown system error -116" to it, EDQUOT -122.
  return code.startsWith("Unknown system error") ? (errnoNames.get(-(errno ?? 0)) ?? code) : code;
}

const errnoNames = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]));

/** @param name a byte string (latin1) that came out of a folder listing: it holds no "/" */
export function entryPath(folder: string, name: string): FilePath {
  if (isAscii(name)) return `${folder}/${name}`;
  return Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(name, "latin1")]);
}

function isAscii(name: string): boolean {
  for (let i = 0; i < name.length; i++) if (name.charCodeAt(i) > 0x7f) return false;
  return true;
}

async function listFolder(path: FilePath): Promise<FolderEntry[]> {
  try {
    const entries = await new Promise<fs.Dirent[]>((resolve, reject) => {
      fs.readdir(path, { encoding: "latin1", withFileTypes: true }, (error, found) =>
        error === null ? resolve(found) : reject(error),
      );
    });
    return entries.map((entry) => ({ name: entry.name, type: typeOf(entry) }));
  } catch (error) {
    // On a file system that tells no types Node asks for each entry: one that vanished meanwhile, or whose name is
    // not UTF-8, makes it give up the whole listing.
    if ((error as NodeJS.ErrnoException).syscall !== "lstat") throw error;
    return listUntyped(path);
  }
}

/** Asks for each entry's type with lstat(2); what vanished meanwhile is left out. */
export async function listUntyped(path: FilePath): Promise<FolderEntry[]> {
  const names = await new Promise<string[]>((resolve, reject) => {
    fs.readdir(path, { encoding: "latin1" }, (error, found) =>
      error === null ? resolve(found) : reject(error),
    );
  });
  const folder = Buffer.concat([Buffer.from(path), Buffer.from("/")]);
  const entries: FolderEntry[] = [];
  for (const name of names) {
    try {
      const stats = await systemFiles.lstat(Buffer.concat([folder, Buffer.from(name, "latin1")]));
      entries.push({ name, type: typeOf(stats) });
    } catch (error) {
      if (codeOf(error) !== "ENOENT") throw error;
    }
  }
  return entries;
}

function typeOf(entry: fs.Dirent | fs.Stats): EntryType {
  if (entry.isFile()) return "file";
  if (entry.isDirectory()) return "folder";
  if (entry.isSymbolicLink()) return "symlink";
  if (entry.isFIFO()) return "fifo";
  if (entry.isSocket()) return "socket";
  if (entry.isBlockDevice() || entry.isCharacterDevice()) return "device";
  return "unknown";
}

function call(start: (done: (error: NodeJS.ErrnoException | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    start((error) => (error === null ? resolve() : reject(error)));
  });
}
