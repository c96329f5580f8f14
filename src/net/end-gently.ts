// Closes a client's connection so that it sees the last reply. Used by sessions and by the relay.
import type { Duplex } from "node:stream";

/** How long a client may take to read the last reply and close, ms. */
const LINGER_MS = 5_000;

/**
 * Ends our side, and reads on until the client closes too: closing with octets unread would make the kernel send RST, and
 * the client might never see the last reply. A client that doesn't close is cut off.
 */
export function endGently(socket: Duplex): void {
  if (socket.destroyed) return;
  socket.end();
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), LINGER_MS).unref();
  socket.once("close", () => clearTimeout(timer));
}
