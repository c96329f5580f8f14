// Sends one message as RETR's or TOP's multi-line response, streaming: whatever its size, two chunks are in memory.
// What the status line announces is what follows. Runs in the mailbox process.
import type { Connection } from "../net/connection.ts";
import { CHUNK_BYTES } from "../net/output-buffer.ts";
import { MessageEncoder, TopLimiter } from "../pop3/multi-line-response.ts";
import { ok } from "../pop3/reply.ts";
import type { Texts } from "../pop3/texts/texts.ts";
import type { MessageContent } from "./session-maildrop.ts";

export type SendResult =
  /** `octets` without byte-stuffing and termination; for TOP, of what was sent. */
  | { readonly kind: "sent"; readonly octets: number }
  | { readonly kind: "client-gone" }
  /** `begun`: the status line is out already. */
  | { readonly kind: "unreadable"; readonly begun: boolean; readonly code: string };

export interface SendOptions {
  /** TOP's number of body lines; undefined sends the whole message. */
  readonly bodyLines: number | undefined;
  /** What LIST said, if it said anything; never announced unless the message has it. */
  readonly expectedOctets: number | undefined;
  readonly texts: Texts;
}

/** Sends the message that `file` holds, from its begin; the caller closes it. */
export async function sendMessage(
  connection: Connection,
  file: MessageContent,
  options: SendOptions,
): Promise<SendResult> {
  const chunks: [Buffer, Buffer] = [takeChunk(), takeChunk()];
  let reading: Promise<number> | undefined;
  let begun = false;
  try {
    let bytes = await readChunk(file, chunks[0]);
    if (bytes < CHUNK_BYTES) {
      return { kind: "sent", octets: sendShortMessage(connection, chunks[0].subarray(0, bytes), options) };
    }
    const limiter = options.bodyLines === undefined ? undefined : new TopLimiter(options.bodyLines);
    if (limiter === undefined) {
      const octets = file.octets ?? (await file.countOctets());
      connection.reply(ok(options.texts.octets(octets)));
    } else {
      connection.reply(ok());
    }
    begun = true;
    const encoder = new MessageEncoder();
    for (;;) {
      const chunk = chunks[0].subarray(0, bytes);
      const wanted = limiter === undefined ? chunk : chunk.subarray(0, limiter.take(chunk));
      // The next chunk is read while this one is encoded and sent. A short chunk is the last one: its octets and the
      // termination leave in one write, because some clients stall on a termination split over two packets.
      let isLast = bytes < CHUNK_BYTES || limiter?.isDone === true;
      let nextBytes = 0;
      reading = isLast ? undefined : readChunk(file, chunks[1]);
      if (reading !== undefined && file.position >= file.bytes) {
        nextBytes = await reading;
        reading = undefined;
        isLast = nextBytes === 0;
      }
      const { buffer, offset } = connection.output.reserve(
        MessageEncoder.room(wanted.length) + MessageEncoder.FINISH_ROOM,
      );
      let end = encoder.encode(wanted, buffer, offset);
      if (isLast) end = encoder.finish(buffer, end);
      connection.output.commit(end);
      if (!(await connection.flush())) return { kind: "client-gone" };
      if (isLast) return { kind: "sent", octets: encoder.octets };
      bytes = reading === undefined ? nextBytes : await reading;
      reading = undefined;
      chunks.reverse();
    }
  } catch (error) {
    return { kind: "unreadable", begun, code: (error as NodeJS.ErrnoException).code ?? String(error) };
  } finally {
    // A chunk that is still being read into belongs to that read.
    await reading?.catch(() => {});
    chunks.forEach(giveBackChunk);
  }
}

/**
 * Sends a message that one chunk holds whole, at once: it is counted while it is encoded, so what is announced is always
 * right. Returns its octets as `SendResult` counts them.
 */
export function sendShortMessage(
  connection: Connection,
  bytes: Uint8Array,
  { bodyLines, expectedOctets, texts }: SendOptions,
): number {
  const encoder = new MessageEncoder();
  const wanted = bodyLines === undefined ? bytes : bytes.subarray(0, new TopLimiter(bodyLines).take(bytes));
  const statusLine = bodyLines === undefined ? ok(texts.octets(expectedOctets ?? bytes.length)) : ok();
  let said = statusLine;
  const { buffer, offset } = connection.output.reserve(
    STATUS_LINE_ROOM + MessageEncoder.room(wanted.length) + MessageEncoder.FINISH_ROOM,
  );
  const begin = offset + buffer.write(statusLine, offset, "latin1");
  let end = encoder.finish(buffer, encoder.encode(wanted, buffer, begin));
  if (bodyLines === undefined && encoder.octets !== (expectedOctets ?? bytes.length)) {
    const correct = ok(texts.octets(encoder.octets));
    buffer.copyWithin(offset + correct.length, begin, end);
    buffer.write(correct, offset, "latin1");
    end += correct.length - statusLine.length;
    said = correct;
  }
  connection.output.commit(end);
  connection.told(said);
  return encoder.octets;
}

/** "+OK 16-digit octets" and CRLF in any language, with room to spare. */
const STATUS_LINE_ROOM = 64;

/** Fills the chunk; fewer bytes than it holds means that the file ended. */
async function readChunk(file: MessageContent, chunk: Buffer): Promise<number> {
  let length = 0;
  while (length < CHUNK_BYTES) {
    const bytes = await file.read(chunk, length, CHUNK_BYTES - length);
    if (bytes === 0) break;
    length += bytes;
    // A file of Maildir does not grow: what fstat said spares the read that would say "end".
    if (file.position >= file.bytes && length < CHUNK_BYTES) break;
  }
  return length;
}

const MAX_POOLED = 16;
const pool: Buffer[] = [];

function takeChunk(): Buffer {
  return pool.pop() ?? Buffer.allocUnsafeSlow(CHUNK_BYTES);
}

function giveBackChunk(chunk: Buffer): void {
  if (pool.length < MAX_POOLED) pool.push(chunk);
}
