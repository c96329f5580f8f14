// POP3S and STLS of the built server: certificates, versions, resumption, and what is refused without TLS.
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type MadeCertificate, makeCertificate } from "../../scripts/certificate.mjs";
import { asSent, layOutMaildir } from "../peers/support/maildir.ts";
import { Pop3Connection } from "../peers/support/pop3.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free-port.ts";
import { mailOwner } from "../support/mail-owner.ts";
import { childrenOf, octetsRead, octetsReadAtRest } from "../support/processes.ts";
import { type Settings, startServer, type TestServer } from "../support/server.ts";
import { claimCertificate, logInAtAuth } from "../support/tickets.ts";

const owner = mailOwner();
const large = Buffer.from(
  `Subject: large\n\n${randomBytes(3_000_000).toString("base64").replace(/.{76}/g, "$&\n")}\n`,
);
let home: string;
let server: TestServer;

const named = (keyType: "ec" | "rsa", ...names: string[]): Promise<MadeCertificate> =>
  makeCertificate({
    keyType,
    subject: `CN=${names[0]}`,
    names: names.map((value) => ({ type: "dns", value })),
  });

async function start(certificates: readonly MadeCertificate[], settings: Settings = {}): Promise<void> {
  home = mkdtempSync(join(tmpdir(), "dewey-tls-"));
  layOutMaildir(home, owner, new Map([["new/1.large", large]]));
  server = await startServer({
    accounts: [
      { user: "mrose", password: "secret", uid: owner.uid, gid: owner.gid, home },
      { user: "grace", password: "secret", uid: owner.uid, gid: owner.gid, home: join(home, "grace") },
    ],
    owner,
    certificates,
    settings,
  });
}

async function stop(): Promise<void> {
  await server.stop();
  rmSync(home, { recursive: true });
}

async function capabilities(connection: Pop3Connection): Promise<readonly string[]> {
  return (await connection.multiLine("CAPA")).body?.toString().trimEnd().split("\r\n") ?? [];
}

describe.each(["separate", "combined"] as const)("TLS, processes %s", (processes) => {
  let certificate: MadeCertificate;
  beforeAll(async () => {
    certificate = await named("ec", "pop.example.org");
    await start([certificate], { server: { processes } });
  });
  afterAll(stop);

  const open = () =>
    Pop3Connection.openTls(server.tlsPort, { ca: certificate.certificate, servername: "pop.example.org" });

  it("serves POP3S to its end: the message octet for octet, close_notify behind the last reply", async () => {
    const { connection, socket, greeting } = await open();
    expect(greeting).toEqual({ status: "+OK", text: "dewey POP3 server ready" });
    expect(socket.getProtocol()).toBe("TLSv1.3");
    expect(await capabilities(connection)).not.toContain("STLS");
    expect(await connection.command("STLS")).toEqual({ status: "-ERR", text: "TLS is active already" });
    await connection.command("USER mrose");
    expect((await connection.command("PASS secret")).status).toBe("+OK");
    const { body } = await connection.multiLine("RETR 1");
    expect(body?.equals(asSent(large))).toBe(true);
    const ended = once(socket, "end");
    expect((await connection.command("QUIT")).status).toBe("+OK");
    await ended;
    await connection.closed;
    const line = await eventually("the session in the log", () =>
      server.log().findLast(({ msg }) => msg === "session ended"),
    );
    expect(line).toMatchObject({ reason: "quit", tls: expect.stringMatching(/^TLSv1\.3 TLS_/) });
  });

  it("answers a client that sends everything and closes its side at once", async () => {
    const { connection } = await open();
    connection.sendLast("USER mrose\r\nPASS secret\r\nRETR 1\r\nQUIT\r\n");
    expect((await connection.reply()).status).toBe("+OK");
    expect((await connection.reply()).status).toBe("+OK");
    expect((await connection.multiLineReply()).body?.length).toBe(asSent(large).length);
    expect((await connection.reply()).text).toBe("dewey POP3 server signing off (1 messages left)");
    await connection.closed;
  });

  it.each(["TLSv1", "TLSv1.1"] as const)("refuses %s", async (version) => {
    const socket = connectTls({
      ...{ host: "127.0.0.1", port: server.tlsPort, rejectUnauthorized: false },
      ...{ minVersion: version, maxVersion: version, ciphers: "DEFAULT@SECLEVEL=0" },
    });
    const [error] = (await once(socket, "error")) as [NodeJS.ErrnoException];
    expect(error.code).toMatch(/ALERT_PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL/);
  });

  it("takes TLS 1.2, and lets nobody renegotiate", async () => {
    const { connection, socket } = await Pop3Connection.openTls(server.tlsPort, {
      ...{ ca: certificate.certificate, servername: "pop.example.org", maxVersion: "TLSv1.2" },
    });
    expect(socket.getProtocol()).toBe("TLSv1.2");
    const gone = once(socket, "error");
    socket.renegotiate({}, () => {});
    expect(String(await gone)).toContain("no renegotiation");
    connection.drop();
  });

  it("goes on where clients talk no TLS, break the handshake off, or send commands into it", async () => {
    const plain = connect({ host: "127.0.0.1", port: server.tlsPort });
    plain.end("USER mrose\r\n");
    plain.resume();
    await once(plain, "close");
    const half = connect({ host: "127.0.0.1", port: server.tlsPort });
    half.write(Uint8Array.of(0x16, 0x03, 0x01, 0x02, 0x00, 0x01));
    await once(half, "connect");
    half.destroy();
    const { connection } = await Pop3Connection.open(server.port);
    expect((await connection.command("STLS")).text).toBe("Begin TLS negotiation");
    connection.send("USER mrose\r\nPASS secret\r\n");
    await connection.closed;
    const again = await open();
    expect((await again.connection.command("QUIT")).status).toBe("+OK");
  });

  it("reads no more of a message than the kernel holds for a client that takes nothing, and goes on when it takes it", async () => {
    // With CRLF, so as many octets as sent.
    const message = Buffer.alloc(36_000_000, "0123456789\r\n");
    layOutMaildir(join(home, "grace"), owner, new Map([["new/1.huge", message]]));
    const { connection, socket } = await open();
    for (const line of ["USER grace", "PASS secret", "LIST 1"])
      expect((await connection.command(line)).status).toBe("+OK");
    const serving = childrenOf(server.pid).filter(({ role }) => role === "mailbox" || role === "combined");
    const before = new Map(serving.map(({ pid }) => [pid, octetsRead(pid)]));
    let received = 0;
    socket.on("data", (octets: Buffer) => {
      received += octets.length;
    });
    socket.pause();
    connection.send("RETR 1\r\n");
    await eventually("the download", () =>
      serving.some(({ pid }) => octetsRead(pid) > before.get(pid)! + 100_000),
    );
    for (const { pid } of serving)
      expect((await octetsReadAtRest(pid)) - before.get(pid)!).toBeLessThan(message.length / 2);
    socket.resume();
    const reply = `+OK ${message.length} octets\r\n`.length + message.length + ".\r\n".length;
    await eventually("the whole message", () => received === reply);
    connection.drop();
  });
});

