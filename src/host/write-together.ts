// Many short messages on one connection, of which those of one turn of the event loop leave in one write(2), since each wakes
// the process at the other end. Used on the connections between our own processes, and by auth for the MTA.
import type { Writable } from "node:stream";

/**
 * Before the stream is destroyed in the same turn, `uncork` sends what was written; `end` does so by itself.
 *
 * @returns false when the other end does not read what it is sent: "drain" follows
 */
export function writeTogether(
  stream: Writable,
  octets: Uint8Array | string,
  encoding: BufferEncoding = "utf8",
): boolean {
  if (stream.destroyed || stream.writableEnded) return true;
  if (stream.writableCorked === 0) {
    stream.cork();
    setImmediate(() => stream.uncork());
  }
  return stream.write(octets, encoding);
}
