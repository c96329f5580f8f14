// Sends one message as RETR's or TOP's multi-line response, streaming: whatever its size, two chunks are in memory.
// What the status line announces is what follows. Runs in the mailbox process.
import { type Counted, type Presentation, presentedOctets } from "../../maildir/presentation.ts";
import { countWhole } from "../../maildir/sizes/count-message.ts";
import { OctetCounter } from "../../maildir/sizes/octets.ts";
import type { Connection } from "../../net/connection.ts";
import { CHUNK_BYTES } from "../../net/output-buffer.ts";
import { MessageEncoder, TopLimiter } from "../../pop3/multi-line-response.ts";
import { err, ok } from "../../pop3/reply.ts";
import type { Texts } from "../../pop3/texts/texts.ts";
import { Presenter } from "./presenter.ts";
import type { MessageContent } from "./session-maildrop.ts";

export type SendResult =
  | SentMessage
  | { readonly kind: "client-gone" }
  /** `begun`: the status line is out already. */
  | { readonly kind: "unreadable"; readonly begun: boolean; readonly code: string };

export type SentMessage =
  | {
      readonly kind: "sent";
      /** Without byte-stuffing and termination; for TOP, of what was sent. */
      readonly octets: number;
      /** Of the message itself; undefined for TOP. */
      readonly counted: Omit<Counted, "bytes"> | undefined;
    }
  /** It has headers in UTF-8, and the client has not said UTF8: it got -ERR. */
  | { readonly kind: "refused" };

