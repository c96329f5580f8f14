// Several hosts for the same mail: nginx in front of two of them with the file of etc/nginx, HAProxy with that of etc/haproxy. In
// network namespaces where they can be made, else on loopback addresses: the name of the whole says which.
import { chmodSync, chownSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type MadeCertificate, makeCertificate } from "../../scripts/certificate.mjs";
import { byPreference } from "../../src/processes/auth/rendezvous.ts";
import { argon2idField, type TestAccount } from "../support/accounts.ts";
import { eventually } from "../support/eventually.ts";
import { mailOwner } from "../support/mail-owner.ts";
import type { RunningProgram } from "../support/program.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { type ClusterHost, makeClusterNetwork } from "./support/cluster-network.ts";
import { startHaproxy, startNginx } from "./support/front.ts";
import { layOutMaildir } from "./support/maildir.ts";
import { Pop3Connection } from "./support/pop3.ts";

const owner = mailOwner();
const network = makeClusterNetwork(4);
const [front, balancer, ...hosts] = network.hosts as [ClusterHost, ClusterHost, ClusterHost, ClusterHost];
const users = Array.from({ length: 100 }, (_, index) => `user${index}`);
const MESSAGES = 3;
const backEnds: string[] = [];

let folder: string;
let certificate: MadeCertificate;
let frontServer: TestServer | undefined;
const servers: TestServer[] = [];
let nginx: RunningProgram | undefined;
let haproxy: RunningProgram | undefined;

const maildirOf = (user: string): string => join(folder, "mail", user, "Maildir");

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "dewey-cluster-"));
  chmodSync(folder, 0o755);
  certificate = await makeCertificate({ names: [{ type: "dns", value: "mail.example.org" }] });
  const pem = { certificate: join(folder, "certificate.pem"), key: join(folder, "key.pem") };
  writeFileSync(pem.certificate, certificate.certificate);
  writeFileSync(pem.key, certificate.privateKey);
  const field = await argon2idField("secret");
  const account = (user: string, extra = ""): TestAccount => {
    const home = join(folder, "mail", user);
    const files = Array.from({ length: MESSAGES }, (_, index): [string, Buffer] => [
      `new/${index}.${user}`,
      message(`${user}-${index}`),
    ]);
    layOutMaildir(home, owner, new Map(files));
    return { user, password: "secret", field, uid: owner.uid, gid: owner.gid, home, extra };
  };
  const pinned = `host=${hosts[1]?.address} port=${await hosts[1]?.port(10_110)}`;
  const accounts = [...users.map((user) => account(user)), account("pinned", pinned)];
  for (const host of hosts) {
    const proxied = `${host.address}:${await host.port(10_110)}`;
    backEnds.push(proxied);
    servers.push(
      await startServer({
        accounts,
        owner,
        certificates: [certificate],
        wrapper: host.wrapper,
        settings: {
          server: {
            listen_proxy: [proxied],
            listen_tls_proxy: [`${host.address}:${await host.port(10_995)}`],
            proxy_networks: [network.addresses],
          },
          // TLS ends at nginx, which takes no password without it.
          auth: { plaintext_without_tls: "always" },
          mail: { shared_storage: true },
          limits: { lock_wait: "500ms" },
        },
      }),
    );
  }
  const authHttp = join(folder, "nginx-auth");
  frontServer = await startServer({
    accounts,
    owner,
    wrapper: front.wrapper,
    settings: {
      server: { listen: [] },
      auth: { plaintext_without_tls: "never" },
      mail: { shared_storage: true },
      cluster: { auth_http: { path: authHttp, mode: "0666" }, backends: backEnds },
    },
  });
  const listen = async (host: ClusterHost, port: number): Promise<string> =>
    `${host.address}:${await host.port(port)}`;
  nginx = await startNginx(folder, front.wrapper, [
    ["/run/dewey-pop3/nginx-auth", authHttp],
    ["/etc/letsencrypt/live/mail.example.org/fullchain.pem", pem.certificate],
    ["/etc/letsencrypt/live/mail.example.org/privkey.pem", pem.key],
    ["listen 995 ", `listen ${await listen(front, 995)} `],
    ["listen 110;", `listen ${await listen(front, 110)};`],
  ]);
  haproxy = await startHaproxy(folder, balancer.wrapper, [
    ["bind :995\n", `bind ${await listen(balancer, 995)}\n`],
    ["bind :110\n", `bind ${await listen(balancer, 110)}\n`],
    ["192.0.2.11:10995", await listen(hosts[0]!, 10_995)],
    ["192.0.2.12:10995", await listen(hosts[1]!, 10_995)],
    ["192.0.2.11:10110", await listen(hosts[0]!, 10_110)],
    ["192.0.2.12:10110", await listen(hosts[1]!, 10_110)],
  ]);
  for (const host of [front, balancer])
    await eventually("the front accepts connections", async () => {
      const { connection } = await open(host);
      connection.drop();
      return true;
    });
});
afterAll(async () => {
  await Promise.allSettled([nginx?.stop("SIGTERM"), haproxy?.stop("SIGTERM")]);
  await Promise.all([frontServer, ...servers].map((server) => server?.stop()));
  network.close();
  rmSync(folder, { recursive: true });
});

