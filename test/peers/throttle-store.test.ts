// `auth.throttle_store` with a real Redis: what one host has seen slows guessing down on the others, and nobody waits for
// a store that is away.
import { chmodSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Finding } from "../../src/doctor/finding.ts";
import { runnableProgram } from "../support/checkout.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free-port.ts";
import { mailOwner } from "../support/mail-owner.ts";
import { childrenOf } from "../support/processes.ts";
import { type RunningProgram, runProgram, startProgram } from "../support/program.ts";
import { type Settings, startServer, type TestServer } from "../support/server.ts";
import { layOutMaildir } from "./support/maildir.ts";
import { Pop3Connection } from "./support/pop3.ts";

const owner = mailOwner();
let folder: string;
let port: number;
let redis: RunningProgram;
const servers: TestServer[] = [];

async function startRedis(): Promise<RunningProgram> {
  const program = await startProgram("/usr/bin/redis-server", [
    ...["--port", `${port}`, "--bind", "127.0.0.1", "--dir", folder, "--requirepass", "hidden"],
    ...["--save", "", "--appendonly", "yes"],
  ]);
  await program.lineWhere((line) => line.includes("Ready to accept connections"), "that it is ready");
  return program;
}

function startHost(settings: Settings[string] = {}): Promise<TestServer> {
  const home = join(folder, "home");
  return startServer({
    accounts: [{ user: "mrose", password: "secret", uid: owner.uid, gid: owner.gid, home }],
    owner,
    settings: {
      server: settings,
      auth: { throttle_store: `redis://:hidden@127.0.0.1:${port}`, max_failure_delay: "10ms" },
    },
  });
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "dewey-redis-"));
  chmodSync(folder, 0o755);
  port = await freePort();
  layOutMaildir(join(folder, "home"), owner);
  redis = await startRedis();
  servers.push(...(await Promise.all([startHost(), startHost()])));
  for (const server of servers) await said(server, "throttle is shared with other hosts", 1);
});
afterAll(async () => {
  await Promise.all(servers.map((server) => server.stop()));
  await redis.stop();
  rmSync(folder, { recursive: true });
});

async function said(server: TestServer, msg: string, times: number): Promise<void> {
  await eventually(`"${msg}" ${times} times in the log`, () => {
    return server.log().filter((line) => line.msg.startsWith(msg)).length >= times;
  });
}

/** @param password another one each time: the same again counts once */
async function fail(server: TestServer, password: string, from?: string): Promise<void> {
  const { connection } = await Pop3Connection.open(server.port, from);
  await connection.command("USER mrose");
  expect(await connection.command(`PASS ${password}`)).toMatchObject({
    status: "-ERR",
    text: "[AUTH] authentication failed",
  });
  connection.drop();
}

/** Against the account from anywhere. */
async function failuresAt(server: TestServer): Promise<number> {
  const { path, env } = runnableProgram("pop3-ctl");
  const args = ["--config", join(server.folder, "config.toml"), "throttle", "list", "--json"];
  const { stdout, stderr } = await runProgram(path, args, { env });
  const lines = stdout.toString().trim();
  const entries: { account: string | null; network: string | null; failures: number }[] =
    lines === ""
      ? []
      : (JSON.parse(lines.startsWith("[") ? lines : `[${lines.split("\n").join(",")}]`) as []);
  expect(stderr).toBe("");
  return entries.find(({ account, network }) => account === "mrose" && network === null)?.failures ?? 0;
}

async function storeSeenByDoctor(): Promise<{ level: string; message: string }[]> {
  const { path, env } = runnableProgram("pop3-ctl");
  const args = ["--config", join(servers[0]!.folder, "config.toml"), "--json", "doctor"];
  const { stdout } = await runProgram(path, args, { env });
  expect(stdout.toString()).not.toContain("hidden");
  const { findings } = JSON.parse(stdout.toString()) as { findings: Finding[] };
  return findings
    .filter(({ message }) => message.startsWith("auth.throttle_store"))
    .map(({ level, message }) => ({ level, message }));
}

