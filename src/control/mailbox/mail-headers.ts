// What a message's headers say, decoded by mailparser. Runs as the mail's owner (mailbox-worker.ts).
import { simpleParser } from "mailparser";
import type { Maildrop } from "../../maildir/maildrop.ts";

export interface MessageHeader {
  readonly number: number;
  readonly uniqueId: string;
  readonly octets: number;
  readonly date: string | null;
  readonly from: string;
  readonly subject: string;
}

/** Undefined when it was removed meanwhile, or cannot be read. */
export async function messageHeader(maildrop: Maildrop, number: number): Promise<MessageHeader | undefined> {
  const read = await readMessage(maildrop, number, MAX_HEADER_BYTES);
  if (read === undefined) return undefined;
  const parsed = await simpleParser(headersOf(read.bytes));
  const { date } = parsed;
  return {
    number,
    uniqueId: maildrop.uniqueId(number - 1),
    octets: maildrop.octets(number - 1),
    date: date === undefined || Number.isNaN(date.getTime()) ? null : date.toISOString(),
    from: parsed.from?.text ?? "",
    subject: parsed.subject ?? "",
  };
}

/** The message's first bytes. */
export async function readMessage(
  maildrop: Maildrop,
  number: number,
  maxBytes: number,
): Promise<{ readonly bytes: Buffer; readonly isCut: boolean } | undefined> {
  const opened = await maildrop.openMessage(number - 1);
  if (opened.kind !== "message") return undefined;
  const { file } = opened;
  try {
    const bytes = Buffer.alloc(Math.min(file.bytes, maxBytes));
    let length = 0;
    while (length < bytes.length) {
      const read = await file.read(bytes, length, bytes.length - length);
      if (read === 0) break;
      length += read;
    }
    return { bytes: bytes.subarray(0, length), isCut: file.bytes > maxBytes };
  } finally {
    file.close();
  }
}

/** Up to the first empty line, so that no body is parsed. */
function headersOf(bytes: Buffer): Buffer {
  const ends = ["\n\n", "\n\r\n"].map((end) => bytes.indexOf(end)).filter((end) => end !== -1);
  return ends.length === 0 ? bytes : bytes.subarray(0, Math.min(...ends) + 1);
}

/** Where headers are longer, what stands behind is not looked at. */
const MAX_HEADER_BYTES = 256 * 1024;
