// What a message becomes for a client that has not said UTF8, whole and in pieces, which must be the same.
import { expect } from "vitest";
import { Downgrade } from "../../src/mime/downgrade.ts";
import type { Surrogate } from "../../src/mime/surrogate.ts";

export function surrogateOf(make: () => Surrogate, message: Buffer, pieceBytes: number): Buffer {
  const surrogate = make();
  const pieces: Uint8Array[] = [];
  for (let begin = 0; begin < message.length; begin += pieceBytes) {
    // The chunk's memory is used again, as the sender does.
    const chunk = Buffer.from(message.subarray(begin, begin + pieceBytes));
    pieces.push(...surrogate.push(chunk));
    chunk.fill(0xff);
  }
  pieces.push(...surrogate.finish());
  return Buffer.concat(pieces);
}

/** As text, with LF line ends. */
export function downgraded(message: string, pieces = [1, 2, 3, 7, 64, 1000]): string {
  const bytes = Buffer.from(message);
  const whole = surrogateOf(() => new Downgrade(), bytes, Math.max(1, bytes.length));
  for (const pieceBytes of pieces)
    expect(surrogateOf(() => new Downgrade(), bytes, pieceBytes).equals(whole), `${pieceBytes}`).toBe(true);
  return whole.toString("utf8").replaceAll("\r\n", "\n");
}
