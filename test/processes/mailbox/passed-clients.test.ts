// A login process's links and a mailbox process's, on real sockets: who has the client's connection, and what becomes of
// its octets.
import { once } from "node:events";
import { closeSync, fstatSync, mkdtempSync, openSync, readdirSync, rmSync } from "node:fs";
import * as net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { sendDescriptor } from "../../../src/host/descriptors.ts";
import type { Log } from "../../../src/log/log.ts";
import { Connection } from "../../../src/net/connection.ts";
import { descriptorOf } from "../../../src/net/descriptor-of.ts";
import { LineReader } from "../../../src/pop3/line-reader.ts";
import { OPENING, passFrame } from "../../../src/processes/link-frames.ts";
import { MailboxLinks, type PassResult } from "../../../src/processes/login/mailbox-links.ts";
import type { LoginLinkOptions } from "../../../src/processes/mailbox/login-link.ts";
import { PassedClients } from "../../../src/processes/mailbox/passed-clients.ts";
import { Pop3Connection } from "../../peers/support/pop3.ts";
import { eventually } from "../../support/eventually.ts";

type Service = LoginLinkOptions["service"];
type Admission = Awaited<ReturnType<Service["admit"]>>;

let folder: string;
let servers: net.Server[];
let open: net.Socket[];
let errors: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "dewey-links-"));
  servers = [];
  open = [];
  errors = [];
});
afterEach(() => {
  for (const server of servers) server.close();
  for (const socket of open) socket.destroy();
  rmSync(folder, { recursive: true });
});

const path = () => join(folder, "mailbox-0.sock");
const log = {
  error: (message: string) => errors.push(message),
  warn: (message: string) => errors.push(message),
} as unknown as Log;

async function listen(
  on: string | number,
  onConnection: (socket: net.Socket) => void,
): Promise<net.AddressInfo> {
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    open.push(socket);
    socket.on("error", () => {});
    onConnection(socket);
  });
  servers.push(server);
  if (typeof on === "number") server.listen(on, "127.0.0.1");
  else server.listen(on);
  await once(server, "listening");
  return server.address() as net.AddressInfo;
}

/** Answers every line of those whom it serves with what it is. */
async function mailboxProcess(admit: (sealed: string) => Promise<Admission>): Promise<{
  readonly passed: PassedClients;
  readonly orphans: Set<string>;
  readonly links: net.Socket[];
}> {
  const orphans = new Set<string>();
  const links: net.Socket[] = [];
  const passed = new PassedClients({
    service: {
      admit,
      serve: (socket, read) => {
        open.push(socket);
        speaker(socket, "mailbox").start(read);
      },
    },
    present: (serve) => serve(),
    onOrphaned: (address) => {
      orphans.add(address);
      return () => orphans.delete(address);
    },
    log,
  });
  await listen(path(), (socket) => {
    socket.once("data", (octets: Buffer) => {
      socket.pause();
      const [, kind, name] = OPENING.exec(octets.toString().trimEnd()) ?? [];
      if (kind === "link") links.push(socket);
      passed.join(kind as "link" | "descriptors", name ?? "", socket, new Uint8Array(0));
    });
  });
  return { passed, orphans, links };
}

function speaker(socket: net.Socket, who: string): Connection {
  const connection = new Connection(socket, new LineReader(), {
    onLine: (line) => {
      if (line.kind !== "line") return undefined;
      if (line.text === "QUIT") connection.end("+OK\r\n");
      else connection.reply(`+OK ${who} heard ${line.text}\r\n`);
      return undefined;
    },
    onClose: () => {},
    onFault: (error) => errors.push(String(error)),
  });
  return connection;
}

interface LoginProcess {
  readonly port: number;
  readonly results: PassResult[];
  taken: number;
  over: number;
  /** The clients' connections that it holds yet. */
  readonly sockets: net.Socket[];
}

/** Passes a client on at PASS; what comes of it otherwise is its second line. */
async function loginProcess(): Promise<LoginProcess> {
  const links = new MailboxLinks(folder, log);
  const login: LoginProcess = { port: 0, results: [], taken: 0, over: 0, sockets: [] };
  const { port } = await listen(0, (socket) => {
    login.sockets.push(socket);
    socket.once("close", () => login.sockets.splice(login.sockets.indexOf(socket), 1));
    const connection = new Connection(socket, new LineReader(), {
      onLine: (line) => {
        if (line.kind !== "line") return undefined;
        if (!line.text.startsWith("PASS ")) {
          connection.reply(`+OK login heard ${line.text}\r\n`);
          return undefined;
        }
        return (async () => {
          const result = await links.pass(
            {
              socket,
              connection,
              presented: line.text.slice(5),
              onTaken: () => login.taken++,
              onOver: () => login.over++,
            },
            "mailbox-0",
          );
          login.results.push(result);
          if (result.kind !== "taken") connection.reply(`-ERR ${result.kind}\r\n`);
        })();
      },
      onClose: () => {},
      onFault: (error) => errors.push(String(error)),
    });
    connection.reply("+OK login\r\n");
    connection.start(new Uint8Array(0));
  });
  return Object.assign(login, { port });
}