/** POP3S at a front. */
async function open(host: ClusterHost, from = network.clients[0]!): Promise<Opened> {
  const port = await host.port(995);
  const socket = connectTls({
    ...{ host: host.address, port, localAddress: from },
    ...{ ca: certificate.certificate, servername: "mail.example.org" },
  });
  await new Promise<void>((resolve, reject) => {
    socket.once("secureConnect", resolve);
    socket.once("error", reject);
  });
  const connection = Pop3Connection.over(socket);
  return { connection, greeting: (await connection.reply()).text };
}

interface Opened {
  readonly connection: Pop3Connection;
  readonly greeting: string;
}

async function logIn(connection: Pop3Connection, user: string, password = "secret"): Promise<string> {
  await connection.command(`USER ${user}`);
  const { status, text } = await connection.command(`PASS ${password}`);
  return `${status} ${text}`;
}

/** Past the front, at the port that is for it, as a client whom it brings. */
async function openAt(host: ClusterHost): Promise<Pop3Connection> {
  const socket = connect({
    ...{ host: host.address, port: await host.port(10_110), localAddress: network.clients[0] },
  });
  socket.write("PROXY TCP4 192.0.2.77 192.0.2.1 40000 110\r\n");
  const connection = Pop3Connection.over(socket);
  await connection.reply();
  return connection;
}

/** Which of the two has had the client's session: 0 or 1. */
async function servedBy(address: string, account: string): Promise<number> {
  const isTheirs = (server: TestServer): boolean =>
    server
      .log()
      .some(
        (line) => line.msg === "session ended" && line["address"] === address && line["account"] === account,
      );
  const server = await eventually("the session in a log", () => servers.find(isTheirs));
  return servers.indexOf(server);
}

function message(id: string): Buffer {
  return Buffer.from(`Subject: ${id}\n\n${id}\n`);
}

