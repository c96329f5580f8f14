// Looks at the begin of what a client sends, before the connection has an owner: a PROXY header, a ClientHello. Used by
// login processes.
import type * as net from "node:net";

/**
 * Reads until `parse` knows enough, then puts back what it does not take. Leaves the socket paused.
 *
 * @param parse is given everything that has come so far; undefined: more is needed
 * @returns undefined when the client left before that
 */
export function readStart<T>(
  socket: net.Socket,
  parse: (octets: Buffer) => { readonly value: T; readonly taken: number } | undefined,
): Promise<T | undefined> {
  return new Promise((resolve) => {
    let received: Buffer = Buffer.alloc(0);
    const settle = (value: T | undefined, taken: number): void => {
      socket.off("data", onData);
      socket.off("end", onGone);
      socket.off("close", onGone);
      socket.pause();
      if (taken < received.length) socket.unshift(received.subarray(taken));
      resolve(value);
    };
    const onGone = (): void => settle(undefined, received.length);
    const onData = (chunk: Buffer): void => {
      received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
      const parsed = parse(received);
      if (parsed !== undefined) settle(parsed.value, parsed.taken);
    };
    socket.on("data", onData);
    socket.on("end", onGone);
    socket.on("close", onGone);
    socket.on("error", () => {
      // "close" follows.
    });
    // Whoever looked at it before has paused it, and listening alone does not undo that.
    if (socket.destroyed || socket.readableEnded) settle(undefined, 0);
    else socket.resume();
  });
}