describe("auth.throttle_store", () => {
  it("lets each host count what any of them has seen, one that came later, too", async () => {
    const [one, other] = servers as [TestServer, TestServer];
    for (let attempt = 0; attempt < 3; attempt++) {
      await fail(one, `one ${attempt}`);
      await fail(other, `other ${attempt}`);
    }
    for (const server of servers)
      await eventually("six failures on each", async () => (await failuresAt(server)) === 6);
    const later = await startHost();
    servers.push(later);
    await eventually("six failures on the new one", async () => (await failuresAt(later)) === 6);
  });

  it("is found by doctor, without the password in its URL", async () => {
    expect(await storeSeenByDoctor()).toEqual([
      { level: "ok", message: `auth.throttle_store (redis://127.0.0.1:${port}) is reached` },
    ]);
  });

  it("is done without while it is away, with one warning, and is found again", async () => {
    await redis.stop();
    expect(await storeSeenByDoctor()).toEqual([
      {
        level: "error",
        message: expect.stringMatching(/^auth\.throttle_store .* is not reached: .*ECONNREFUSED/),
      },
    ]);
    for (const server of servers) await said(server, "auth.throttle_store is away", 1);
    const [one, other] = servers as [TestServer, TestServer];
    await fail(one, "alone");
    await (await Pop3Connection.login(one.port, "mrose", "secret")).command("QUIT");
    expect(await failuresAt(one)).toBe(7);
    expect(await failuresAt(other)).toBe(6);

    redis = await startRedis();
    for (const server of servers) await said(server, "throttle is shared with other hosts", 2);
    // From elsewhere: where its owner has logged in from, the account is not held up.
    await fail(one, "together again", "127.0.0.2");
    await eventually("the new one on the other host", async () => (await failuresAt(other)) === 7);
    for (const server of servers) {
      const warnings = server.log().filter(({ msg }) => msg.startsWith("auth.throttle_store is away"));
      expect(warnings).toHaveLength(1);
      expect(JSON.stringify(server.log())).not.toContain("hidden");
    }
  });

  it("forgives on every host what an administrator forgives on one", async () => {
    const { path, env } = runnableProgram("pop3-ctl");
    const args = ["--config", join(servers[0]!.folder, "config.toml"), "throttle", "clear", "mrose"];
    expect((await runProgram(path, args, { env })).exitCode).toBe(0);
    for (const server of servers)
      await eventually("no failures any more", async () => (await failuresAt(server)) === 0);
  });

  it("takes back what a worker of another host remembers", async () => {
    const host = await startHost({ processes: "combined", login_processes: 1 });
    servers.push(host);
    await said(host, "throttle is shared with other hosts", 1);
    const auth = childrenOf(host.pid).find(({ role }) => role === "auth")!.pid;
    const logIn = async (): Promise<void> => {
      const session = await Pop3Connection.login(host.port, "mrose", "secret");
      expect((await session.command("QUIT")).status).toBe("+OK");
    };
    const isRemembered = async (): Promise<boolean> => {
      process.kill(auth, "SIGSTOP");
      const login = logIn();
      const isIn = await Promise.race([login.then(() => true), delay(700, false)]);
      process.kill(auth, "SIGCONT");
      await login;
      return isIn;
    };
    // A file that changed just now is read again at each login: nothing is remembered of it.
    const { ctimeMs } = statSync(join(host.folder, "passwd"));
    await eventually("the passwd file is old", () => Date.now() - ctimeMs > 3_000);
    for (let i = 0; i < 3; i++) await logIn();
    expect(await isRemembered()).toBe(true);
    await fail(servers[0]!, "from elsewhere", "127.0.0.2");
    await eventually("it is taken back", async () => !(await isRemembered()));
  });
});