describe(`a cluster on ${network.kind}`, () => {
  it.each([
    { way: "POP3S", args: ["995"] },
    { way: "STLS", args: ["110"] },
  ])("nginx takes $way, and the host knows the client's own address", async ({ args: [port] }) => {
    const from = network.clients[port === "995" ? 1 : 2]!;
    let connection: Pop3Connection;
    if (port === "995") ({ connection } = await open(front, from));
    else connection = await openWithStls(from);
    expect(await logIn(connection, "pinned")).toBe("+OK Pass accepted");
    expect((await connection.multiLine("RETR 1")).body?.toString()).toBe(
      "Subject: pinned-0\r\n\r\npinned-0\r\n",
    );
    await connection.command("QUIT");
    // Its passwd line names the second one.
    expect(await servedBy(from, "pinned")).toBe(1);
  });

  it("takes no password before TLS, and says what it takes", async () => {
    const plain = Pop3Connection.over(
      connect({ host: front.address, port: await front.port(110), localAddress: network.clients[0] }),
    );
    await plain.reply();
    expect((await plain.command("USER user0")).status).toBe("-ERR");
    plain.drop();
    const { connection } = await open(front);
    expect((await connection.multiLine("CAPA")).body?.toString()).toBe(
      "TOP\r\nUSER\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nSASL PLAIN LOGIN\r\n",
    );
    connection.drop();
  });

  it("refuses in our own words, and lets the client try again on its connection", async () => {
    const { connection } = await open(front);
    expect(await logIn(connection, "user0", "wrong")).toBe("-ERR [AUTH] authentication failed");
    expect(await logIn(connection, "nobody-here", "wrong")).toBe("-ERR [AUTH] authentication failed");
    expect(await logIn(connection, "user0")).toBe("+OK Pass accepted");
    await connection.command("QUIT");
    const refused = await eventually("both refusals in the log", () => {
      const lines = frontServer?.log().filter(({ msg }) => msg === "login refused") ?? [];
      return lines.length >= 2 && lines;
    });
    expect(refused.map(({ user, address, reason }) => ({ user, address, reason }))).toEqual([
      { user: "user0", address: network.clients[0], reason: "wrong-password" },
      { user: "nobody-here", address: network.clients[0], reason: "unknown-user" },
    ]);
  });

  it.each(["PLAIN", "LOGIN"])("takes AUTH %s", async (mechanism) => {
    const { connection } = await open(front);
    const base64 = (text: string): string => Buffer.from(text).toString("base64");
    if (mechanism === "PLAIN")
      expect(await connection.command(`AUTH PLAIN ${base64("\0user1\0secret")}`)).toMatchObject({
        status: "+OK",
      });
    else {
      await connection.command("AUTH LOGIN");
      await connection.command(base64("user1"));
      expect(await connection.command(base64("secret"))).toMatchObject({ status: "+OK" });
    }
    await connection.command("QUIT");
  });

  it("lets one session at a time have a maildrop, on whichever host", async () => {
    const { connection } = await open(front);
    expect(await logIn(connection, "pinned")).toBe("+OK Pass accepted");
    for (const host of hosts) {
      const second = await openAt(host);
      expect(await logIn(second, "pinned")).toMatch(/^-ERR \[IN-USE\] maildrop is locked/);
      second.drop();
    }
    const third = await open(front);
    // As the host said it, which knows whose session it is.
    expect(await logIn(third.connection, "pinned")).toMatch(/^-ERR \[IN-USE\] maildrop is locked .* from /);
    third.connection.drop();
    await connection.command("QUIT");
    await connection.closed;
    const other = await openAt(hosts[0]!);
    expect(await logIn(other, "pinned")).toBe("+OK Pass accepted");
    await other.command("QUIT");
  });

  it("HAProxy brings each client address to one host, and the addresses to both", async () => {
    const hostOf = async (from: string, user: string): Promise<number> => {
      const { connection } = await open(balancer, from);
      expect(await logIn(connection, user)).toBe("+OK Pass accepted");
      await connection.command("QUIT");
      return await servedBy(from, user);
    };
    const first = await Promise.all(network.clients.map((from, index) => hostOf(from, `user${10 + index}`)));
    expect(new Set(first)).toEqual(new Set([0, 1]));
    const again = await Promise.all(network.clients.map((from, index) => hostOf(from, `user${30 + index}`)));
    expect(again).toEqual(first);
  });

  it("loses one host in the middle of 100 sessions, and neither a client nor a message", async () => {
    const downloads = users.map((user) => new Download(user));
    await Promise.all(downloads.map((download) => download.begin()));
    const doomed = users.filter((user) => byPreference(user, backEnds)[0] === backEnds[0]).length;
    expect(doomed).toBeGreaterThan(25);
    expect(doomed).toBeLessThan(75);

    for (const [index, user] of users.entries()) {
      if (index % 2 === 0) deliver(user);
    }
    await servers.shift()?.kill();
    await Promise.all(downloads.map((download) => download.finish()));

    const brokenOff = downloads.filter(({ servedAgainMs }) => servedAgainMs !== undefined);
    expect(brokenOff).toHaveLength(doomed);
    expect(Math.max(...brokenOff.map(({ servedAgainMs }) => servedAgainMs!))).toBeLessThan(5_000);
    for (const { user, messages } of downloads) {
      const all = Array.from({ length: MESSAGES }, (_, index) => `${user}-${index}`);
      if (users.indexOf(user) % 2 === 0) all.push(`${user}-late`);
      // One unique-id each, whoever served it: what was fetched twice is known to the client.
      expect([...messages.values()].sort()).toEqual(all);
      for (const name of ["new", "cur"]) expect(readdirSync(join(maildirOf(user), name))).toEqual([]);
    }
  });

  it("HAProxy brings everybody to the host that is left", async () => {
    for (const from of network.clients) {
      const { connection } = await open(balancer, from);
      expect(await logIn(connection, "user50")).toBe("+OK Pass accepted");
      await connection.command("QUIT");
      await connection.closed;
    }
  });
});

