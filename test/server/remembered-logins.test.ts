// "combined": a worker lets in again who was let in before, without asking auth, and only while auth has nothing against it. What
// is remembered shows when auth is held (SIGSTOP): who gets in then was not asked about.
import { chmodSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { layOutMaildir } from "../peers/support/maildir.ts";
import { Pop3Connection } from "../peers/support/pop3.ts";
import { runnableProgram } from "../support/checkout.ts";
import { eventually } from "../support/eventually.ts";
import { mailOwner } from "../support/mail-owner.ts";
import { askServer, countedBy } from "../support/pop3-ctl.ts";
import { childrenOf } from "../support/processes.ts";
import { runProgram } from "../support/program.ts";
import { type Settings, startServer, type TestServer } from "../support/server.ts";

const elsewhere = "127.0.0.7";
const workers = 2;
let folder: string;
let server: TestServer;
let connections: Pop3Connection[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "dewey-remembered-"));
  chmodSync(folder, 0o755);
  connections = [];
});
afterEach(async () => {
  for (const connection of connections) connection.drop();
  signalAuth("SIGCONT");
  await server.stop();
  rmSync(folder, { recursive: true });
});

async function start(processes: "combined" | "separate", settings: Settings = {}): Promise<void> {
  const owner = mailOwner();
  const home = join(folder, "home");
  layOutMaildir(home, owner, new Map([["new/1.one", Buffer.from("Subject: one\n\none\n")]]));
  server = await startServer({
    accounts: [{ user: "mrose", password: "secret", uid: owner.uid, gid: owner.gid, home }],
    owner,
    settings: {
      server: { processes, login_processes: workers },
      auth: { failure_delay: "0s" },
      ...settings,
    },
  });
}

function signalAuth(signal: NodeJS.Signals): void {
  for (const { pid, role } of childrenOf(server.pid)) if (role === "auth") process.kill(pid, signal);
}

async function logIn(from?: string): Promise<void> {
  const session = await Pop3Connection.login(server.port, "mrose", "secret", from ? { from } : {});
  expect((await session.command("STAT")).text).toMatch(/^1 /);
  expect((await session.command("QUIT")).status).toBe("+OK");
}

async function passwordAgain(password: string, from?: string): Promise<string> {
  const { connection } = await Pop3Connection.open(server.port, from);
  connections.push(connection);
  await connection.command("USER mrose");
  const { status, text } = await connection.command(`PASS ${password}`);
  connection.drop();
  return `${status} ${text}`;
}

/** Every worker has let in from here, more than once. */
async function logInEverywhere(from?: string): Promise<void> {
  const passwd = join(server.folder, "passwd");
  // A file that changed just now is read again at each login: the next change might look the same.
  await eventually("the passwd file is old", () => Date.now() - statSync(passwd).ctimeMs > 3_000);
  // The kernel chooses the worker.
  for (let i = 0; i < 12 * workers; i++) await logIn(from);
}

/** How many of some logins get in while auth is held; the others wait for it, and get their answers afterwards. */
async function lettingInWithoutAuth(password: string, from?: string): Promise<number> {
  signalAuth("SIGSTOP");
  let letIn = 0;
  let answered = 0;
  const logins = Array.from({ length: 6 }, async () => {
    const reply = await passwordAgain(password, from);
    answered++;
    return reply;
  });
  const first = Promise.all(
    logins.map(async (login) => {
      if ((await login).startsWith("+OK")) letIn++;
    }),
  );
  // Master's patience with a process that says nothing is longer.
  await Promise.race([first, new Promise((resolve) => setTimeout(resolve, HELD_MS))]);
  const inTime = letIn;
  expect(answered).toBe(letIn);
  signalAuth("SIGCONT");
  await first;
  return inTime;
}

/** What a worker remembers it answers within a few ms. */
const HELD_MS = 700;

async function changePassword(to: string): Promise<void> {
  const { path, env } = runnableProgram("pop3-passwd");
  const args = ["--file", join(server.folder, "passwd"), "set", "mrose"];
  const { exitCode, stderr } = await runProgram(path, args, { env, input: `${to}\n` });
  expect([exitCode, stderr]).toEqual([0, ""]);
}

describe("logins that a worker remembers", () => {
  it("are those that auth let in before, with the same password from the same address", async () => {
    await start("combined");
    await logInEverywhere();
    expect(await lettingInWithoutAuth("secret")).toBe(6);
    expect(await lettingInWithoutAuth("secret", elsewhere)).toBe(0);
    // The last one may have been wrong everywhere.
    expect(await lettingInWithoutAuth("wrong")).toBe(0);
    expect(await lettingInWithoutAuth("secret")).toBe(0);
  });

  it("hold until the first wrong guess, wherever it was made", async () => {
    await start("combined");
    await logInEverywhere();
    expect(await passwordAgain("wrong", elsewhere)).toBe("-ERR [AUTH] authentication failed");
    expect(await lettingInWithoutAuth("secret")).toBe(0);
  });

  it("hold until the passwd file changes: the old password opens nothing", async () => {
    await start("combined");
    await logInEverywhere();
    await changePassword("changed");
    expect(await passwordAgain("secret")).toBe("-ERR [AUTH] authentication failed");
    expect(await passwordAgain("changed")).toBe("+OK Pass accepted");
  });

  it("hold until the config is read again, or auth is another process", async () => {
    await start("combined");
    await logInEverywhere();
    process.kill(server.pid, "SIGHUP");
    await eventually("the reload", () => server.log().some(({ msg }) => msg === "reloaded"));
    await eventually("all is forgotten", async () => (await lettingInWithoutAuth("secret")) === 0);
    await logInEverywhere();
    expect(await lettingInWithoutAuth("secret")).toBe(6);
    const auth = childrenOf(server.pid).find(({ role }) => role === "auth")!.pid;
    process.kill(auth, "SIGKILL");
    await eventually("another auth process", () =>
      childrenOf(server.pid).some(({ pid, role }) => role === "auth" && pid !== auth),
    );
    await eventually("a login", async () => (await passwordAgain("secret")).startsWith("+OK"));
    await logIn();
  });

  it("are counted and told as every other", async () => {
    await start("combined");
    await logInEverywhere();
    expect(await countedBy(server, "logins")).toEqual({ "pop3 PLAIN ok": 12 * workers });
    // Each process keeps the last ten.
    const { happened } = (await askServer(server, "why", "mrose")) as { happened: { kind: string }[] };
    expect(happened.filter(({ kind }) => kind === "login").length).toBeGreaterThan(10);
  });

  it("are none where the host's users fill in what a line leaves empty: they change without a sign", async () => {
    await start("combined", { accounts: { source: "system" } });
    await logInEverywhere();
    expect(await lettingInWithoutAuth("secret")).toBe(0);
  });

  it("are none where login and mailbox are processes of their own", async () => {
    await start("separate");
    await logInEverywhere();
    expect(await lettingInWithoutAuth("secret")).toBe(0);
  });
});
