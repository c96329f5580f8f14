// Every way that a connection comes to TLS by, with everything that TLS is for, against the real server: what one way can, all can.
import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type MadeCertificate, makeCertificate } from "../../scripts/certificate.mjs";
import { asSent, layOutMaildir } from "../peers/support/maildir.ts";
import { Pop3Connection } from "../peers/support/pop3.ts";
import { freePort } from "../support/free-port.ts";
import { mailOwner } from "../support/mail-owner.ts";
import { ScramClient, scramField } from "../support/scram-client.ts";
import { startServer, type TestServer } from "../support/server.ts";

const base64 = (text: string): string => Buffer.from(text).toString("base64");
const message = Buffer.from(`Subject: large\n\n${".dot\nline\n".repeat(20_000)}`);
const names = ["pop.example.org", "pop.example.net"];
const proxyHeader = "PROXY TCP4 192.0.2.1 192.0.2.2 1000 995\r\n";

let folder: string;
let clientCertificate: MadeCertificate;
beforeAll(async () => {
  const owner = mailOwner();
  folder = mkdtempSync(join(tmpdir(), "dewey-ways-"));
  chmodSync(folder, 0o755);
  layOutMaildir(join(folder, "home"), owner, new Map([["new/1.large", message]]));
  const authority = await makeCertificate({ subject: "CN=clients", isAuthority: true });
  writeFileSync(join(folder, "clients.pem"), authority.certificate);
  clientCertificate = await makeCertificate({ subject: "CN=mrose", issuer: authority });
});
afterAll(() => rmSync(folder, { recursive: true }));

describe.each(["separate", "combined"] as const)("processes %s", (processes) => {
  let server: TestServer;
  let proxyPort: number;
  let tlsProxyPort: number;
  beforeAll(async () => {
    const owner = mailOwner();
    [proxyPort, tlsProxyPort] = [await freePort(), await freePort()];
    server = await startServer({
      accounts: [
        {
          user: "mrose",
          password: "pencil",
          field: scramField("SHA-256", "pencil"),
          uid: owner.uid,
          gid: owner.gid,
          home: join(folder, "home"),
        },
      ],
      owner,
      certificates: await Promise.all(
        names.map((name) =>
          makeCertificate({ subject: `CN=${name}`, names: [{ type: "dns", value: name }] }),
        ),
      ),
      settings: {
        server: {
          processes,
          listen_proxy: [`127.0.0.1:${proxyPort}`],
          listen_tls_proxy: [`127.0.0.1:${tlsProxyPort}`],
          proxy_networks: ["127.0.0.1"],
        },
        tls: { client_ca: join(folder, "clients.pem"), client_certificate_user: "cn" },
      },
    });
  });
  afterAll(async () => await server.stop());

  async function startTls(socket: Socket): Promise<Socket> {
    const connection = Pop3Connection.over(socket);
    await connection.reply();
    expect(await connection.command("STLS")).toEqual({ status: "+OK", text: "Begin TLS negotiation" });
    socket.removeAllListeners("data");
    return socket;
  }

  const ways: Readonly<Record<string, () => Promise<Socket>>> = {
    POP3S: async () => connect(server.tlsPort, "127.0.0.1"),
    STLS: async () => await startTls(connect(server.port, "127.0.0.1")),
    "POP3S behind a PROXY header": async () => {
      const socket = connect(tlsProxyPort, "127.0.0.1");
      socket.write(proxyHeader);
      return socket;
    },
    "STLS behind a PROXY header": async () => {
      const socket = connect(proxyPort, "127.0.0.1");
      socket.write(proxyHeader);
      return await startTls(socket);
    },
  };

  interface Opened {
    readonly connection: Pop3Connection;
    readonly socket: TLSSocket;
  }

  async function open(way: string, options: object = {}): Promise<Opened> {
    const socket = connectTls({
      socket: await ways[way]!(),
      servername: names[0],
      rejectUnauthorized: false,
      ...options,
    });
    await once(socket, "secureConnect");
    const connection = Pop3Connection.over(socket);
    if (way.startsWith("POP3S")) expect((await connection.reply()).status).toBe("+OK");
    return { connection, socket };
  }

  async function retrieveAndQuit({ connection }: Opened): Promise<void> {
    expect((await connection.multiLine("RETR 1")).body).toEqual(asSent(message));
    expect((await connection.command("QUIT")).status).toBe("+OK");
    await connection.closed;
  }

  describe.each(Object.keys(ways))("%s", (way) => {
    it.each(["TLSv1.2", "TLSv1.3"])(
      "has each name's certificate, and the whole message: %s",
      async (version) => {
        for (const servername of names) {
          const opened = await open(way, { servername, minVersion: version, maxVersion: version });
          expect(opened.socket.getPeerCertificate().subject.CN).toBe(servername);
          await opened.connection.command("USER mrose");
          expect((await opened.connection.command("PASS pencil")).text).toBe("Pass accepted");
          await retrieveAndQuit(opened);
        }
      },
    );

    it("lets in by the client's certificate", async () => {
      const opened = await open(way, {
        cert: clientCertificate.certificate,
        key: clientCertificate.privateKey,
      });
      expect((await opened.connection.command("AUTH EXTERNAL =")).text).toBe("Pass accepted");
      await retrieveAndQuit(opened);
    });

    it("lets in by SCRAM that is bound to the connection", async () => {
      const opened = await open(way);
      const client = new ScramClient({
        hash: "SHA-256",
        user: "mrose",
        password: "pencil",
        gs2Header: "p=tls-exporter,,",
        channelBinding: opened.socket.exportKeyingMaterial(32, "EXPORTER-Channel-Binding", Buffer.alloc(0)),
      });
      const { text } = await opened.connection.command(`AUTH SCRAM-SHA-256-PLUS ${base64(client.first)}`);
      const proof = await opened.connection.command(
        base64(client.final(Buffer.from(text, "base64").toString())),
      );
      expect(client.trusts(Buffer.from(proof.text, "base64").toString())).toBe(true);
      expect((await opened.connection.command("")).text).toBe("Pass accepted");
      await retrieveAndQuit(opened);
    });

    it.each(Object.keys(ways))("resumes a session begun by %s", async (other) => {
      const first = await open(other);
      const ticket = new Promise<Buffer>((resolve) => first.socket.once("session", resolve));
      // TLS 1.3 sends it behind the handshake.
      await first.connection.command("CAPA");
      const session = await ticket;
      first.connection.drop();
      const opened = await open(way, { session });
      expect(opened.socket.isSessionReused()).toBe(true);
      await opened.connection.command("USER mrose");
      expect((await opened.connection.command("PASS pencil")).text).toBe("Pass accepted");
      await retrieveAndQuit(opened);
    });
  });
});