async function openWithStls(from: string): Promise<Pop3Connection> {
  const socket = connect({ host: front.address, port: await front.port(110), localAddress: from });
  const plain = Pop3Connection.over(socket);
  await plain.reply();
  expect((await plain.command("STLS")).status).toBe("+OK");
  socket.removeAllListeners("data");
  const secured = connectTls({ socket, ca: certificate.certificate, servername: "mail.example.org" });
  await new Promise<void>((resolve, reject) => {
    secured.once("secureConnect", resolve);
    secured.once("error", reject);
  });
  return Pop3Connection.over(secured);
}

/** An MTA on some other host delivers. */
function deliver(user: string): void {
  const path = join(maildirOf(user), "new", `late.${user}`);
  writeFileSync(path, message(`${user}-late`), { mode: 0o600 });
  chownSync(path, owner.uid, owner.gid);
}

/** A client that downloads and deletes, and comes back when it is cut off. */
class Download {
  readonly user: string;
  /** By unique-id. */
  readonly messages = new Map<string, string>();
  /** From being cut off to being logged in again. */
  servedAgainMs: number | undefined;
  #connection: Pop3Connection | undefined;

  constructor(user: string) {
    this.user = user;
  }

  /** Logs in, fetches a message and marks it. */
  async begin(): Promise<void> {
    this.#connection = (await open(front)).connection;
    expect(await logIn(this.#connection, this.user)).toBe("+OK Pass accepted");
    await this.#fetch(1);
  }

  /** Until the maildrop is empty. */
  async finish(): Promise<void> {
    let cutOffAtMs: number | undefined;
    for (;;) {
      try {
        if (this.#connection === undefined) {
          this.#connection = (await open(front)).connection;
          const reply = await logIn(this.#connection, this.user);
          if (!reply.startsWith("+OK")) throw new Error(reply);
          if (cutOffAtMs !== undefined) this.servedAgainMs ??= performance.now() - cutOffAtMs;
        }
        const { text } = await this.#connection.command("STAT");
        const count = Number.parseInt(text, 10);
        for (let number = 1; number <= count + 1; number++) await this.#fetch(number);
        await this.#connection.command("QUIT");
        this.#connection = undefined;
        if (count === 0) return;
      } catch {
        cutOffAtMs ??= performance.now();
        this.#connection?.drop();
        this.#connection = undefined;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  }

  async #fetch(number: number): Promise<void> {
    const connection = this.#connection!;
    const uniqueId = (await connection.command(`UIDL ${number}`)).text.split(" ")[1];
    const { status, body } = await connection.multiLine(`RETR ${number}`);
    if (status !== "+OK") return;
    this.messages.set(uniqueId!, body!.toString().split("\r\n")[0]!.slice("Subject: ".length));
    await connection.command(`DELE ${number}`);
  }
}
