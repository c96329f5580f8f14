// A message's file, opened for RETR or TOP: read from its begin to its end, never held whole. Made by Maildrop, used in
// the mailbox process by whoever sends the message; closing it is theirs.
import { closeSync, constants, openSync, readSync } from "node:fs";
import type { SurrogateKind } from "../mime/surrogate.ts";
import { isPlausible } from "./filename.ts";
import type { FilePath, Files } from "./files/files.ts";
import { MAX_QUICK_BYTES } from "./files/quick-reads.ts";
import type { Counted } from "./presentation.ts";
import { countFile } from "./sizes/count-message.ts";

export class MessageFile {
  /** Size as stored, from fstat(2). */
  readonly bytes: number;
  /** When it was counted in a file of this very size; else undefined: count before announcing. */
  readonly counted: Counted | undefined;
  readonly #files: Files;
  #fd: number | undefined;
  #position = 0;

  constructor(files: Files, fd: number, bytes: number, counted: Counted | undefined) {
    this.#files = files;
    this.#fd = fd;
    this.bytes = bytes;
    this.counted =
      counted !== undefined && counted.bytes === bytes && isPlausible(counted.octets, bytes)
        ? counted
        : undefined;
  }

  /** Bytes read so far. */
  get position(): number {
    return this.#position;
  }

  /** The next bytes; 0 at the end. One read at a time. @throws what read(2) throws, such as EIO */
  async read(buffer: Uint8Array, offset: number, length: number): Promise<number> {
    const bytes = await this.#files.read(this.#opened(), buffer, offset, length, this.#position);
    this.#position += bytes;
    return bytes;
  }

  /** Reads the whole file to count it. Where the next `read` begins stays. @throws what read(2) throws */
  async count(kind: SurrogateKind): Promise<Counted> {
    const buffer = Buffer.allocUnsafe(COUNT_BUFFER_BYTES);
    const file = { fd: this.#opened(), buffer, expectedBytes: this.bytes };
    return (await countFile(this.#files, file, kind))!;
  }

  /** Frees the descriptor; again is harmless. Not while a read is under way. */
  close(): void {
    if (this.#fd === undefined) return;
    this.#files.close(this.#fd);
    this.#fd = undefined;
  }

  #opened(): number {
    if (this.#fd === undefined) throw new Error("message file is closed");
    return this.#fd;
  }
}

/**
 * A short file's bytes, all of them; undefined when it has none, MAX_QUICK_BYTES or more, or anything else is unusual.
 *
 * Without fstat(2), which costs as much as reading: nothing but a regular file and a FIFO has bytes to read, and with a
 * FIFO whoever owns the Maildir deceives nobody else.
 *
 * @param buffer at least MAX_QUICK_BYTES
 */
export function readShortFile(path: FilePath, buffer: Uint8Array): Uint8Array | undefined {
  let fd: number | undefined;
  try {
    fd = openSync(path, OPEN_FLAGS);
    const bytes = readSync(fd, buffer, 0, MAX_QUICK_BYTES, null);
    return bytes > 0 && bytes < MAX_QUICK_BYTES ? buffer.subarray(0, bytes) : undefined;
  } catch {
    return undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

// Whoever owns the Maildir may put a link or a FIFO into it at any time: neither is followed or waited for.
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;

/** What one read of a count takes at most. */
export const COUNT_BUFFER_BYTES = 128 * 1024;

export type OpenedFile =
  | { readonly kind: "file"; readonly fd: number; readonly bytes: number }
  /** Something else took the name's place since it was listed: a symbolic link, a FIFO, a folder. */
  | { readonly kind: "not-a-file" };

/**
 * Opens a file of a Maildir for reading, if it is a regular one. O_NOFOLLOW and O_NONBLOCK: whoever owns the Maildir
 * may put a link or a FIFO into it at any time.
 *
 * @throws what open(2) throws, such as ENOENT
 */
export async function openRegularFile(files: Files, path: FilePath): Promise<OpenedFile> {
  let fd: number;
  try {
    fd = await files.open(path, OPEN_FLAGS);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // ELOOP: a symbolic link; ENXIO: a socket, or a device that is not there.
    if (code === "ELOOP" || code === "ENXIO") return { kind: "not-a-file" };
    throw error;
  }
  try {
    const stats = files.fstat(fd);
    if (stats.isFile()) return { kind: "file", fd, bytes: stats.size };
  } catch (error) {
    files.close(fd);
    throw error;
  }
  files.close(fd);
  return { kind: "not-a-file" };
}
