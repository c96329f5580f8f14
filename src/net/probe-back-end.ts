// Asks a POP3 server behind a proxy whether it serves: by its greeting, since the kernel accepts connections for a process
// that hangs. Called by the auth process for nginx's back ends.
import { connect } from "node:net";
import type { ListenAddress } from "./address.ts";

export type Probed =
  | { readonly kind: "serves" }
  /** `isCertain`: nobody is there; else it was only too slow, which one lost packet may be. */
  | { readonly kind: "silent"; readonly reason: string; readonly isCertain: boolean };

export function probeBackEnd({ host, port }: ListenAddress, patienceMs: number): Promise<Probed> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    let said = "";
    const settle = (probed: Probed): void => {
      clearTimeout(timer);
      resolve(probed);
    };
    const timer = setTimeout(() => {
      settle({ kind: "silent", reason: `no greeting within ${patienceMs} ms`, isCertain: false });
      socket.destroy();
    }, patienceMs);
    socket.setEncoding("latin1");
    socket.on("connect", () => socket.write(PROXY_LOCAL));
    socket.on("data", (text: string) => {
      said += text;
      if (said.length < GREETING.length) return;
      if (said.startsWith(GREETING)) settle({ kind: "serves" });
      else settle({ kind: "silent", reason: "no POP3 server's greeting", isCertain: true });
      socket.end("QUIT\r\n");
      socket.setTimeout(patienceMs, () => socket.destroy());
    });
    socket.on("error", (error: NodeJS.ErrnoException) =>
      settle({
        kind: "silent",
        reason: error.code ?? error.message,
        isCertain: error.code === "ECONNREFUSED",
      }),
    );
    socket.on("close", () => settle({ kind: "silent", reason: "closed the connection", isCertain: false }));
  });
}

const GREETING = "+OK";

/**
 * A PROXY header of version 2 that says LOCAL: the proxy itself, for a health check. To a server that expects none it is a
 * malformed command, which comes after its greeting.
 */
const PROXY_LOCAL = Buffer.from("0d0a0d0a000d0a515549540a20000000", "hex");
