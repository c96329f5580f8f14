// Guessing passwords, against the real server: by POP3 and by the MTA's socket, one throttle for both.
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { layOutMaildir } from "../peers/support/maildir.ts";
import { Pop3Connection } from "../peers/support/pop3.ts";
import { runnableProgram } from "../support/checkout.ts";
import { eventually } from "../support/eventually.ts";
import { mailOwner } from "../support/mail-owner.ts";
import { askServer } from "../support/pop3-ctl.ts";
import { runProgram } from "../support/program.ts";
import { type Settings, startServer, type TestServer } from "../support/server.ts";

const stranger = "127.0.0.66";
const home = "127.0.0.7";
let folder: string;
let server: TestServer;
let connections: { drop(): void }[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "dewey-throttle-"));
  chmodSync(folder, 0o755);
  connections = [];
});
afterEach(async () => {
  for (const connection of connections) connection.drop();
  await server.stop();
  rmSync(folder, { recursive: true });
});

async function start(auth: Settings[string]): Promise<void> {
  const owner = mailOwner();
  layOutMaildir(join(folder, "home"), owner);
  server = await startServer({
    accounts: [
      { user: "mrose", password: "secret", uid: owner.uid, gid: owner.gid, home: join(folder, "home") },
    ],
    owner,
    settings: { auth: { throttle_exempt_nets: [], ...auth }, mta: { sasl_socket: join(folder, "sasl") } },
  });
}

const count = (message: string): number => server.log().filter(({ msg }) => msg === message).length;

/** Sends a password and waits for no answer. */
async function guess(password: string, from = stranger): Promise<Pop3Connection> {
  const { connection } = await Pop3Connection.open(server.port, from);
  connections.push(connection);
  connection.send(`AUTH PLAIN ${Buffer.from(`\0mrose\0${password}`).toString("base64")}\r\n`);
  return connection;
}

async function logIn(from: string): Promise<void> {
  const session = await Pop3Connection.login(server.port, "mrose", "secret", { from });
  expect((await session.command("QUIT")).status).toBe("+OK");
}

/** Postfix's side of the socket: what comes back until it is closed. */
function askAsMta(
  password: string,
  address: string,
): { readonly socket: Socket; said: string; isClosed: boolean } {
  const socket = connect(join(folder, "sasl"));
  const asked = { socket, said: "", isClosed: false };
  socket.on("data", (octets) => {
    asked.said += octets.toString();
  });
  socket.on("close", () => {
    asked.isClosed = true;
  });
  connections.push({ drop: () => socket.destroy() });
  const response = Buffer.from(`\0mrose\0${password}`).toString("base64");
  socket.write(`VERSION\t1\t0\nCPID\t1\nAUTH\t1\tPLAIN\tservice=smtp\trip=${address}\tresp=${response}\n`);
  return asked;
}

