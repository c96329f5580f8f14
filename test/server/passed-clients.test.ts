// Clients whose connection a login process has passed to a mailbox process, beside those that it relays because of TLS.
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { makeCertificate } from "../../scripts/certificate.mjs";
import { layOutMaildir } from "../peers/support/maildir.ts";
import { Pop3Connection } from "../peers/support/pop3.ts";
import { eventually } from "../support/eventually.ts";
import { mailOwner } from "../support/mail-owner.ts";
import { askServer } from "../support/pop3-ctl.ts";
import { childrenOf, descriptorsAtRest, openDescriptors } from "../support/processes.ts";
import { startServer, type TestServer } from "../support/server.ts";

let home: string;
let server: TestServer;

beforeEach(async () => {
  const owner = mailOwner();
  const { uid, gid } = owner;
  home = mkdtempSync(join(tmpdir(), "dewey-passed-"));
  chmodSync(home, 0o755);
  const accounts = ["plain", "secured"].map((user) => {
    layOutMaildir(join(home, user), owner, new Map([["new/1.one", Buffer.from("A: 1\n\n")]]));
    return { user, password: "secret", uid, gid, home: join(home, user) };
  });
  server = await startServer({
    accounts,
    owner,
    certificates: [await makeCertificate()],
    settings: {
      server: { processes: "separate", login_processes: 1, mailbox_processes: 1 },
      limits: { sessions_per_address: 3, lock_wait: "100ms" },
    },
  });
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
