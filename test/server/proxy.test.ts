// Listeners behind a proxy: the PROXY header, whose address counts, and who may send it.
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeCertificate } from "../../scripts/certificate.mjs";
import { layOutMaildir } from "../peers/support/maildir.ts";
import { Pop3Connection } from "../peers/support/pop3.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free-port.ts";
import { mailOwner } from "../support/mail-owner.ts";
import { countedBy } from "../support/pop3-ctl.ts";
import { childrenOf } from "../support/processes.ts";
import { startServer, type TestServer } from "../support/server.ts";

const owner = mailOwner();
const SIGNATURE = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
const LOCAL = Buffer.concat([SIGNATURE, Buffer.from([0x20, 0, 0, 0])]);
const PROXIED_TLS = Buffer.concat([
  ...[SIGNATURE, Buffer.from([0x21, 0x11, 0, 12 + 3 + 5])],
  Buffer.from([192, 0, 2, 9, 198, 51, 100, 7, 0, 1, 0, 110]),
  Buffer.from([0x20, 0, 5, 0x01, 0, 0, 0, 0]),
]);

let server: TestServer;
let home: string;
let port: number;
let tlsPort: number;

async function start(settings: { networks?: readonly string[]; endsTls?: boolean } = {}): Promise<void> {
  home = mkdtempSync(join(tmpdir(), "dewey-proxy-"));
  layOutMaildir(home, owner, new Map());
  [port, tlsPort] = [await freePort(), await freePort()];
  server = await startServer({
    accounts: [{ user: "mrose", password: "secret", uid: owner.uid, gid: owner.gid, home }],
    owner,
    certificates: [await makeCertificate()],
    settings: {
      server: {
        listen_proxy: [`127.0.0.1:${port}`],
        listen_tls_proxy: [`127.0.0.1:${tlsPort}`],
        proxy_networks: settings.networks ?? ["127.0.0.0/8"],
        proxy_ends_tls: settings.endsTls ?? false,
      },
    },
  });
}

afterEach(async () => {
  await server.stop();
  rmSync(home, { recursive: true });
});

