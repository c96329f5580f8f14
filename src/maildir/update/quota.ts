// Maildir++ quota: tells `maildirsize` what UPDATE removed, so that Exim and others know at once that there is room again
// (maildirquota, courier-libs; Exim's tf_maildir.c). The file is only ever appended to, and never made. Used by Maildrop
// in the mailbox process.
import { constants } from "node:fs";
import { basename, dirname } from "node:path";
import { baseName, hasFlag, sizesFromName } from "../filename.ts";
import { codeOf, type FilePath, type Files } from "../files/files.ts";

/** Messages removed so far; one line of `maildirsize` at the end. */
export class QuotaChange {
  readonly #files: Files;
  readonly #fd: number;
  #bytes = 0;
  #count = 0;

  private constructor(files: Files, fd: number) {
    this.#files = files;
    this.#fd = fd;
  }

  /** Undefined when there is no `maildirsize`, or one that is not for us to write. */
  static async open(files: Files, maildir: string): Promise<QuotaChange | undefined> {
    try {
      // A subfolder's quota is that of the Maildir it belongs to.
      const isSubfolder = await files.lstat(`${maildir}/maildirfolder`).then(
        () => true,
        () => false,
      );
      // What is in the trash has been taken off already (Courier).
      if (isSubfolder && basename(maildir) === ".Trash") return undefined;
      const path = `${isSubfolder ? dirname(maildir) : maildir}/maildirsize`;
      const fd = await files.open(
        path,
        constants.O_WRONLY |
          constants.O_APPEND |
          constants.O_NOFOLLOW |
          constants.O_NONBLOCK |
          constants.O_NOCTTY,
      );
      const stats = files.fstat(fd);
      if (stats.isFile() && stats.uid === process.geteuid?.()) return new QuotaChange(files, fd);
      files.close(fd);
      return undefined;
    } catch {
      return undefined;
    }
  }

  /** What the message counts for, asked before it is removed: from its name, else of the file as stored. */
  async bytesOf(name: string, path: FilePath): Promise<number> {
    // Messages that are marked as trashed don't count (Courier).
    if (hasFlag(name, "T")) return 0;
    return sizesFromName(baseName(name)).bytes ?? (await this.#files.lstat(path)).size;
  }

  removed(name: string, bytes: number): void {
    if (hasFlag(name, "T")) return;
    this.#bytes += bytes;
    this.#count++;
  }

  /** Appends the line by one write(2), and closes. Returns the errno's name when it could not be written. */
  async finish(): Promise<string | undefined> {
    try {
      if (this.#count === 0) return undefined;
      // Exactly one space: Exim's reader asks for it.
      const line = Buffer.from(`-${this.#bytes} -${this.#count}\n`);
      await this.#files.write(this.#fd, line, 0, line.length);
      return undefined;
    } catch (error) {
      return codeOf(error);
    } finally {
      this.#files.close(this.#fd);
    }
  }
}