export interface SendOptions {
  readonly messageNumber: number;
  /** TOP's number of body lines; undefined sends the whole message. */
  readonly bodyLines: number | undefined;
  readonly presentation: Presentation;
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
    if (bytes < CHUNK_BYTES)
      return sendShortMessage(connection, chunks[0].subarray(0, bytes), file.counted, options);
    const { bodyLines, presentation, texts } = options;
    const counted =
      reliable(file.counted, options) ??
      (needsCount(options) ? await file.count(presentation.surrogate) : undefined);
    if (isRefused(counted, presentation)) return refuse(connection, options);
    const limiter = bodyLines === undefined ? undefined : new TopLimiter(bodyLines);
    const isAnnounced = limiter === undefined && counted !== undefined;
    connection.reply(isAnnounced ? ok(texts.octets(presentedOctets(counted, presentation))) : ok());
    begun = true;
    const presenter = Presenter.for(counted?.traits, presentation);
    const encoder = new MessageEncoder();
    for (;;) {
      const chunk = chunks[0].subarray(0, bytes);
      // The next chunk is read while this one is encoded and sent. A short chunk is the last one: its octets and the
      // termination leave in one write, because some clients stall on a termination split over two packets.
      let isLast = bytes < CHUNK_BYTES;
      let nextBytes = 0;
      reading = isLast ? undefined : readChunk(file, chunks[1]);
      if (reading !== undefined && file.position >= file.bytes) {
        nextBytes = await reading;
        reading = undefined;
        isLast = nextBytes === 0;
      }
      encodePieces(connection, encoder, limiter, presenter === undefined ? [chunk] : presenter.push(chunk));
      if (isLast && presenter !== undefined) encodePieces(connection, encoder, limiter, presenter.finish());
      isLast ||= limiter?.isDone === true;
      if (isLast) finish(connection, encoder);
      if (!(await connection.flush())) return { kind: "client-gone" };
      if (isLast) {
        return {
          kind: "sent",
          octets: encoder.octets,
          counted:
            bodyLines === undefined
              ? presenter === undefined
                ? { ...counted!, octets: encoder.octets }
                : counted
              : undefined,
        };
      }
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
 * Sends a message that one chunk holds whole, at once: what is announced is always right.
 *
 * @param known of a file of that size
 */
export function sendShortMessage(
  connection: Connection,
  bytes: Uint8Array,
  known: Counted | undefined,
  options: SendOptions,
): SentMessage {
  const { bodyLines, presentation } = options;
  const counted =
    reliable(known, options) ?? (needsCount(options) ? countWhole(bytes, presentation.surrogate) : undefined);
  if (isRefused(counted, presentation)) return refuse(connection, options);
  const presenter = Presenter.for(counted?.traits, presentation);
  if (presenter !== undefined) {
    const octets = sendPresented(connection, [...presenter.push(bytes), ...presenter.finish()], options);
    return { kind: "sent", octets, counted: bodyLines === undefined ? counted : undefined };
  }
  const octets = sendAsStored(connection, bytes, counted?.octets ?? bytes.length, options);
  return {
    kind: "sent",
    octets,
    counted: bodyLines === undefined ? { octets, traits: counted?.traits } : undefined,
  };
}

/** Counted while it is encoded, whatever was expected. */
function sendAsStored(
  connection: Connection,
  bytes: Uint8Array,
  expectedOctets: number,
  { bodyLines, texts }: SendOptions,
): number {
  const encoder = new MessageEncoder();
  const wanted = bodyLines === undefined ? bytes : bytes.subarray(0, new TopLimiter(bodyLines).take(bytes));
  const statusLine = bodyLines === undefined ? ok(texts.octets(expectedOctets)) : ok();
  let said = statusLine;
  const { buffer, offset } = connection.output.reserve(
    STATUS_LINE_ROOM + MessageEncoder.room(wanted.length) + MessageEncoder.FINISH_ROOM,
  );
  const begin = offset + buffer.write(statusLine, offset, "latin1");
  let end = encoder.finish(buffer, encoder.encode(wanted, buffer, begin));
  if (bodyLines === undefined && encoder.octets !== expectedOctets) {
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

function sendPresented(
  connection: Connection,
  pieces: readonly Uint8Array[],
  { bodyLines, texts }: SendOptions,
): number {
  const limiter = bodyLines === undefined ? undefined : new TopLimiter(bodyLines);
  const counter = new OctetCounter();
  for (const piece of pieces) counter.add(piece);
  connection.reply(bodyLines === undefined ? ok(texts.octets(counter.octets)) : ok());
  const encoder = new MessageEncoder();
  encodePieces(connection, encoder, limiter, pieces);
  finish(connection, encoder);
  return encoder.octets;
}

function encodePieces(
  { output }: Connection,
  encoder: MessageEncoder,
  limiter: TopLimiter | undefined,
  pieces: readonly Uint8Array[],
): void {
  for (const piece of pieces) {
    if (limiter?.isDone === true) return;
    const wanted = limiter === undefined ? piece : piece.subarray(0, limiter.take(piece));
    // What takes a message's place may come in larger pieces than the message did.
    for (let begin = 0; begin < wanted.length; begin += CHUNK_BYTES) {
      const part = wanted.subarray(begin, begin + CHUNK_BYTES);
      const room = MessageEncoder.room(part.length) + MessageEncoder.FINISH_ROOM;
      const { buffer, offset } = output.reserve(room);
      output.commit(encoder.encode(part, buffer, offset));
    }
  }
}

function finish({ output }: Connection, encoder: MessageEncoder): void {
  const { buffer, offset } = output.reserve(MessageEncoder.FINISH_ROOM);
  output.commit(encoder.finish(buffer, offset));
}

/** TOP announces nothing: it has to know what a message is only where that decides what is sent. */
function needsCount({ bodyLines, presentation: { utf8Headers, workarounds } }: SendOptions): boolean {
  return bodyLines === undefined || utf8Headers !== "as-stored" || workarounds.length > 0;
}

/**
 * What takes a message's place is as long as this version and its libraries make it, which another may have counted: RETR counts
 * it anew, and what LIST tells is put right.
 */
function reliable(
  known: Counted | undefined,
  { bodyLines, presentation: { utf8Headers } }: SendOptions,
): Counted | undefined {
  const isMade = utf8Headers === "surrogate" && known?.traits?.surrogate !== undefined;
  return isMade && bodyLines === undefined ? undefined : known;
}

function isRefused(counted: Counted | undefined, { utf8Headers }: Presentation): boolean {
  return utf8Headers === "refused" && counted?.traits?.surrogate !== undefined;
}

function refuse(connection: Connection, { messageNumber, texts }: SendOptions): SentMessage {
  connection.reply(err(texts.needsUtf8(messageNumber), "UTF8"));
  return { kind: "refused" };
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