async function open(...pieces: readonly (string | Buffer)[]): Promise<Pop3Connection> {
  const socket = connect({ host: "127.0.0.1", port, noDelay: true });
  const connection = Pop3Connection.over(socket);
  for (const piece of pieces) {
    socket.write(piece);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  expect((await connection.reply()).status).toBe("+OK");
  return connection;
}

const takesPasswords = async (connection: Pop3Connection): Promise<boolean> => {
  const { status } = await connection.command("USER mrose");
  connection.drop();
  return status === "+OK";
};

const closesWithoutAWord = async (socket: Socket): Promise<void> => {
  let said = "";
  socket.on("data", (octets: Buffer) => {
    said += octets.toString("latin1");
  });
  // Octets of ours that nobody read make it a reset.
  socket.on("error", () => {});
  await new Promise((resolve) => socket.once("close", resolve));
  expect(said).toBe("");
};

describe("a listener behind a proxy", () => {
  beforeEach(() => start());

  it("takes the header whole, in pieces, and with the client's commands behind it", async () => {
    const header = "PROXY TCP4 127.0.0.8 127.0.0.1 1024 110\r\n";
    for (const pieces of [[header], ["PROXY TC", header.slice(8)], [`${header}NOOP\r\n`]]) {
      const connection = await open(...pieces);
      if (pieces[0]?.endsWith("NOOP\r\n")) expect((await connection.reply()).status).toBe("-ERR");
      expect((await connection.command("USER mrose")).status).toBe("+OK");
      expect((await connection.command("PASS secret")).status).toBe("+OK");
      expect((await connection.command("QUIT")).status).toBe("+OK");
    }
    await eventually(
      "three sessions",
      () => server.log().filter(({ msg }) => msg === "session ended").length === 3,
    );
    const addresses = server
      .log()
      .filter(({ msg }) => msg === "session ended")
      .map((line) => line["address"]);
    expect(addresses).toEqual(["127.0.0.8", "127.0.0.8", "127.0.0.8"]);
  });

  it("counts the client's address, not the proxy's: no password without TLS from afar", async () => {
    expect(await takesPasswords(await open("PROXY TCP4 192.0.2.9 127.0.0.1 1024 110\r\n"))).toBe(false);
    expect(await takesPasswords(await open("PROXY TCP6 ::1 ::1 1024 110\r\n"))).toBe(true);
    // Nobody knows who these are.
    expect(await takesPasswords(await open("PROXY UNKNOWN\r\n"))).toBe(false);
    expect(await takesPasswords(await open(LOCAL))).toBe(false);
    // The proxy's word for TLS counts only where the config says so.
    expect(await takesPasswords(await open(PROXIED_TLS))).toBe(false);
  });

  it("finds the header before TLS", async () => {
    for (const isTogether of [false, true]) {
      const socket = connect({ host: "127.0.0.1", port: tlsPort });
      const header = "PROXY TCP4 192.0.2.9 198.51.100.7 1024 995\r\n";
      if (isTogether) {
        // In one packet with the ClientHello.
        socket.cork();
        setImmediate(() => socket.uncork());
      }
      socket.write(header);
      const secured = connectTls({ socket, rejectUnauthorized: false });
      await once(secured, "secureConnect");
      const connection = Pop3Connection.over(secured);
      expect((await connection.reply()).status).toBe("+OK");
      await connection.command("USER mrose");
      expect((await connection.command("PASS secret")).status).toBe("+OK");
      await connection.command("QUIT");
      await connection.closed;
    }
    const line = await eventually("the session", () =>
      server.log().findLast(({ msg }) => msg === "session ended"),
    );
    expect(line).toMatchObject({ address: "192.0.2.9", tls: expect.stringContaining("TLSv1.3") });
  });

  it("drops who brings no header, at once or in time, and says so", async () => {
    for (const start of ["USER mrose\r\n", "PROXY TCP4 192.0.2.9\r\n", Buffer.from([22, 3, 1, 2, 0, 1])]) {
      const socket = connect({ host: "127.0.0.1", port });
      socket.write(start);
      await closesWithoutAWord(socket);
    }
    const silent = connect({ host: "127.0.0.1", port });
    await closesWithoutAWord(silent);
    // That one's client talks no TLS, which is no fault of the proxy's.
    const behind = connect({ host: "127.0.0.1", port: tlsPort });
    behind.write("PROXY TCP4 192.0.2.9 198.51.100.7 1024 995\r\nUSER mrose\r\n");
    await new Promise((resolve) =>
      behind
        .resume()
        .on("error", () => {})
        .once("close", resolve),
    );
    await eventually("the reasons", async () => {
      const lines = server.log().filter(({ msg }) => msg === "connection did not arrive");
      // One of each reason in each login process.
      expect(lines.every(({ level }) => level === "warn")).toBe(true);
      const reasons = [...new Set(lines.map(({ reason }) => reason))].sort();
      const counted = await countedBy(server, "proxies_refused");
      return reasons.length === 3 && Object.values(counted).reduce((sum, each) => sum + each, 0) === 4;
    });
    expect(await countedBy(server, "proxies_refused")).toEqual({
      "no PROXY header": 2,
      "no PROXY header in time": 1,
      "version 1: not of the form PROXY TCP4 address address port port": 1,
    });
  });
});

describe("a listener behind a proxy elsewhere", () => {
  beforeEach(() => start({ networks: ["192.0.2.0/24", "2001:db8::/32"] }));

  it("gives strangers no answer, whatever header they bring", async () => {
    const socket = connect({ host: "127.0.0.1", port });
    socket.write("PROXY TCP4 192.0.2.9 127.0.0.1 1024 110\r\nUSER mrose\r\n");
    await closesWithoutAWord(socket);
    await eventually("the reason", () =>
      server.log().some((line) => line["reason"] === "not in server.proxy_networks"),
    );
    // However many come: each login process has told of the first one, and counts the others.
    const strangers = Array.from({ length: 200 }, () => connect({ host: "127.0.0.1", port }));
    await Promise.all(strangers.map(closesWithoutAWord));
    const refused = () => countedBy(server, "proxies_refused");
    await eventually(
      "all of them counted",
      async () => (await refused())["not in server.proxy_networks"] === 201,
    );
    const lines = server.log().filter(({ msg }) => msg === "connection did not arrive");
    expect(lines.length).toBeLessThanOrEqual(
      childrenOf(server.pid).filter(({ role }) => role === "login").length,
    );
    // The other listeners want no header, and take none.
    const { connection } = await Pop3Connection.open(server.port);
    expect((await connection.command("PROXY TCP4 192.0.2.9 127.0.0.1 1024 110")).status).toBe("-ERR");
    connection.drop();
  });
});

describe("a listener behind a proxy that ends TLS", () => {
  beforeEach(() => start({ endsTls: true }));

  it("takes passwords where the proxy tells of TLS, and offers no STLS there", async () => {
    const connection = await open(PROXIED_TLS);
    const { body } = await connection.multiLine("CAPA");
    expect(body?.toString()).toMatch(/^USER\r$/m);
    expect(body?.toString()).not.toMatch(/^STLS\r$/m);
    expect(await takesPasswords(connection)).toBe(true);
    expect(await takesPasswords(await open("PROXY TCP4 192.0.2.9 127.0.0.1 1024 110\r\n"))).toBe(false);
  });
});
