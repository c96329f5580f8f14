// How many may come in: in all, from one address, for one account, and with few descriptors. At each limit a client is
// told so, the log has one line, and everybody else is served.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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
import { askServer, countedBy } from "../support/pop3-ctl.ts";
import { childrenOf } from "../support/processes.ts";
import { type ServerOptions, type Settings, startServer, type TestServer } from "../support/server.ts";

const owner = mailOwner();
let home: string;
let server: TestServer;
let connections: Pop3Connection[];

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "dewey-sessions-"));
  layOutMaildir(home, owner, new Map([["new/1.one", Buffer.from("A: 1\n\n")]]));
  connections = [];
});
afterEach(async () => {
  for (const connection of connections) connection.drop();
  await server.stop();
  rmSync(home, { recursive: true });
});

async function start(settings: Settings, options: Partial<ServerOptions> = {}): Promise<void> {
  const { uid, gid } = owner;
  server = await startServer({
    accounts: [{ user: "mrose", password: "secret", uid, gid, home }],
    owner,
    settings,
    ...options,
  });
}

/** Opens one more connection, which stays open if it was welcome. @returns the reply it was greeted with */
async function greeting(address = "127.0.0.1", port = server.port): Promise<string> {
  const { connection, greeting } = await Pop3Connection.open(port, address);
  connections.push(connection);
  if (greeting.status === "-ERR") await connection.closed;
  return `${greeting.status} ${greeting.text}`;
}

const WELCOME = "+OK dewey POP3 server ready";
const FULL = "-ERR [SYS/TEMP] too many connections, try again later";
const FULL_FROM_THERE =
  "-ERR [SYS/TEMP] too many connections from your address, close some or try again later";

/** A client may have its reply before the log has its line. */
const warnings = (limit: string) =>
  eventually(`the log tells of ${limit}`, () => {
    const lines = server.log().filter((line) => line["limit"] === limit);
    return lines.length > 0 && lines;
  });

