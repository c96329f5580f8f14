// The mechanisms that rely on TLS, against the real server: SCRAM bound to its connection, and client certificates.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type MadeCertificate, makeCertificate, makeRevocationList } from "../../scripts/certificate.mjs";
import { layOutMaildir } from "../peers/support/maildir.ts";
import { Pop3Connection, type Pop3Reply } from "../peers/support/pop3.ts";
import { eventually } from "../support/eventually.ts";
import { mailOwner } from "../support/mail-owner.ts";
import { ScramClient, scramField } from "../support/scram-client.ts";
import { startServer, type TestServer } from "../support/server.ts";

const base64 = (text: string): string => Buffer.from(text).toString("base64");
const from64 = (text: string): string => Buffer.from(text, "base64").toString();

let folder: string;
let server: TestServer;
let certificate: MadeCertificate;
let authority: MadeCertificate;

beforeAll(async () => {
  const owner = mailOwner();
  folder = mkdtempSync(join(tmpdir(), "dewey-mechanisms-"));
  chmodSync(folder, 0o755);
  layOutMaildir(join(folder, "home"), owner);
  certificate = await makeCertificate({
    subject: "CN=localhost",
    names: [{ type: "dns", value: "localhost" }],
  });
  authority = await makeCertificate({ subject: "CN=clients", isAuthority: true });
  writeFileSync(join(folder, "clients.pem"), authority.certificate);
  writeFileSync(join(folder, "revoked.pem"), await makeRevocationList({ issuer: authority }));
  const account = { password: "pencil", uid: owner.uid, gid: owner.gid, home: join(folder, "home") };
  server = await startServer({
    accounts: [
      { ...account, user: "mrose", field: scramField("SHA-256", "pencil") },
      { ...account, user: "keyless", field: "" },
      { ...account, user: "locked", field: "!{PLAIN}pencil" },
    ],
    owner,
    certificates: [certificate],
    settings: {
      tls: {
        client_ca: join(folder, "clients.pem"),
        client_crl: join(folder, "revoked.pem"),
        client_certificate_user: "cn",
      },
    },
  });
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

interface Opened {
  readonly connection: Pop3Connection;
  readonly socket: TLSSocket;
  readonly mechanisms: string;
}

async function open(options: object = {}): Promise<Opened> {
  const { connection, socket } = await Pop3Connection.openTls(server.tlsPort, {
    ca: certificate.certificate,
    servername: "localhost",
    ...options,
  });
  const capabilities = (await connection.multiLine("CAPA")).body?.toString() ?? "";
  return { connection, socket, mechanisms: /^SASL (.*)\r$/m.exec(capabilities)?.[1] ?? "" };
}

async function logIn(connection: Pop3Connection, mechanism: string, client: ScramClient): Promise<Pop3Reply> {
  const challenge = await connection.command(`AUTH ${mechanism} ${base64(client.first)}`);
  if (challenge.status !== "+") return challenge;
  const proof = await connection.command(base64(client.final(from64(challenge.text))));
  if (proof.status !== "+") return proof;
  expect(client.trusts(from64(proof.text))).toBe(true);
  return await connection.command("");
}

const user = { hash: "SHA-256", user: "mrose", password: "pencil" } as const;
const bound = (socket: TLSSocket): ScramClient =>
  new ScramClient({
    ...user,
    gs2Header: "p=tls-exporter,,",
    channelBinding: socket.exportKeyingMaterial(32, "EXPORTER-Channel-Binding", Buffer.alloc(0)),
  });

describe("SCRAM-SHA-256-PLUS", () => {
  it("binds to the connection by tls-exporter under TLS 1.3, and CAPA stays the same after login", async () => {
    const { connection, socket, mechanisms } = await open();
    expect(mechanisms).toBe("PLAIN LOGIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS");
    expect(await logIn(connection, "SCRAM-SHA-256-PLUS", bound(socket))).toEqual({
      status: "+OK",
      text: "Pass accepted",
    });
    const after = (await connection.multiLine("CAPA")).body?.toString();
    expect(after).toContain(`SASL ${mechanisms}\r\n`);
    await connection.command("QUIT");
  });

  it("refuses what is bound to another connection, and a client that was not shown -PLUS", async () => {
    const other = await open();
    const { connection } = await open();
    expect((await logIn(connection, "SCRAM-SHA-256-PLUS", bound(other.socket))).text).toMatch(/^\[AUTH\]/);
    const robbed = new ScramClient({ ...user, gs2Header: "y,," });
    expect((await logIn(connection, "SCRAM-SHA-256", robbed)).text).toMatch(/^\[AUTH\]/);
    expect((await logIn(connection, "SCRAM-SHA-256", new ScramClient(user))).status).toBe("+OK");
    await connection.command("QUIT");
    other.connection.drop();
  });

  it("is not offered where nothing binds: under TLS 1.2, and without TLS", async () => {
    const { connection, mechanisms } = await open({ maxVersion: "TLSv1.2" });
    expect(mechanisms).toBe("PLAIN LOGIN SCRAM-SHA-256");
    expect(
      (await logIn(connection, "SCRAM-SHA-256", new ScramClient({ ...user, gs2Header: "y,," }))).status,
    ).toBe("+OK");
    await connection.command("QUIT");
    const plain = (await Pop3Connection.open(server.port)).connection;
    expect((await plain.multiLine("CAPA")).body?.toString()).toContain("SASL PLAIN LOGIN SCRAM-SHA-256\r\n");
    plain.drop();
  });
});

describe("EXTERNAL", () => {
  const openAs = async (name: string, issuer = authority): Promise<Opened> => {
    const own = await makeCertificate({ subject: `CN=${name}`, issuer });
    return await open({ cert: own.certificate, key: own.privateKey });
  };

  it.each(["mrose", "keyless"])("lets %s in by a certificate of the authority", async (name) => {
    const { connection, mechanisms } = await openAs(name);
    expect(mechanisms).toContain("EXTERNAL");
    expect(await connection.command("AUTH EXTERNAL =")).toEqual({ status: "+OK", text: "Pass accepted" });
    await connection.command("QUIT");
  });

  it("asks where there was no initial response, and takes the certificate's own name for an authorization identity", async () => {
    const { connection } = await openAs("mrose");
    expect(await connection.command("AUTH EXTERNAL")).toEqual({ status: "+", text: "" });
    expect((await connection.command(base64("mrose"))).status).toBe("+OK");
    await connection.command("QUIT");
  });

  it.each([
    ["another's name", "mrose", base64("keyless")],
    ["a locked account", "locked", "="],
    ["a name without an account", "nobody", "="],
  ])("refuses %s", async (_, name, response) => {
    const { connection } = await openAs(name);
    expect((await connection.command(`AUTH EXTERNAL ${response}`)).text).toBe("[AUTH] authentication failed");
    connection.drop();
  });

  it("is not offered to whom another authority vouches for, or nobody", async () => {
    const strange = await makeCertificate({ subject: "CN=clients", isAuthority: true });
    for (const { connection, mechanisms } of [await openAs("mrose", strange), await open()]) {
      expect(mechanisms).not.toContain("EXTERNAL");
      expect((await connection.command("AUTH EXTERNAL =")).status).toBe("-ERR");
      connection.drop();
    }
  });

  it("is not offered for a certificate that was revoked, from when the list says so, and not by resuming", async () => {
    const own = await makeCertificate({ subject: "CN=mrose", issuer: authority });
    const as = { cert: own.certificate, key: own.privateKey };
    const before = await open({ ...as, maxVersion: "TLSv1.2" });
    expect(before.mechanisms).toContain("EXTERNAL");
    const session = before.socket.getSession();
    const revoke = async (revoked: readonly MadeCertificate[], nextUpdate?: Date): Promise<void> => {
      const request = { issuer: authority, revoked, ...(nextUpdate === undefined ? {} : { nextUpdate }) };
      writeFileSync(join(folder, "revoked.pem"), await makeRevocationList(request));
    };
    await revoke([own]);
    await eventually("EXTERNAL is gone", async () => {
      const { connection, mechanisms } = await open({ ...as, maxVersion: "TLSv1.2", session });
      connection.drop();
      return !mechanisms.includes("EXTERNAL");
    });
    const refusal = await eventually("the refusal in the log", () =>
      server.log().findLast(({ msg }) => msg === "client certificate refused"),
    );
    expect(refusal).toMatchObject({ level: "info", address: "127.0.0.1", reason: "CERT_REVOKED" });
    const other = await openAs("mrose");
    expect((await other.connection.command("AUTH EXTERNAL =")).status).toBe("+OK");
    await other.connection.command("QUIT");
    // Who was there before stays.
    expect((await before.connection.multiLine("CAPA")).status).toBe("+OK");
    before.connection.drop();

    writeFileSync(join(folder, "revoked.pem"), "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n");
    const damaged = await eventually("the refusal", () =>
      server.log().find(({ msg }) => msg === "refused, the old one stays"),
    );
    expect(damaged).toMatchObject({
      key: "tls.client_crl",
      file: join(folder, "revoked.pem"),
      reason: "its revocation list is damaged, fetch it anew",
    });
    await revoke([own], new Date(Date.now() - 3_600_000));
    await eventually("another refusal", () =>
      server.log().some(({ reason }) => typeof reason === "string" && reason.startsWith("has expired at")),
    );
    const still = await openAs("mrose");
    expect(still.mechanisms).toContain("EXTERNAL");
    still.connection.drop();
    await revoke([]);
    await eventually("EXTERNAL is back", async () => {
      const { connection, mechanisms } = await open(as);
      connection.drop();
      return mechanisms.includes("EXTERNAL");
    });
  });

  it("is not offered by resuming once the certificate has expired, ticket after ticket", async () => {
    const notAfter = new Date(Date.now() + 5_000);
    const own = await makeCertificate({ subject: "CN=mrose", issuer: authority, notAfter });
    await endsWhileResumed({ cert: own.certificate, key: own.privateKey });
    const refusal = await eventually("the refusal in the log", () =>
      server.log().findLast(({ msg }) => msg === "client certificate refused"),
    );
    expect(refusal).toMatchObject({ level: "info", address: "127.0.0.1", reason: "CERT_HAS_EXPIRED" });
  });

  it("is not offered by resuming once the authority's revocation list is out of date", async () => {
    const file = join(folder, "revoked.pem");
    const nextUpdate = new Date(Date.now() + 8_000);
    const read = `${nextUpdate.toISOString().slice(0, 19)}Z`;
    writeFileSync(file, await makeRevocationList({ issuer: authority, nextUpdate }));
    await eventually("the list is read", () =>
      server.log().some(({ msg, notAfter }) => msg === "revocation list read" && notAfter === read),
    );
    const own = await makeCertificate({ subject: "CN=mrose", issuer: authority });
    const as = { cert: own.certificate, key: own.privateKey };
    await endsWhileResumed(as);
    writeFileSync(file, await makeRevocationList({ issuer: authority }));
    await eventually("EXTERNAL is back", async () => {
      const { connection, mechanisms } = await open(as);
      connection.drop();
      return mechanisms.includes("EXTERNAL");
    });
  });

  /** Comes with the last connection's ticket each time, until EXTERNAL is not offered any more. */
  async function endsWhileResumed(as: object): Promise<void> {
    let session: Buffer | undefined;
    let resumed = 0;
    await eventually(
      "EXTERNAL is gone",
      async () => {
        const { connection, socket, mechanisms } = await open({ ...as, session });
        if (socket.isSessionReused() && mechanisms.includes("EXTERNAL")) resumed++;
        session = socket.getSession();
        connection.drop();
        return !mechanisms.includes("EXTERNAL");
      },
      20_000,
    );
    expect(resumed).toBeGreaterThan(0);
  }
});
