// Connections that have not logged in, and may never: what they take, plain and under TLS; and that those who begin a
// handshake and leave it at that, as many as will, are held to the limits while others are served.
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { type MadeCertificate, makeCertificate } from "../../scripts/certificate.mjs";
import { layOutMaildir } from "../peers/support/maildir.ts";
import { Pop3Connection } from "../peers/support/pop3.ts";
import { eventually } from "../support/eventually.ts";
import { mailOwner } from "../support/mail-owner.ts";
import { countedBy } from "../support/pop3-ctl.ts";
import { childrenOf, descriptorsAtRest, openDescriptors, proportionalKib } from "../support/processes.ts";
import { type Settings, startServer, type TestServer } from "../support/server.ts";

const owner = mailOwner();
const names = ["pop.example.org", "pop.example.net"];
let certificates: readonly MadeCertificate[];
let hello: Buffer;
let home: string;
let server: TestServer;
let sockets: Socket[];

beforeAll(async () => {
  certificates = await Promise.all(
    names.map((value) =>
      makeCertificate({ keyType: "ec", subject: `CN=${value}`, names: [{ type: "dns", value }] }),
    ),
  );
  hello = await clientHello();
});
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "dewey-before-login-"));
  layOutMaildir(home, owner, new Map());
  sockets = [];
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await server.stop();
  rmSync(home, { recursive: true });
});

/** What a real client sends first. */
async function clientHello(): Promise<Buffer> {
  const listener = createServer().listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address() as AddressInfo;
  const client = connectTls({ host: "127.0.0.1", port, servername: "pop.example.net" });
  client.on("error", () => {});
  const [socket] = await once(listener, "connection");
  const [octets] = (await once(socket, "data")) as [Buffer];
  client.destroy();
  listener.close();
  return octets;
}

async function start(settings: Settings): Promise<void> {
  const { uid, gid } = owner;
  server = await startServer({
    accounts: [{ user: "mrose", password: "secret", uid, gid, home }],
    owner,
    certificates,
    settings: { ...settings, server: { processes: "separate", login_processes: 1, mailbox_processes: 1 } },
  });
}

const loginPid = (): number => childrenOf(server.pid).find(({ role }) => role === "login")!.pid;

async function opened(port: number): Promise<Socket> {
  const socket = connect({ host: "127.0.0.1", port });
  sockets.push(socket);
  socket.on("error", () => {});
  await once(socket, "connect");
  return socket;
}

/** As many at a time as one listen queue holds with ease. */
async function each(count: number, open: () => Promise<unknown>): Promise<void> {
  for (let begun = 0; begun < count; begun += 50) await Promise.all(Array.from({ length: 50 }, open));
}

const half = async (): Promise<void> => {
  (await opened(server.tlsPort)).write(hello.subarray(0, hello.length >> 1));
};

const kinds = {
  "greeted without TLS": async () => {
    const socket = await opened(server.port);
    await once(socket.resume(), "data");
  },
  "half of a ClientHello": half,
  "STLS and no more": async () => {
    const socket = await opened(server.port);
    await once(socket.resume(), "data");
    socket.write("STLS\r\n");
    await once(socket, "data");
  },
  // The server has answered, and waits for the client's Finished.
  "a ClientHello and no more": async () => {
    const socket = await opened(server.tlsPort);
    socket.write(hello);
    await once(socket.resume(), "data");
  },
  "greeted under TLS": async () => {
    const socket = connectTls({ socket: await opened(server.tlsPort), rejectUnauthorized: false });
    socket.on("error", () => {});
    await once(socket.resume(), "data");
  },
} as const satisfies Record<string, () => Promise<void>>;

const COUNT = 500;
/** In the login process. Measured, Node 20: 9, 7, 13, 57 and 47. */
const MAX_KIB: Readonly<Record<keyof typeof kinds, number>> = {
  "greeted without TLS": 30,
  "half of a ClientHello": 30,
  "STLS and no more": 30,
  "a ClientHello and no more": 130,
  "greeted under TLS": 130,
};