describe.each(["separate", "combined"] as const)("limits of sessions, processes %s", (processes) => {
  it("sessions: as many as that in all processes, one line in the log, and room again when one leaves", async () => {
    await start({ server: { processes, login_processes: 2 }, limits: { sessions: 6 } });
    // Who has logged in stays; of the others, one may have to make room for the seventh, who came elsewhere at the same time.
    const session = await Pop3Connection.login(server.port, "mrose", "secret");
    connections.push(session);
    for (let i = 1; i < 6; i++) expect(await greeting(`127.0.0.${i + 1}`)).toBe(WELCOME);
    // Until each process has heard of the other's last one.
    await eventually("ten more refused in a row", async () => {
      for (let i = 0; i < 10; i++) if ((await greeting()) !== FULL) return false;
      return true;
    });
    // One process may still be as full as it knows, and have let in one too many: before that one is gone, nobody leaves.
    await eventually("no seventh", async () => ((await askServer(server, "who")) as unknown[]).length <= 6);
    // One of each process that refused somebody.
    const lines = await warnings("limits.sessions");
    expect([1, 2]).toContain(lines.length);
    expect(lines[0]).toMatchObject({ level: "warn", msg: "limit reached, refusing" });

    expect((await session.command("QUIT")).status).toBe("+OK");
    await eventually("room for one", async () => (await greeting()) === WELCOME);
    await eventually("and for no other", async () => (await greeting()) === FULL);
  });

  it("sessions_per_address: others come in as before", async () => {
    await start({ server: { processes, login_processes: 1 }, limits: { sessions_per_address: 2 } });
    for (let i = 0; i < 2; i++) expect(await greeting("127.0.0.7")).toBe(WELCOME);
    for (let i = 0; i < 5; i++) expect(await greeting("127.0.0.7")).toBe(FULL_FROM_THERE);
    expect(await greeting("127.0.0.8")).toBe(WELCOME);
    expect(await warnings("limits.sessions_per_address")).toMatchObject([{ address: "127.0.0.7" }]);
    expect(await countedBy(server, "limits_reached")).toEqual({ "limits.sessions_per_address": 5 });
    connections[0]!.drop();
    await eventually("room for one", async () => (await greeting("127.0.0.7")) === WELCOME);
  });

  it("sessions_per_account: one has the maildrop, one waits for it, the next is refused at once", async () => {
    await start({
      server: { processes, login_processes: 1, mailbox_processes: 1 },
      limits: { sessions_per_account: 2, lock_wait: "30s" },
    });
    const holder = await Pop3Connection.login(server.port, "mrose", "secret");
    connections.push(holder);
    const logIn = async (): Promise<Pop3Connection> => {
      const { connection } = await Pop3Connection.open(server.port);
      connections.push(connection);
      await connection.command("USER mrose");
      connection.send("PASS secret\r\n");
      return connection;
    };
    const two = [await logIn(), await logIn()];
    const refused = await Promise.race(
      two.map(async (connection) => ({ connection, reply: await connection.reply() })),
    );
    expect(refused.reply).toEqual({
      status: "-ERR",
      text: "[SYS/TEMP] too many sessions of this account at one time",
    });
    expect(await warnings("limits.sessions_per_account")).toMatchObject([{ account: "mrose" }]);
    expect(await countedBy(server, "limits_reached")).toEqual({ "limits.sessions_per_account": 1 });
    expect((await holder.command("QUIT")).status).toBe("+OK");
    const waiting = two.find((connection) => connection !== refused.connection)!;
    expect((await waiting.reply()).status).toBe("+OK");
    // And the one that was refused may try again, in the same connection.
    expect((await waiting.command("QUIT")).status).toBe("+OK");
    await refused.connection.command("USER mrose");
    expect((await refused.connection.command("PASS secret")).status).toBe("+OK");
  });

  it("with few descriptors: who finds none is told so, the log says what to raise, and sessions go on", async () => {
    await start(
      { server: { processes, login_processes: 1, mailbox_processes: 1 } },
      { wrapper: ["sh", "-c", 'ulimit -n 130; exec "$@"', "sh"] },
    );
    expect(
      server
        .log()
        .find(
          ({ msg }) => msg === "fewer open files are allowed than limits.sessions needs, raise LimitNOFILE",
        ),
    ).toMatchObject({ openFiles: 130 });
    const session = await Pop3Connection.login(server.port, "mrose", "secret");
    connections.push(session);
    const flood = await Promise.all(Array.from({ length: 80 }, (_, i) => greeting(`127.0.1.${i + 1}`)));
    expect(new Set(flood)).toEqual(new Set([WELCOME, FULL]));
    expect(await warnings("LimitNOFILE")).toHaveLength(1);
    expect((await session.multiLine("RETR 1")).body?.toString()).toBe("A: 1\r\n\r\n");
    expect((await session.command("QUIT")).status).toBe("+OK");
    for (const connection of connections) connection.drop();
    await eventually("others are served", async () => {
      const next = await Pop3Connection.login(server.port, "mrose", "secret").catch(() => undefined);
      return (await next?.command("QUIT"))?.status === "+OK";
    });
  });

  it("exchanges that lie half-way, of as many clients as there may be, leave others their login", async () => {
    await start({
      server: { processes, login_processes: 1, mailbox_processes: 1 },
      limits: { sessions: 1_250, sessions_per_address: 1_250 },
    });
    await Promise.all(
      Array.from({ length: 1_200 }, async () => {
        const { connection } = await Pop3Connection.open(server.port);
        connections.push(connection);
        connection.send("AUTH PLAIN\r\n");
        expect(await connection.line()).toBe("+ ");
      }),
    );
    const session = await Pop3Connection.login(server.port, "mrose", "secret");
    connections.push(session);
    expect((await session.command("QUIT")).status).toBe("+OK");
  });

  it("a flood of twice the limit leaves 20 good clients served", async () => {
    await start({
      server: { processes, login_processes: 2 },
      limits: { sessions: 100, sessions_per_address: 30 },
    });
    const children = childrenOf(server.pid).map(({ pid }) => pid);
    // From two addresses: as many as these may have stay open, the others are refused and come again.
    const flood = new Flood((localAddress) =>
      connect({ host: "127.0.0.1", port: server.port, localAddress }),
    );
    try {
      await warnings("limits.sessions_per_address");
      await eventually("as many are open as may be", () => flood.open === 60);
      // Of those that were turned away again the processes may not have heard yet.
      await eventually("there is room for others", async () => {
        const { connection, greeting } = await Pop3Connection.open(server.port, "127.0.3.99");
        connection.drop();
        return greeting.status === "+OK";
      });
      const served = await Promise.all(
        Array.from({ length: 20 }, async (_, i) => {
          const { connection, greeting } = await Pop3Connection.open(server.port, `127.0.3.${i + 1}`);
          expect(greeting.text).toBe("dewey POP3 server ready");
          const replies = [];
          for (let turn = 0; turn < 20; turn++) replies.push((await connection.multiLine("CAPA")).status);
          replies.push((await connection.command("QUIT")).status);
          return replies;
        }),
      );
      expect(new Set(served.flat())).toEqual(new Set(["+OK"]));
      expect(flood.open).toBe(60);
    } finally {
      flood.end();
    }
    expect(childrenOf(server.pid).map(({ pid }) => pid)).toEqual(children);
  });

  it("one that comes by POP3S finds as many places, and is refused under TLS", async () => {
    const certificate = await makeCertificate({
      keyType: "ec",
      subject: "CN=pop.example.org",
      names: [{ type: "dns", value: "pop.example.org" }],
    });
    await start(
      { server: { processes, login_processes: 2 }, limits: { sessions_per_address: 30 } },
      { certificates: [certificate] },
    );
    const { certificate: ca } = certificate;
    const flood = new Flood((localAddress) => {
      const socket = connect({ host: "127.0.0.1", port: server.tlsPort, localAddress });
      return connectTls({ socket, ca, servername: "pop.example.org" });
    });
    try {
      await warnings("limits.sessions_per_address");
      await eventually("as many are open as may be", () => flood.open === 60);
      await eventually("and all others have been told why not", () => flood.refused >= 140);
      expect(flood.open).toBe(60);
    } finally {
      flood.end();
    }
  });
});

