// Speaks to auth and to a mailbox process as a login process does, to see what they do when it is not an honest one.
import { connect } from "node:net";
import { join } from "node:path";
import { AuthClient, type AuthRequest } from "../../src/auth/client.ts";

export interface Login {
  readonly ticket: string;
  readonly place: string;
}

/** What auth gives a login process for this user and password. @throws Error when auth refuses */
export function logInAtAuth(runtimeDir: string, user: string, password: string): Promise<Login> {
  const initialResponse = Buffer.from(`\0${user}\0${password}`).toString("base64");
  return requestLogin(runtimeDir, { mechanism: "PLAIN", initialResponse });
}

/** The same where the login process says that the user's certificate was verified. */
export function claimCertificate(runtimeDir: string, user: string): Promise<Login> {
  return requestLogin(runtimeDir, {
    mechanism: "EXTERNAL",
    initialResponse: "",
    clientCertificateUser: user,
  });
}

async function requestLogin(
  runtimeDir: string,
  request: Pick<AuthRequest, "mechanism" | "initialResponse" | "clientCertificateUser">,
): Promise<Login> {
  const auth = new AuthClient({
    path: join(runtimeDir, "auth-login.sock"),
    pid: process.pid,
    onEvent: () => {},
  });
  try {
    const fields = await new Promise<ReadonlyMap<string, string>>((resolve, reject) => {
      auth.start(
        {
          ...request,
          service: "pop3",
          secured: true,
          session: "5e55104",
          remoteAddress: "127.0.0.1",
          localAddress: "127.0.0.1",
          remotePort: 1,
          localPort: 110,
          offered: [request.mechanism],
        },
        {
          challenge: () => {},
          ok: resolve,
          failed: (failure) => reject(new Error(`auth refused: ${failure.code}`)),
        },
      );
    });
    return { ticket: fields.get("ticket") ?? "", place: fields.get("place") ?? "" };
  } finally {
    auth.close();
  }
}

/** Shows a mailbox process a ticket, with QUIT behind it. @returns everything it says until it closes; "" if nothing */
export function showTicket(runtimeDir: string, place: string, ticket: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(join(runtimeDir, `${place}.sock`));
    let said = "";
    socket.on("data", (octets) => {
      said += octets.toString("latin1");
    });
    socket.once("error", reject);
    socket.once("close", () => resolve(said));
    socket.write(`${ticket}\nQUIT\r\n`);
  });
}