describe("certificates", () => {
  let [first, second, secondRsa, wild]: MadeCertificate[] = [];
  let proxyPort: number;
  beforeAll(async () => {
    [first, second, secondRsa, wild] = await Promise.all([
      named("ec", "pop.example.org", "mail.example.org"),
      named("ec", "pop.example.net"),
      named("rsa", "pop.example.net"),
      named("ec", "*.example.com"),
    ]);
    proxyPort = await freePort();
    await start([first!, second!, secondRsa!, wild!], {
      server: { listen_tls_proxy: [`127.0.0.1:${proxyPort}`], proxy_networks: ["127.0.0.1"] },
    });
  });
  afterAll(stop);

  // Where the ClientHello is looked at, somebody has read from the connection before.
  it.each(["STLS", "a PROXY header"])("are chosen by the name behind %s, too", async (before) => {
    for (const [servername, commonName] of [
      ["pop.example.net", "pop.example.net"],
      ["unknown.example", "pop.example.org"],
    ] as const) {
      const socket = connect(before === "STLS" ? server.port : proxyPort, "127.0.0.1");
      if (before === "STLS") {
        const connection = Pop3Connection.over(socket);
        await connection.reply();
        expect((await connection.command("STLS")).text).toBe("Begin TLS negotiation");
        socket.removeAllListeners("data");
      } else {
        socket.write("PROXY TCP4 192.0.2.1 192.0.2.2 1000 995\r\n");
      }
      const secured = connectTls({ socket, servername, rejectUnauthorized: false });
      await once(secured, "secureConnect");
      expect(secured.getPeerCertificate().subject.CN).toBe(commonName);
      secured.destroy();
    }
  });

  it.each([
    ["pop.example.org", "pop.example.org"],
    ["MAIL.example.org", "pop.example.org"],
    ["pop.example.net", "pop.example.net"],
    ["any.example.com", "*.example.com"],
    ["any.other.example.com", "pop.example.org"],
    ["unknown.example", "pop.example.org"],
    [undefined, "pop.example.org"],
  ])("for %s is the one of %s", async (servername, commonName) => {
    const socket = connectTls({
      ...{ host: "127.0.0.1", port: server.tlsPort, rejectUnauthorized: false },
      ...(servername === undefined ? {} : { servername }),
    });
    await once(socket, "secureConnect");
    expect(socket.getPeerCertificate().subject.CN).toBe(commonName);
    socket.destroy();
  });

  it("of one name are ECDSA for those who know it, and RSA for the others", async () => {
    for (const [sigalgs, bits] of [
      ["ecdsa_secp256r1_sha256", 256],
      ["rsa_pss_rsae_sha256", 2048],
    ] as const) {
      const socket = connectTls({
        ...{
          host: "127.0.0.1",
          port: server.tlsPort,
          servername: "pop.example.net",
          rejectUnauthorized: false,
        },
        sigalgs,
      });
      await once(socket, "secureConnect");
      expect(socket.getPeerCertificate()).toMatchObject({ bits, subject: { CN: "pop.example.net" } });
      socket.destroy();
    }
  });
});

