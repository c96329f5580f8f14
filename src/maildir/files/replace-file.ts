// Replaces a file of ours in a Maildir whole: written into tmp/, synced, renamed. Whatever happens, the old one or the new
// one is there. Used in the mailbox process, and by pop3-ctl's, under the maildrop's lock.
import { constants } from "node:fs";
import { codeOf, type Files } from "./files.ts";
import { uniqueName } from "./unique-name.ts";

/** @returns the errno's name when it could not be written */
export async function replaceFile(
  files: Files,
  maildir: string,
  name: string,
  pieces: Iterable<Buffer>,
  nowMs: number,
): Promise<string | undefined> {
  const temporary = `${maildir}/tmp/${uniqueName(nowMs, name)}`;
  return writeAndRename(files, temporary, `${maildir}/${name}`, pieces, 0o600);
}

/** @returns the errno's name when it could not be written */
export async function writeAndRename(
  files: Files,
  temporary: string,
  path: string,
  pieces: Iterable<Buffer>,
  mode: number,
): Promise<string | undefined> {
  try {
    const fd = await files.open(
      temporary,
      constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
      mode,
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
    await files.rename(temporary, path);
    return undefined;
  } catch (error) {
    await files.unlink(temporary).catch(() => {});
    return codeOf(error);
  }
}
