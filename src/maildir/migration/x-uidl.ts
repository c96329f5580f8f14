// The unique-ids that messages themselves tell: qpopper, and Dovecot with pop3_reuse_xuidl, keep them in the header field
// X-UIDL. Read by an import of unique-ids, as the mail's owner.
import { entryPath, type Files } from "../files/files.ts";
import { forEachParallel } from "../files/parallel.ts";
import { readWholeFile } from "../files/read-whole-file.ts";
import { FOLDER_NAMES } from "../list/folders.ts";
import type { MessageList } from "../list/message-list.ts";

/** A Maildir with the messages that are in it. */
export interface ListedMaildir {
  readonly path: string;
  readonly list: MessageList;
  /** How many messages are opened at a time. */
  readonly parallel: number;
}

/** By base name; a message without the field has none. @throws Error naming a message that cannot be read */
export async function readXUidls(
  files: Files,
  { path: maildir, list, parallel }: ListedMaildir,
): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  const indexes = Array.from({ length: list.count }, (_, index) => index);
  await forEachParallel(indexes, parallel, async (index) => {
    const path = entryPath(`${maildir}/${FOLDER_NAMES[list.folder(index)]}`, list.name(index));
    const read = await readWholeFile(files, path, Number.MAX_SAFE_INTEGER, MAX_HEADER_BYTES);
    // Taken away meanwhile.
    if (read.kind === "missing") return;
    if (read.kind === "unusable")
      throw Object.assign(new Error(read.reason), { code: `${path}: ${read.reason}` });
    const id = xUidlOf(read.octets.toString("latin1"));
    if (id !== undefined) found.set(list.baseName(index), id);
  });
  return found;
}

/** A field of a server's own stands among the first. */
const MAX_HEADER_BYTES = 64 * 1024;

/** The first such field's value, as RFC 5322 unfolds it. */
export function xUidlOf(message: string): string | undefined {
  const [header = ""] = message.split(/\r?\n\r?\n/, 1);
  const [, value] = /^X-UIDL:((?:.*)(?:\r?\n[ \t].*)*)/im.exec(header) ?? [];
  const id = value?.replace(/\r?\n(?=[ \t])/g, "").trim();
  return id === "" ? undefined : id;
}