/** 200 clients from two addresses, all in the same instant, that stay if they are let, and come again if not. */
class Flood {
  readonly #connectFrom: (localAddress: string) => Socket;
  readonly #sockets = new Set<Socket>();
  readonly #greeted = new Set<Socket>();
  #isOver = false;
  /** How often one of them was told that there are too many. */
  refused = 0;

  constructor(connectFrom: (localAddress: string) => Socket) {
    this.#connectFrom = connectFrom;
    for (let i = 0; i < 200; i++) this.#connect(`127.0.2.${1 + (i % 2)}`);
  }

  /** Of those, how many are let in. */
  get open(): number {
    return this.#greeted.size;
  }

  end(): void {
    this.#isOver = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  #connect(localAddress: string): void {
    const socket = this.#connectFrom(localAddress);
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.on("data", (octets: Buffer) => {
      if (octets.includes("+OK")) this.#greeted.add(socket);
      if (octets.includes("-ERR")) this.refused++;
    });
    socket.once("end", () => socket.destroy());
    socket.once("close", () => {
      this.#sockets.delete(socket);
      this.#greeted.delete(socket);
      // As a program in a loop would, but for the machine's sake.
      if (!this.#isOver) setTimeout(() => this.#isOver || this.#connect(localAddress), 20);
    });
  }
}

describe("sessions_per_account, where several processes serve the account", () => {
  it("counts the sessions of all workers", async () => {
    await start({
      server: { processes: "combined", login_processes: 3 },
      limits: { sessions_per_account: 3, lock_wait: "40s" },
    });
    const holder = await Pop3Connection.login(server.port, "mrose", "secret");
    connections.push(holder);
    const replies: string[] = [];
    for (let i = 0; i < 12; i++) {
      const { connection } = await Pop3Connection.open(server.port);
      connections.push(connection);
      await connection.command("USER mrose");
      connection.send("PASS secret\r\n");
      connection.reply().then(
        ({ text }) => replies.push(text),
        () => {},
      );
    }
    const refused = "[SYS/TEMP] too many sessions of this account at one time";
    await eventually("all but two are refused", () => replies.length === 10);
    expect(new Set(replies)).toEqual(new Set([refused]));
    expect((await holder.command("QUIT")).status).toBe("+OK");
    await eventually("one of the two has the maildrop", () => replies.at(-1) === "Pass accepted");
    expect(replies).toHaveLength(11);
  });

  it("counts the sessions of a mailbox process that is replaced, too", async () => {
    await start({
      server: { login_processes: 1, mailbox_processes: 1 },
      limits: { sessions_per_account: 1, lock_wait: "40s" },
    });
    const holder = await Pop3Connection.login(server.port, "mrose", "secret");
    connections.push(holder);
    const configFile = join(server.folder, "config.toml");
    const config = readFileSync(configFile, "utf8");
    writeFileSync(configFile, config.replace("[limits]\n", '[limits]\nprocess_memory = "32MiB"\n'));
    await askServer(server, "reload");
    await eventually("the successor", () =>
      server
        .log()
        .some((line) => line.msg.startsWith("successor has taken over") && line["child"] === "mailbox 0"),
    );
    const { connection } = await Pop3Connection.open(server.port);
    connections.push(connection);
    await connection.command("USER mrose");
    expect((await connection.command("PASS secret")).text).toBe(
      "[SYS/TEMP] too many sessions of this account at one time",
    );
    expect((await holder.command("QUIT")).status).toBe("+OK");
  });
});

describe("limits of sessions behind TLS and proxies", () => {
  it("POP3S: the refusal comes under TLS", async () => {
    const certificate = await makeCertificate({
      keyType: "ec",
      subject: "CN=pop.example.org",
      names: [{ type: "dns", value: "pop.example.org" }],
    });
    await start({ server: { login_processes: 1 }, limits: { sessions: 1 } }, { certificates: [certificate] });
    const options = { ca: certificate.certificate, servername: "pop.example.org" };
    const first = await Pop3Connection.openTls(server.tlsPort, options);
    connections.push(first.connection);
    expect(first.greeting.status).toBe("+OK");
    const second = await Pop3Connection.openTls(server.tlsPort, options);
    expect(`${second.greeting.status} ${second.greeting.text}`).toBe(FULL);
    await second.connection.closed;
    first.connection.drop();
    await eventually("room again", async () => {
      const { connection, greeting } = await Pop3Connection.openTls(server.tlsPort, options);
      connections.push(connection);
      return greeting.status === "+OK";
    });
  });

  it("PROXY: the client's address counts, not the proxy's", async () => {
    const port = await freePort();
    await start({
      server: { login_processes: 1, listen_proxy: [`127.0.0.1:${port}`], proxy_networks: ["127.0.0.0/8"] },
      limits: { sessions_per_address: 2 },
    });
    const from = (address: string): Promise<string> =>
      new Promise((resolve, reject) => {
        const socket = connect({ host: "127.0.0.1", port });
        sockets.push(socket);
        socket.write(`PROXY TCP6 ${address} 2001:db8::110 4711 110\r\n`);
        socket.once("data", (octets: Buffer) => resolve(octets.toString().trimEnd()));
        socket.once("error", reject);
      });
    const sockets: Socket[] = [];
    expect(await from("2001:db8:1:1::1")).toBe(WELCOME);
    expect(await from("2001:db8:1:1::2")).toBe(WELCOME);
    expect(await from("2001:db8:1:1::3")).toBe(FULL_FROM_THERE);
    expect(await from("2001:db8:1:2::1")).toBe(WELCOME);
    sockets[0]!.destroy();
    await eventually("room for one", async () => (await from("2001:db8:1:1::4")) === WELCOME);
    for (const socket of sockets) socket.destroy();
  });
});
