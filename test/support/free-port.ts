// A TCP port of 127.0.0.1 that nothing listens on, for a server that a test starts.
import { randomInt } from "node:crypto";
import { createServer } from "node:net";

/**
 * Below the ports that Linux gives to connections of its own choice (ip_local_port_range, ip(7)): else any client of
 * another test may have it before the server does.
 */
const FIRST_PORT = 10_000;
const END_PORT = 32_000;

/** Free when this returns, and hardly anybody's soon: tests that run meanwhile draw from all the others. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(FIRST_PORT, END_PORT);
    if (await canListen(port)) return port;
  }
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EADDRINUSE") resolve(false);
      else reject(error);
    });
    server.listen({ host: "127.0.0.1", port }, () => server.close(() => resolve(true)));
  });
}
