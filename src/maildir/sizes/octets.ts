// Octets of a message as sent, counted from its bytes as stored (RFC 1939 §11: "octets" are counted with CRLF line
// ends). Used by the mailbox process wherever a size is not known yet.
import { countLines, isAtLineBegin, newLineCount } from "../../octets/line-ends.ts";
import type { Files } from "../files/files.ts";

/**
 * Counts chunk by chunk. An LF without a CR before it counts as CRLF; everything else counts as stored, a bare CR and
 * NUL included. A message that does not end in LF gets a CRLF, because the termination has to begin a line.
 */
export class OctetCounter {
  bytes = 0;
  readonly #lines = newLineCount();

  add(chunk: Uint8Array): void {
    countLines(chunk, this.#lines);
    this.bytes += chunk.length;
  }

  /** As sent if the message ended here; 0 for an empty one. */
  get octets(): number {
    return this.bytes + this.#lines.bareLfs + (isAtLineBegin(this.#lines) ? 0 : 2);
  }

  /** Not all ASCII: its headers may be in UTF-8. */
  get hasEighthBit(): boolean {
    return this.#lines.hasEighthBit;
  }

  get hasEmptyLine(): boolean {
    return this.#lines.hasEmptyLine;
  }
}

/**
 * Counts a whole file from its begin, with one buffer, whatever the size.
 *
 * @param shouldStop asked between reads; true gives undefined
 * @throws what read(2) throws
 */
export async function countOctets(
  files: Pick<Files, "read">,
  fd: number,
  buffer: Buffer,
  expectedBytes: number,
  shouldStop?: () => boolean,
): Promise<OctetCounter | undefined> {
  const counter = new OctetCounter();
  const isWhole = await readThrough(
    files,
    { fd, buffer, expectedBytes },
    (chunk) => counter.add(chunk),
    shouldStop,
  );
  return isWhole ? counter : undefined;
}

/** @param expectedBytes what fstat(2) said; a short read there is taken for the end, which spares the read that says so */
export async function readThrough(
  files: Pick<Files, "read">,
  {
    fd,
    buffer,
    expectedBytes,
  }: { readonly fd: number; readonly buffer: Buffer; readonly expectedBytes: number },
  onChunk: (chunk: Buffer) => void,
  shouldStop: () => boolean = () => false,
): Promise<boolean> {
  for (let position = 0; ; ) {
    const bytes = await files.read(fd, buffer, 0, buffer.length, position);
    position += bytes;
    if (bytes > 0) onChunk(bytes === buffer.length ? buffer : buffer.subarray(0, bytes));
    if (bytes === 0 || (bytes < buffer.length && position === expectedBytes)) return true;
    if (shouldStop()) return false;
  }
}