const admitted = {
  kind: "admitted",
  ticket: { address: "127.0.0.1" },
  maildrop: { close: () => {} },
} as unknown as Admission;
const inUse: Admission = { kind: "refused", reply: "-ERR [IN-USE] not now\r\n" };

async function client(port: number): Promise<Pop3Connection> {
  const { connection } = await Pop3Connection.open(port);
  return connection;
}

it("a client is served on its own connection, with what it sent behind its password, and told when it is over", async () => {
  await mailboxProcess(async () => admitted);
  const login = await loginProcess();
  const connection = await client(login.port);
  connection.send("USER x\r\nPASS a.b\r\nSTAT\r\nNO");
  expect((await connection.reply()).text).toBe("login heard USER x");
  expect((await connection.reply()).text).toBe("mailbox heard STAT");
  connection.send("OP\r\n");
  expect((await connection.reply()).text).toBe("mailbox heard NOOP");
  await eventually("the login process has let go", () => login.sockets.length === 0);
  expect([login.taken, login.over]).toEqual([1, 0]);
  expect((await connection.command("QUIT")).status).toBe("+OK");
  connection.drop();
  await eventually("the end is told", () => login.over === 1);
  expect(errors).toEqual([]);
});

it("a refused client goes on in its login process, and loses no octet of what it sent meanwhile", async () => {
  let decide = (_: Admission): void => {};
  await mailboxProcess(
    () =>
      new Promise((resolve) => {
        decide = resolve;
      }),
  );
  const login = await loginProcess();
  const connection = await client(login.port);
  const before = decide;
  connection.send("PASS a.b\r\nUSER behi");
  await eventually("the ticket is shown", () => decide !== before);
  connection.send("nd\r\nUSER later\r\n");
  decide(inUse);
  expect(await connection.reply()).toEqual({ status: "-ERR", text: "refused" });
  expect((await connection.reply()).text).toBe("login heard USER behind");
  expect((await connection.reply()).text).toBe("login heard USER later");
  const shown = decide;
  connection.send("PASS a.b\r\nSTAT\r\n");
  await eventually("the ticket is shown again", () => decide !== shown);
  decide(admitted);
  expect((await connection.reply()).text).toBe("mailbox heard STAT");
  connection.drop();
});

it("a client that has closed its sending side is answered", async () => {
  await mailboxProcess(async () => admitted);
  const login = await loginProcess();
  const connection = await client(login.port);
  connection.sendLast("PASS a.b\r\nSTAT\r\n");
  expect((await connection.reply()).text).toBe("mailbox heard STAT");
  await connection.closed;
  await eventually("the end is told", () => login.over === 1);
});

it("a client whom its login process ends meanwhile is not served", async () => {
  let decide = (_: Admission): void => {};
  const decided = new Promise<Admission>((resolve) => {
    decide = resolve;
  });
  let isShown = false;
  await mailboxProcess(() => {
    isShown = true;
    return decided;
  });
  const login = await loginProcess();
  const connection = await client(login.port);
  connection.send("PASS a.b\r\nSTAT\r\n");
  await eventually("the ticket is shown", () => isShown);
  login.sockets[0]!.destroy();
  await eventually("the login process is done with it", () => login.results.length === 1);
  // The frame that withdraws it leaves before any other client's.
  const second = await client(login.port);
  second.send("PASS a.b\r\nSTAT\r\n");
  await new Promise(setImmediate);
  decide(admitted);
  expect((await second.reply()).text).toBe("mailbox heard STAT");
  await connection.closed;
  await eventually("the other one is", () => login.taken === 1);
  second.drop();
});

it("clients outlive their login process's link, counted by the mailbox process", async () => {
  const { links, orphans } = await mailboxProcess(async () => admitted);
  const login = await loginProcess();
  const connection = await client(login.port);
  connection.send("PASS a.b\r\nSTAT\r\n");
  expect((await connection.reply()).text).toBe("mailbox heard STAT");
  links[0]!.destroy();
  await eventually("it is counted there", () => orphans.size === 1 && login.over === 1);
  expect((await connection.command("NOOP")).text).toBe("mailbox heard NOOP");
  // A new link for the next one.
  const next = await client(login.port);
  next.send("PASS a.b\r\nSTAT\r\n");
  expect((await next.reply()).text).toBe("mailbox heard STAT");
  connection.drop();
  await eventually("and no more when it is gone", () => orphans.size === 0);
  next.drop();
});