describe("session tickets", () => {
  afterEach(stop);

  /** Connects, and resolves with a ticket once the server has sent one. */
  async function visit(session?: Buffer): Promise<{ isReused: boolean; ticket: Buffer }> {
    const socket = connectTls({
      ...{
        host: "127.0.0.1",
        port: server.tlsPort,
        rejectUnauthorized: false,
        servername: "pop.example.org",
      },
      ...(session === undefined ? {} : { session }),
    });
    const ticket = once(socket, "session");
    await once(socket, "secureConnect");
    const isReused = socket.isSessionReused();
    socket.resume();
    const [given] = (await ticket) as [Buffer];
    socket.destroy();
    return { isReused, ticket: given };
  }

  it("hold in every login process, and after their process has died", async () => {
    await start([await named("ec", "pop.example.org")], { server: { login_processes: 4 } });
    let { ticket } = await visit();
    for (let i = 0; i < 20; i++) {
      const again = await visit(ticket);
      expect(again.isReused).toBe(true);
      ticket = again.ticket;
    }
    const logins = childrenOf(server.pid).filter(({ role }) => role === "login");
    for (const { pid } of logins) process.kill(pid, "SIGKILL");
    const old = new Set(logins.map(({ pid }) => pid));
    await eventually("new login processes", () => {
      const now = childrenOf(server.pid).filter(({ role, pid }) => role === "login" && !old.has(pid));
      return now.length === logins.length;
    });
    expect((await visit(ticket)).isReused).toBe(true);
  });

  it.each(["TLSv1.2", "TLSv1.3"] as const)(
    "are for names of one certificate alone, %s",
    async (maxVersion) => {
      await start([
        await named("ec", "pop.example.org", "mail.example.org"),
        await named("ec", "pop.example.net"),
      ]);
      const connectAs = (servername: string, session?: Buffer) =>
        connectTls({
          ...{ host: "127.0.0.1", port: server.tlsPort, rejectUnauthorized: false, servername, maxVersion },
          ...(session === undefined ? {} : { session }),
        });
      const first = connectAs("pop.example.org");
      const [ticket] = (await once(first.resume(), "session")) as [Buffer];
      first.destroy();
      for (const [servername, isReused] of [
        ["mail.example.org", true],
        ["pop.example.net", false],
      ] as const) {
        const again = connectAs(servername, ticket);
        await once(again, "secureConnect");
        expect(again.isSessionReused()).toBe(isReused);
        again.destroy();
      }
    },
  );

  it("survive a change of keys, and not two of them", async () => {
    await start([await named("ec", "pop.example.org")], { tls: { ticket_lifetime: "3s" } });
    // Each visit is given a ticket of the newest keys: followed for some changes, the chain never breaks.
    let { ticket } = await visit();
    const first = ticket;
    const beginMs = performance.now();
    while (performance.now() - beginMs < 7_000) {
      const again = await visit(ticket);
      expect(again.isReused).toBe(true);
      ticket = again.ticket;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    expect((await visit(first)).isReused).toBe(false);
  });
});

describe("without TLS", () => {
  beforeEach(async () => {
    await start([await named("ec", "pop.example.org")], { auth: { plaintext_without_tls: "never" } });
  });
  afterEach(stop);

  it("no password is taken, none is offered, and the reply says what to do", async () => {
    const { connection } = await Pop3Connection.open(server.port);
    const before = await capabilities(connection);
    expect(before).toContain("STLS");
    expect(before).not.toContain("USER");
    expect(before.filter((line) => /^SASL .*\b(?:PLAIN|LOGIN)\b/.test(line))).toEqual([]);
    const refusal = {
      status: "-ERR",
      text: "[AUTH] no password is taken without TLS, use STLS or POP3S",
    };
    for (const line of ["USER mrose", "PASS secret", "AUTH PLAIN AG1yb3NlAHNlY3JldA==", "AUTH LOGIN"]) {
      expect(await connection.command(line)).toEqual(refusal);
    }
    connection.drop();
    const { connection: secured } = await Pop3Connection.openTls(server.tlsPort, {
      rejectUnauthorized: false,
    });
    expect(await capabilities(secured)).toEqual(expect.arrayContaining(["USER"]));
    expect((await secured.command("AUTH PLAIN AG1yb3NlAHNlY3JldA==")).status).toBe("+OK");
    secured.drop();
  });
});

describe("without a certificate", () => {
  beforeEach(() => start([]));
  afterEach(stop);

  it("a login process is not believed that it has seen one of a client's", async () => {
    const run = join(server.folder, "run");
    await expect(claimCertificate(run, "mrose")).rejects.toThrow("auth refused");
    expect((await logInAtAuth(run, "mrose", "secret")).ticket).not.toBe("");
  });

  it("STLS is neither offered nor taken", async () => {
    const { connection } = await Pop3Connection.open(server.port);
    expect(await capabilities(connection)).not.toContain("STLS");
    expect(await connection.command("STLS")).toEqual({
      status: "-ERR",
      text: "this server has no certificate for TLS",
    });
    expect((await connection.command("USER mrose")).status).toBe("+OK");
    connection.drop();
  });
});
