// Reads and writes `dewey-pop3.index` in the Maildir. Used by Maildrop in the mailbox process, as the mail's owner, under
// the maildrop's lock: nobody else writes it.
import { constants } from "node:fs";
import { codeOf, type Files } from "./files.ts";
import { formatIndex, parseIndex } from "./index-format.ts";
import { openRegularFile } from "./message.ts";
import type { MessageList } from "./message-list.ts";

export const INDEX_FILE = "dewey-pop3.index";

/** What an entry takes: two sizes and a base name of 255 bytes at most. */
const MAX_ENTRY_BYTES = 300;

export type ReadIndex =
  | { readonly kind: "index"; readonly list: MessageList }
  | { readonly kind: "missing" }
  /** It is made anew. `reason`: "damaged", "another version's", an errno's name … */
  | { readonly kind: "unusable"; readonly reason: string };

/**
 * @param maxEntries an index with far more entries than the maildrop has messages is not read: its owner may have made
 * it to fill our memory
 */
export async function readIndex(files: Files, maildir: string, maxEntries: number): Promise<ReadIndex> {
  let fd: number | undefined;
  try {
    const opened = await openRegularFile(files, `${maildir}/${INDEX_FILE}`);
    if (opened.kind === "not-a-file") return { kind: "unusable", reason: "not a regular file" };
    fd = opened.fd;
    if (opened.bytes > maxEntries * MAX_ENTRY_BYTES) return { kind: "unusable", reason: "too large" };
    const octets = Buffer.allocUnsafe(opened.bytes);
    let length = 0;
    while (length < octets.length) {
      const bytes = await files.read(fd, octets, length, octets.length - length, length);
      if (bytes === 0) break;
      length += bytes;
    }
    return parseIndex(octets.subarray(0, length));
  } catch (error) {
    const code = codeOf(error);
    return code === "ENOENT" ? { kind: "missing" } : { kind: "unusable", reason: code };
  } finally {
    if (fd !== undefined) files.close(fd);
  }
}

/**
 * Writes it whole into tmp/, and renames it: whatever happens, the old one or the new one is there.
 *
 * @param unique for the name of the file in tmp/
 * @returns the errno's name when it could not be written
 */
export async function writeIndex(
  files: Files,
  maildir: string,
  list: MessageList,
  unique: string,
): Promise<string | undefined> {
  const temporary = `${maildir}/tmp/${unique}.${INDEX_FILE}`;
  const octets = formatIndex(list);
  try {
    const fd = await files.open(
      temporary,
      constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
      0o600,
    );
    try {
      for (let written = 0; written < octets.length; ) {
        written += await files.write(fd, octets, written, octets.length - written);
      }
      await files.fsync(fd);
    } finally {
      files.close(fd);
    }
    await files.rename(temporary, `${maildir}/${INDEX_FILE}`);
    return undefined;
  } catch (error) {
    await files.unlink(temporary).catch(() => {});
    return codeOf(error);
  }
}