it("a mailbox process that retires is shown no ticket any more, and tells of those it serves", async () => {
  const { passed, links } = await mailboxProcess(async () => admitted);
  const login = await loginProcess();
  const connection = await client(login.port);
  connection.send("PASS a.b\r\nSTAT\r\n");
  expect((await connection.reply()).text).toBe("mailbox heard STAT");
  await passed.retire(10_000);
  expect(links[0]!.readableEnded).toBe(true);
  const next = await client(login.port);
  next.send("PASS a.b\r\nSTAT\r\n");
  expect((await next.reply()).text).toBe("mailbox heard STAT");
  expect(links).toHaveLength(2);
  connection.drop();
  await eventually("the first one's end is told", () => login.over === 1);
  next.drop();
});

it("a client that cannot be passed goes another way, its ticket unused", async () => {
  await listen(path(), (socket) => {
    socket.once("data", (octets: Buffer) => {
      // The number of the first client on a link is 1.
      if (octets.toString().startsWith("link ")) socket.write("ready\nunpassed 1\n");
    });
    socket.on("data", (octets: Buffer) => {
      const [, number] = /^pass ([0-9]+) /.exec(octets.toString()) ?? [];
      if (number !== undefined) socket.write(`unpassed ${number}\n`);
    });
  });
  const login = await loginProcess();
  const connection = await client(login.port);
  connection.send("PASS a.b\r\nUSER x\r\n");
  expect(await connection.reply()).toEqual({ status: "-ERR", text: "unpassed" });
  expect((await connection.reply()).text).toBe("login heard USER x");
  connection.drop();
});

it("where nobody takes descriptors any more, clients go another way before the kernel holds too many", async () => {
  // Takes none, and says nothing to the tickets.
  await listen(path(), (socket) => {
    socket.once("data", (octets: Buffer) => {
      if (octets.toString().startsWith("link ")) socket.write("ready\n");
      else socket.pause();
    });
  });
  const links = new MailboxLinks(folder, log);
  const { port } = await listen(0, () => {});
  const socket = net.connect(port, "127.0.0.1");
  open.push(socket);
  await once(socket, "connect");
  const connection = new Connection(socket, new LineReader(), {
    onLine: () => undefined,
    onClose: () => {},
    onFault: () => {},
  });
  const pass = () =>
    links.pass({ socket, connection, presented: "a.b", onTaken: () => {}, onOver: () => {} }, "mailbox-0");
  // Those that are with the kernel wait for an answer that does not come.
  socket.setMaxListeners(0);
  expect(await Promise.race(Array.from({ length: 5_000 }, pass))).toEqual({ kind: "unpassed" });
});

it("descriptors without a ticket, or of something else, never stay open in the mailbox process", async () => {
  let admissions = 0;
  await mailboxProcess(async () => {
    admissions++;
    return admitted;
  });
  const name = "0123456789abcdef".repeat(2);
  const connect = async (kind: string): Promise<net.Socket> => {
    const socket = net.connect(path());
    open.push(socket);
    socket.on("error", () => {});
    socket.write(`${kind} ${name}\n`);
    await once(socket, "connect");
    return socket;
  };
  const [descriptors, frames] = [await connect("descriptors"), await connect("link")];
  expect(`${await once(frames, "data")}`).toBe("ready\n");
  const file = openSync(import.meta.filename, "r");
  const { ino } = fstatSync(file);
  const openHere = (): number =>
    readdirSync("/proc/self/fd").filter((fd) => {
      try {
        return fstatSync(Number(fd)).ino === ino;
      } catch {
        return false;
      }
    }).length;
  const channel = descriptorOf(descriptors)!;
  // A file in place of a connection: the client is refused, and the link goes on.
  expect(sendDescriptor(channel, file, 1)).toBe(true);
  frames.write(passFrame(1, "a.b", new Uint8Array(0)));
  expect(`${await once(frames, "data")}`).toMatch(/^refused 1 -ERR /);
  expect([admissions, openHere()]).toEqual([1, 1]);
  // Some that no frame belongs to stay with the kernel, and go with the link.
  for (let number = 2; number < 50; number++) expect(sendDescriptor(channel, file, number)).toBe(true);
  frames.write(passFrame(99, "a.b", new Uint8Array(0)));
  await once(frames, "close");
  expect([admissions, openHere()]).toEqual([1, 1]);
  expect(errors).toEqual(["a login process passed no client with its ticket"]);
  closeSync(file);
});
