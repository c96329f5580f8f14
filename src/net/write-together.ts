// Many short messages on one connection, of which those of one turn of the event loop leave in one write.
import type { Writable } from "node:stream";

export function writeTogether(stream: Writable, octets: Uint8Array | string): void {
  if (stream.destroyed || stream.writableEnded) return;
  if (stream.writableCorked === 0) {
    stream.cork();
    setImmediate(() => stream.uncork());
  }
  stream.write(octets, "latin1");
}
