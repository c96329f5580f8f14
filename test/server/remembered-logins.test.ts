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

/** Every worker has let in from here, twice: auth gives leave when it has seen the password before. */
async function logInEverywhere(from?: string): Promise<void> {
  const passwd = join(server.folder, "passwd");
  // A file that changed just now is read again at each login: the next change might look the same.
  await eventually("the passwd file is old", () => Date.now() - statSync(passwd).ctimeMs > 3_000);
  const all = childrenOf(server.pid)
    .filter(({ role }) => role === "combined" || role === "login")
    .map(({ pid }) => pid);
  for (const worker of all) {
    // One that is held would keep the maildrop.
    await eventually("nobody is there", async () => ((await askServer(server, "who")) as []).length === 0);
    // The kernel chooses among those that run.
    const others = all.filter((pid) => pid !== worker);
    for (const pid of others) process.kill(pid, "SIGSTOP");
    for (let i = 0; i < 2; i++) await logIn(from);
    for (const pid of others) process.kill(pid, "SIGCONT");
  }
}

/** How many of some logins get in while auth is held; the others wait for it, and get their answers afterwards. */
async function letInWithoutAuth(patienceMs: number, password: string, from?: string): Promise<number> {
  signalAuth("SIGSTOP");
  let answered = 0;
  const all = Promise.all(
    Array.from({ length: 2 * workers }, async () => {
      const reply = await passwordAgain(password, from);
      answered++;
      return reply;
    }),
  );
  await Promise.race([all, new Promise((resolve) => setTimeout(resolve, patienceMs))]);
  const inTime = answered;
  signalAuth("SIGCONT");
  const letIn = (await all).filter((reply) => reply.startsWith("+OK")).length;
  // A wrong password is never answered without auth.
  expect(inTime === 0 || letIn === 2 * workers).toBe(true);
  return inTime;
}

/** Nobody waits for auth. Master's patience with a process that says nothing is longer than ours. */
async function expectNobodyAsks(password: string, from?: string): Promise<void> {
  expect(await letInWithoutAuth(5_000, password, from)).toBe(2 * workers);
}

/** All wait for auth. What a worker remembers it answers within a few ms. */
async function expectAllAsk(password: string, from?: string): Promise<void> {
  expect(await letInWithoutAuth(700, password, from)).toBe(0);
}

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
    await expectNobodyAsks("secret");
    await expectAllAsk("secret", elsewhere);
    // The last one may have been wrong everywhere.
    await expectAllAsk("wrong");
    await expectAllAsk("secret");
  });

  it("hold until the first wrong guess, wherever it was made", async () => {
    await start("combined");
    await logInEverywhere();
    expect(await passwordAgain("wrong", elsewhere)).toBe("-ERR [AUTH] authentication failed");
    await expectAllAsk("secret");
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
    await eventually("all is forgotten", async () => (await letInWithoutAuth(700, "secret")) < 2 * workers);
    await logInEverywhere();
    await expectNobodyAsks("secret");
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
    for (let i = 0; i < 3; i++) await logInEverywhere();
    expect(await countedBy(server, "logins")).toEqual({ "pop3 PLAIN ok": 3 * 2 * workers });
    const { happened } = (await askServer(server, "why", "mrose")) as { happened: { kind: string }[] };
    expect(happened.filter(({ kind }) => kind === "login")).toHaveLength(3 * 2 * workers);
  });

  it("are none where the host's users fill in what a line leaves empty: they change without a sign", async () => {
    await start("combined", { accounts: { source: "system" } });
    await logInEverywhere();
    await expectAllAsk("secret");
  });

  it("are none where login and mailbox are processes of their own", async () => {
    await start("separate");
    await logInEverywhere();
    await expectAllAsk("secret");
  });
});
