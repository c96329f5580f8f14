// Octets of a message as sent, counted from its bytes as stored (RFC 1939 §11: "octets" are counted with CRLF line
// ends). Used by the mailbox process wherever a size is not known yet.
import { countBareLfs } from "../octets/line-ends.ts";
import type { Files } from "./files.ts";

const LF = 10;

/**
 * Counts chunk by chunk. An LF without a CR before it counts as CRLF; everything else counts as stored, a bare CR and
 * NUL included. A message that does not end in LF gets a CRLF, because the termination has to begin a line.
 */
export class OctetCounter {
  bytes = 0;
  #addedCrs = 0;
  #last = LF;

  add(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#addedCrs += countBareLfs(chunk, this.#last);
    this.#last = chunk[chunk.length - 1]!;
    this.bytes += chunk.length;
  }

  /** As sent if the message ended here; 0 for an empty one. */
  get octets(): number {
    return this.bytes + this.#addedCrs + (this.#last === LF ? 0 : 2);
  }
}

/**
 * Counts a whole file from its begin, with one buffer, whatever the size.
 *
 * @param expectedBytes what fstat(2) said; a short read there is taken for the end, which spares the read that says so
 * @param shouldStop asked between reads; true gives undefined
 * @throws what read(2) throws
 */
export async function countOctets(
  files: Pick<Files, "read">,
  fd: number,
  buffer: Buffer,
  expectedBytes: number,
  shouldStop: () => boolean = () => false,
): Promise<{ bytes: number; octets: number } | undefined> {
  const counter = new OctetCounter();
  for (;;) {
    const bytes = await files.read(fd, buffer, 0, buffer.length, counter.bytes);
    if (bytes > 0) counter.add(bytes === buffer.length ? buffer : buffer.subarray(0, bytes));
    if (bytes === 0 || (bytes < buffer.length && counter.bytes === expectedBytes)) {
      return { bytes: counter.bytes, octets: counter.octets };
    }
    if (shouldStop()) return undefined;
  }
}
