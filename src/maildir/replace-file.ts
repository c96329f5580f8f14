// Replaces a file of ours in a Maildir whole: written into tmp/, synced, renamed. Whatever happens, the old one or the new
// one is there. Used in the mailbox process, and by pop3-ctl's, under the maildrop's lock.
import { constants } from "node:fs";
import { codeOf, type Files } from "./files.ts";

/** @returns the errno's name when it could not be written */
export async function replaceFile(
  files: Files,
  maildir: string,
  name: string,
  pieces: Iterable<Buffer>,
  nowMs: number,
): Promise<string | undefined> {
  const temporary = `${maildir}/tmp/${Math.floor(nowMs / 1000)}.P${process.pid}Q${++filesWritten}.${name}`;
  try {
    const fd = await files.open(
      temporary,
      constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
      0o600,
    );
    try {
      for (const piece of pieces) {
        for (let written = 0; written < piece.length; ) {
          written += await files.write(fd, piece, written, piece.length - written);
        }
      }
      await files.fsync(fd);
    } finally {
      files.close(fd);
    }
    await files.rename(temporary, `${maildir}/${name}`);
    return undefined;
  } catch (error) {
    await files.unlink(temporary).catch(() => {});
    return codeOf(error);
  }
}

let filesWritten = 0;
