// Logs in by SMTP AUTH with SCRAM-SHA-256 after STARTTLS, which Python's smtplib cannot.
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { ScramClient } from "../../support/scram-client.ts";

/** @returns SMTP's code for AUTH; throws when the server does not prove that it knows the password */
export async function smtpScramLogin(port: number, user: string, password: string): Promise<string> {
  const plain = connect({ host: "127.0.0.1", port });
  const greeted = replies(plain);
  await greeted();
  await send(plain, "EHLO client.test", greeted);
  await send(plain, "STARTTLS", greeted);
  plain.removeAllListeners("data");
  const socket = connectTls({ socket: plain, rejectUnauthorized: false });
  const next = replies(socket);
  try {
    const features = await send(socket, "EHLO client.test", next);
    if (!/^250.AUTH .*\bSCRAM-SHA-256\b/m.test(features)) throw new Error(`no SCRAM-SHA-256: ${features}`);
    const client = new ScramClient({ hash: "SHA-256", user, password });
    const first = await send(socket, `AUTH SCRAM-SHA-256 ${base64(client.first)}`, next);
    const final = await send(socket, base64(client.final(challengeOf(first))), next);
    if (!final.startsWith("334")) return final.slice(0, 3);
    if (!client.trusts(challengeOf(final))) throw new Error(`not the server's signature: ${final}`);
    return (await send(socket, "", next)).slice(0, 3);
  } finally {
    socket.destroy();
  }
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}

function challengeOf(reply: string): string {
  return Buffer.from(reply.slice("334 ".length), "base64").toString();
}

async function send(socket: Socket, line: string, next: () => Promise<string>): Promise<string> {
  socket.write(`${line}\r\n`);
  return await next();
}

/** Gives the server's replies one after the other. */
function replies(socket: Socket): () => Promise<string> {
  let received = "";
  let fault: Error | undefined;
  let wake = (): void => {};
  socket.on("data", (octets: Buffer) => {
    received += octets.toString("latin1");
    wake();
  });
  const fail = (error?: Error): void => {
    fault ??= error ?? new Error("the SMTP server closed the connection");
    wake();
  };
  socket.on("error", fail);
  socket.on("close", () => fail());
  return async () => {
    for (;;) {
      const reply = /^(?:\d{3}-[^\n]*\n)*\d{3}(?: [^\n]*)?\n/.exec(received)?.[0];
      if (reply !== undefined) {
        received = received.slice(reply.length);
        return reply.trim();
      }
      if (fault !== undefined) throw fault;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
}
