// Clients whose connection a login process has passed to a mailbox process, beside those that it relays because of TLS.
import { chmodSync, cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { makeCertificate } from "../../scripts/certificate.mjs";
import { layOutMaildir } from "../peers/support/maildir.ts";
import { Pop3Connection } from "../peers/support/pop3.ts";
import { runnableModules } from "../support/checkout.ts";
import { eventually } from "../support/eventually.ts";
import { mailOwner } from "../support/mail-owner.ts";
import { askServer } from "../support/pop3-ctl.ts";
import { childrenOf, descriptorsAtRest, openDescriptors } from "../support/processes.ts";
import { type ServerOptions, startServer, type TestServer } from "../support/server.ts";

let home: string;
let server: TestServer;
let start: (options?: Partial<ServerOptions>) => Promise<void>;

beforeEach(async () => {
  const owner = mailOwner();
  const { uid, gid } = owner;
  home = mkdtempSync(join(tmpdir(), "dewey-passed-"));
  chmodSync(home, 0o755);
  const accounts = ["plain", "secured"].map((user) => {
    layOutMaildir(join(home, user), owner, new Map([["new/1.one", Buffer.from("A: 1\n\n")]]));
    return { user, password: "secret", uid, gid, home: join(home, user) };
  });
  const certificate = await makeCertificate();
  start = async (options = {}) => {
    server = await startServer({
      accounts,
      owner,
      certificates: [certificate],
      settings: {
        server: { processes: "separate", login_processes: 1, mailbox_processes: 1 },
        limits: { sessions_per_address: 3, lock_wait: "100ms" },
      },
      ...options,
    });
  };
});
afterEach(async () => {
  await server.stop();
  rmSync(home, { recursive: true });
});

const pidOf = (role: string) => childrenOf(server.pid).find((child) => child.role === role)?.pid;

async function logInSecured(): Promise<Pop3Connection> {
  const { connection } = await Pop3Connection.openTls(server.tlsPort, { rejectUnauthorized: false });
  await connection.command("USER secured");
  expect((await connection.command("PASS secret")).status).toBe("+OK");
  return connection;
}

it("a login process that dies cuts its TLS clients alone; who stays still counts, is told of and can be kicked", async () => {
  await start();
  const plain = await Pop3Connection.login(server.port, "plain", "secret");
  const secured = await logInSecured();
  const before = pidOf("login")!;
  process.kill(before, "SIGKILL");
  await secured.closed;
  await eventually("another login process", () => ![undefined, before].includes(pidOf("login")));
  const again = await eventually("a login by it", () => logInSecured().catch(() => undefined));
  expect(await plain.multiLine("RETR 1")).toMatchObject({ status: "+OK" });
  // Two of three are there.
  await eventually("room for just one more", async () => {
    const opened = await Promise.all([Pop3Connection.open(server.port), Pop3Connection.open(server.port)]);
    for (const { connection } of opened) connection.drop();
    return opened.filter(({ greeting }) => greeting.status === "+OK").length === 1;
  });
  const who = (await askServer(server, "who")) as readonly { readonly account: string | null }[];
  expect(who.map(({ account }) => account).sort()).toEqual(["plain", "secured"]);
  await askServer(server, "kick", "plain");
  expect((await plain.reply()).text).toContain("an administrator ended this session");
  await plain.closed;
  again.drop();
});

it("a client that is passed leaves no descriptor in its login process, and none in the mailbox process when it is gone", async () => {
  await start();
  // Opens the link.
  await (await Pop3Connection.login(server.port, "plain", "secret")).command("QUIT");
  const pids = ["login", "mailbox"].map((role) => pidOf(role)!);
  const counts = () => pids.map(openDescriptors);
  await eventually("its end", () => server.log().some(({ msg }) => msg === "session ended"));
  const [login, mailbox] = await Promise.all(pids.map(descriptorsAtRest));
  const session = await Pop3Connection.login(server.port, "plain", "secret");
  await eventually("the login process has let go", () => counts()[0] === login);
  expect(counts()[1]).toBeGreaterThan(mailbox!);
  // Refused ones stay in the login process.
  const { connection: refused } = await Pop3Connection.open(server.port);
  await refused.command("USER plain");
  expect((await refused.command("PASS secret")).text).toMatch(/^\[IN-USE\] /);
  expect(counts()[0]).toBe(login! + 1);
  expect((await refused.command("QUIT")).status).toBe("+OK");
  expect((await session.command("QUIT")).status).toBe("+OK");
  await eventually("nothing is left", () => counts().join() === [login, mailbox].join());
});

it("a Node that keeps descriptors elsewhere has all clients relayed, and the log says so", async () => {
  // This build, but for the one place that knows where Node keeps them.
  const built = join(home, "built");
  const { path: modules } = runnableModules();
  cpSync(modules, join(built, "dist"), { recursive: true });
  for (const name of ["package.json", "node_modules"])
    symlinkSync(join(modules, "..", name), join(built, name));
  const place = join(built, "dist/net/descriptor-of.js");
  const code = readFileSync(place, "utf8");
  expect(code).toContain("socket._handle");
  writeFileSync(place, code.replaceAll("socket._handle", "socket._handleOfAnotherNode"));
  const program = join(built, "dist/bin/pop3-server.js");
  await start({ wrapper: ["sh", "-c", 'program=$1; shift 2; exec node "$program" "$@"', "sh", program] });
  expect(server.log()).toContainEqual(
    expect.objectContaining({
      level: "warn",
      msg: "this Node tells no descriptors, all clients are relayed",
    }),
  );
  const [login, mailbox] = await Promise.all(
    ["login", "mailbox"].map((role) => descriptorsAtRest(pidOf(role)!)),
  );
  const session = await Pop3Connection.login(server.port, "plain", "secret");
  expect((await session.multiLine("RETR 1")).body?.toString()).toBe("A: 1\r\n\r\n");
  // The client's, and the way to the mailbox process.
  expect(openDescriptors(pidOf("login")!)).toBe(login! + 2);
  // Pipelined behind the password, and refused.
  const { connection } = await Pop3Connection.open(server.port);
  connection.send("USER plain\r\nPASS secret\r\nNOOP\r\n");
  expect((await connection.reply()).status).toBe("+OK");
  expect((await connection.reply()).text).toMatch(/^\[IN-USE\] /);
  expect((await connection.reply()).status).toBe("-ERR");
  connection.drop();
  expect((await session.command("QUIT")).status).toBe("+OK");
  await session.closed;
  expect(mailbox).toBe(await descriptorsAtRest(pidOf("mailbox")!));
});