it("connections before login take some memory each, which is bounded, and all go at limits.login_time", async () => {
  await start({
    limits: { sessions: 5 * COUNT + 100, sessions_per_address: 5 * COUNT + 100, login_time: "20s" },
  });
  const pid = loginPid();
  // What the first ones make is there for all.
  for (const open of Object.values(kinds)) await each(50, open);
  for (const socket of sockets.splice(0)) socket.destroy();
  const atRest = await descriptorsAtRest(pid);
  const taken = new Map<string, number>();
  for (const [kind, open] of Object.entries(kinds)) {
    const [kib, descriptors] = [proportionalKib(pid), openDescriptors(pid)];
    await each(COUNT, open);
    await eventually("all are accepted", () => openDescriptors(pid) >= descriptors + COUNT);
    taken.set(kind, (proportionalKib(pid) - kib) / COUNT);
  }
  console.log([...taken].map(([kind, kib]) => `${kind}: ${kib.toFixed(1)} KiB`).join("; "));
  for (const [kind, kib] of Object.entries(MAX_KIB)) expect(taken.get(kind), kind).toBeLessThan(kib);
  await eventually("login_time ends them", () => openDescriptors(pid) <= atRest, 60_000);
  expect(loginPid()).toBe(pid);
  expect((await countedBy(server, "limits_reached"))["limits.login_time"]).toBe(5 * COUNT);
}, 150_000);

it("who leaves amid a handshake is gone at once, and counts no more", async () => {
  // Room for those of one round and some whose end is being noticed: 75 come in all.
  await start({ limits: { sessions_per_address: 9, login_time: "1h" } });
  const pid = loginPid();
  const atRest = await descriptorsAtRest(pid);
  for (const [kind, open] of Object.entries(kinds)) {
    for (const leave of ["end", "destroy", "resetAndDestroy"] as const) {
      // More than one, lest a descriptor that came to rest meanwhile hides it.
      await Promise.all(Array.from({ length: 5 }, open));
      for (const socket of sockets.splice(0)) socket[leave]();
      await eventually(`${kind}: nothing is left after ${leave}`, () => openDescriptors(pid) <= atRest);
    }
  }
});

it("who leaves handshakes half-finished, again and again, is held to the limits, and 20 others are served under TLS", async () => {
  await start({ limits: { sessions: 100, sessions_per_address: 30, login_time: "5s" } });
  const pid = loginPid();
  const flood = new Set<Socket>();
  let isOver = false;
  let begun = 0;
  const begin = (i: number): void => {
    const socket = connect({
      host: "127.0.0.1",
      port: server.tlsPort,
      localAddress: `127.0.2.${1 + (i % 2)}`,
    });
    begun++;
    flood.add(socket);
    socket.on("error", () => {});
    // Now half of it, now all: then the server's answer is what nobody goes on with.
    socket.once("connect", () => socket.write(i % 3 === 0 ? hello : hello.subarray(0, hello.length >> 1)));
    socket.resume().once("end", () => socket.destroy());
    socket.once("close", () => {
      flood.delete(socket);
      if (!isOver) setTimeout(() => isOver || begin(i), 20);
    });
  };
  for (let i = 0; i < 400; i++) begin(i);
  try {
    await eventually("the limits turn some away", async () => {
      const reached = await countedBy(server, "limits_reached");
      return (reached["limits.sessions_per_address"] ?? 0) > 400 && (reached["limits.login_time"] ?? 0) >= 60;
    });
    for (let round = 0; round < 3; round++) {
      const served = await Promise.all(
        Array.from({ length: 20 }, async (_, i) => {
          const socket = connect({
            host: "127.0.0.1",
            port: server.tlsPort,
            localAddress: `127.0.3.${i + 1}`,
          });
          const connection = Pop3Connection.over(
            connectTls({ socket, rejectUnauthorized: false, servername: names[i % 2]! }),
          );
          const replies = [(await connection.reply()).status];
          for (let turn = 0; turn < 20; turn++) replies.push((await connection.multiLine("CAPA")).status);
          replies.push((await connection.command("QUIT")).status);
          return replies;
        }),
      );
      expect(new Set(served.flat())).toEqual(new Set(["+OK"]));
      // Those of two addresses, and those who are being refused: never as many as come.
      expect(openDescriptors(pid)).toBeLessThan(60 + 20 + 102 + 60);
    }
    expect(begun).toBeGreaterThan(800);
  } finally {
    isOver = true;
    for (const socket of flood) socket.destroy();
  }
  expect(loginPid()).toBe(pid);
});
