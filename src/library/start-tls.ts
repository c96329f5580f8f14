// STLS for the library's user: TLS over whatever stream the session has.
import type { Duplex } from "node:stream";
import { createSecureContext, type SecureContext, type SecureContextOptions, TLSSocket } from "node:tls";
import { type TlsFacts, tlsFacts } from "../net/tls-facts.ts";

export type StartedTls =
  | { readonly kind: "secured"; readonly socket: TLSSocket; readonly tls: TlsFacts }
  | { readonly kind: "failed"; readonly reason: string };

/** What comes next on the stream is a handshake. */
export function startTls(stream: Duplex, tls: SecureContextOptions | SecureContext): Promise<StartedTls> {
  const socket = new TLSSocket(stream, { isServer: true, secureContext: contextOf(tls) });
  return new Promise((resolve) => {
    const fail = (reason: string): void => {
      socket.destroy();
      stream.destroy();
      resolve({ kind: "failed", reason });
    };
    // "error" comes with no "close" where the stream is no socket; a second one finds nobody waiting.
    socket.on("error", (error: NodeJS.ErrnoException) => fail(error.code ?? error.message));
    socket.once("close", () => fail("closed"));
    stream.once("close", () => fail("closed"));
    socket.once("secure", () => {
      // Nothing needs a second handshake, and it costs us more than whoever asks for it.
      socket.disableRenegotiation();
      resolve({ kind: "secured", socket, tls: tlsFacts(socket, "email") });
    });
  });
}

/** Certificates are read once, not for each client, where the same object is given again. */
const contexts = new WeakMap<object, SecureContext>();

function contextOf(tls: SecureContextOptions | SecureContext): SecureContext {
  if ("context" in tls) return tls;
  const known = contexts.get(tls) ?? createSecureContext(tls);
  contexts.set(tls, known);
  return known;
}
