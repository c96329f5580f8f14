// Closes a client's connection so that it sees the last reply. Used by sessions and by the relay.
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";

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

/**
 * For a client that has asked for the end, and so sends nothing more: closed as soon as the kernel has the last reply. Over TLS it
 * is still told that this was the end (close_notify, RFC 8446 §6.1).
 *
 * @param hasSentMore it does send more: then as `endGently`
 */
export function endAsAsked(socket: Duplex, hasSentMore: boolean): void {
  const isPlain = socket instanceof Socket && !(socket instanceof TLSSocket);
  // Behind what the runtime does after a write: it would make an Error for a stream that is destroyed by then.
  if (isPlain && !hasSentMore && socket.writableLength === 0) process.nextTick(() => socket.destroy());
  else endGently(socket);
}
