// A TCP port of 127.0.0.1 that nothing listens on, for a server that a test starts.
import { type AddressInfo, createServer } from "node:net";

/**
 * Lets the kernel choose a port and gives it back. It is free when this returns; the kernel hands out its ports in
 * turn, so that it will not give the same one to somebody else soon.
 */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host: "127.0.0.1", port: 0 }, resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}