describe("guessing passwords", () => {
  it("is not forgotten when auth is replaced, however many have guessed", async () => {
    await start({ failure_delay: "1ms", max_failure_delay: "1h", verification_memory: "20MiB" });
    const mta = connect(join(folder, "sasl"));
    connections.push({ drop: () => mta.destroy() });
    let said = "";
    mta.on("data", (octets) => {
      said += octets.toString();
    });
    // Each counts three times: for its account, its address and both.
    const guesses = Array.from({ length: 700 }, (_, i) => {
      const response = Buffer.from(`\0user${i}\0wrong`).toString("base64");
      const address = `198.51.${100 + (i >> 8)}.${i & 255}`;
      return `AUTH\t${i + 1}\tPLAIN\tservice=smtp\trip=${address}\tresp=${response}\n`;
    });
    mta.write(`VERSION\t1\t0\nCPID\t1\n${guesses.join("")}`);
    await eventually("all are refused", () => said.match(/^FAIL\t/gm)?.length === guesses.length);
    const configFile = join(server.folder, "config.toml");
    writeFileSync(configFile, `${readFileSync(configFile, "utf8")}\n[limits]\nprocess_memory = "32MiB"\n`);
    await askServer(server, "reload");
    await eventually("auth is replaced", () =>
      server
        .log()
        .some((line) => line.msg.startsWith("successor has taken over") && line["child"] === "auth"),
    );
    expect(await askServer(server, "throttle", "clear")).toEqual({ cleared: 3 * guesses.length });
  });

  it("gets no more than the free failures checked at a time, on however many connections, reload or not", async () => {
    await start({ failure_delay: "1h", max_failure_delay: "1h" });
    await logIn(home);
    for (let i = 0; i < 20; i++) await guess(`wrong${i}`);
    await eventually("five failures", () => count("login refused") === 5);
    process.kill(server.pid, "SIGHUP");
    await eventually("the reload", () => count("reloaded") === 1);
    // The right one among them is not looked at either, though it is remembered from its owner's login.
    const lucky = await guess("secret");
    // Nobody waits for those who guess: neither the owner at home nor who comes from elsewhere.
    await logIn(home);
    await logIn("127.0.0.8");
    expect(count("login refused")).toBe(5);
    const outcome = await Promise.race([
      lucky.reply().then(
        ({ status }) => status,
        () => "closed",
      ),
      delay(300, "no answer"),
    ]);
    expect(outcome).toBe("no answer");
  });

  it("is told [SYS/TEMP] when its turn does not come in time, and may try again later", async () => {
    await start({ failure_delay: "500ms", max_failure_delay: "500ms" });
    const guesses = await Promise.all(Array.from({ length: 30 }, (_, index) => guess(`wrong${index}`)));
    const replies = await Promise.all(guesses.map((connection) => connection.reply()));
    expect(new Set(replies.map(({ text }) => /^\[[A-Z/]+\]/.exec(text)?.[0]))).toEqual(
      new Set(["[AUTH]", "[SYS/TEMP]"]),
    );
    await eventually(
      "a throttled one in the log",
      () => count("login throttled after too many failures") > 0,
    );
    await logIn(stranger);
  });

  it("counts the same wrong password once", async () => {
    await start({ failure_delay: "1ms", max_failure_delay: "1h" });
    for (let i = 0; i < 20; i++) {
      const connection = await guess("the-old-one");
      expect((await connection.reply()).text).toBe("[AUTH] authentication failed");
    }
    await logIn(stranger);
  });

  it("is counted for POP3 and for the MTA together, whose socket is closed within its patience", async () => {
    await start({ failure_delay: "1h", max_failure_delay: "1h" });
    for (let i = 0; i < 3; i++) await guess(`wrong${i}`);
    for (let i = 3; i < 5; i++) askAsMta(`wrong${i}`, stranger);
    await eventually("five failures", () => count("login refused") === 5);
    const asked = askAsMta("secret", stranger);
    await eventually("the closed socket", () => asked.isClosed);
    expect(asked.said).not.toMatch(/^(?:OK|FAIL)\t/m);
    const owner = askAsMta("secret", home);
    await eventually("the owner's login", () => owner.said.includes("OK\t1\tuser=mrose\n"));
  });

  it("is shown and forgiven by pop3-ctl", async () => {
    await start({ failure_delay: "1h", max_failure_delay: "1h" });
    for (let i = 0; i < 5; i++) await guess(`wrong${i}`);
    await eventually("five failures", () => count("login refused") === 5);
    const { path, env } = runnableProgram("pop3-ctl");
    const ctl = async (...args: string[]) => {
      const all = ["--config", join(server.folder, "config.toml"), "throttle", ...args];
      const { exitCode, stdout, stderr } = await runProgram(path, all, { env });
      return { exitCode, said: `${stdout}${stderr}` };
    };
    expect((await ctl("list", "--json")).said).toContain(
      `{"account":"mrose","network":"${stranger}","failures":5,`,
    );
    const { said } = await ctl("list");
    expect(said.split("\n").slice(0, -1)).toHaveLength(4);
    expect(said).toMatch(/^mrose +127\.0\.0\.66 +5 +(?:1h|59m \d+s)$/m);
    expect(said).toMatch(/^\(any\) +127\.0\.0\.66 +5 +now$/m);
    expect(await ctl("clear", "nobody")).toEqual({
      exitCode: 1,
      said: 'pop3-ctl: nothing is counted against "nobody"\n',
    });
    expect(await ctl("clear", stranger)).toEqual({ exitCode: 0, said: "forgave 2 counts\n" });
    await logIn(stranger);
    expect(await ctl("clear")).toEqual({ exitCode: 0, said: "forgave 1 count\n" });
    expect(await ctl("list")).toEqual({ exitCode: 0, said: "nobody is counted\n" });
  });

  it("is forgotten by nobody when the delays are changed, and slows nobody down when they are turned off", async () => {
    await start({ failure_delay: "1h", max_failure_delay: "1h" });
    for (let i = 0; i < 5; i++) await guess(`wrong${i}`);
    await eventually("five failures", () => count("login refused") === 5);
    const file = join(server.folder, "config.toml");
    writeFileSync(file, readFileSync(file, "utf8").replaceAll('"1h"', '"0s"'));
    process.kill(server.pid, "SIGHUP");
    await eventually("the reload", () => count("reloaded") === 1);
    const connection = await guess("wrong", "127.0.0.67");
    expect((await connection.reply()).text).toBe("[AUTH] authentication failed");
  });
});
