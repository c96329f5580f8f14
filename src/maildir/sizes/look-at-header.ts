// Whether a message's begin shows that every client is sent it as it is stored: then a size that somebody has told holds for
// all of them, and the rest need not be read. Used by measure.ts in the mailbox process; pure.

/** Takes the headers of nearly all messages, and is one read. */
export const LOOK_BYTES = 16 * 1024;

/** False also where the begin does not tell: headers that go on, or parts that have headers of their own. */
export function isSameForAll(begin: Uint8Array): boolean {
  const text = Buffer.from(begin.buffer, begin.byteOffset, begin.length).toString("latin1");
  const end = /(?:^|\n)\r?\n/.exec(text)?.index;
  if (end === undefined) return false;
  const header = text.slice(0, end);
  // Wherever it says so: what is counted in vain is counted right.
  return /^[\0-\x7f]*$/.test(header) && !/multipart\/|message\//i.test(header);
}
