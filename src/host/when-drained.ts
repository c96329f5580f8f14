// Waits for a socket's other end to take what it was sent.
import type { Duplex } from "node:stream";

/** Resolves when the socket has room again, or is closed. */
export function whenDrained(socket: Duplex): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off("drain", done);
      socket.off("close", done);
      resolve();
    };
    socket.on("drain", done);
    socket.on("close", done);
  });
}
