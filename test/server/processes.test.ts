// The processes as an administrator meets them: killed, drained, reloaded, with their own users.
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { layOutMaildir, readMaildir } from "../peers/support/maildir.ts";
import { Pop3Connection } from "../peers/support/pop3.ts";
import { eventually } from "../support/eventually.ts";
import { mailOwner, runsAsRoot } from "../support/mail-owner.ts";
import { childrenOf, statusOf } from "../support/processes.ts";
import { startServer, type TestServer } from "../support/server.ts";

const message = Buffer.from("Subject: one\n\none\n");

describe.each(["separate", "combined"] as const)("processes %s", (processes) => {
  let home: string;
  let maildir: string;
  let server: TestServer;

  beforeEach(async () => {
    const owner = mailOwner();
    home = mkdtempSync(join(tmpdir(), "dewey-processes-"));
    maildir = layOutMaildir(
      home,
      owner,
      new Map([
        ["new/1.one", message],
        ["new/2.two", message],
      ]),
    );
    server = await startServer({
      accounts: [
        { user: "mrose", password: "secret", uid: owner.uid, gid: owner.gid, home },
        { user: "other", password: "secret", uid: owner.uid, gid: owner.gid, home: join(home, "other") },
      ],
      owner,
      settings: { server: { processes } },
    });
  });

  afterEach(async () => {
    await server.stop();
    rmSync(home, { recursive: true });
  });

  const baseNames = (): string[] => readMaildir(maildir).map(({ baseName }) => baseName);
  const login = (user = "mrose"): Promise<Pop3Connection> =>
    Pop3Connection.login(server.port, user, "secret");

  it.each(processes === "separate" ? ["auth", "login", "mailbox"] : ["auth", "combined"])(
    "%s killed with -9 is started again, nothing is lost, and logins go on",
    async (role) => {
      const session = await login();
      expect((await session.command("DELE 1")).status).toBe("+OK");
      const before = childrenOf(server.pid);
      for (const { pid } of before.filter((child) => child.role === role)) process.kill(pid, "SIGKILL");
      const pids = new Set(before.map(({ pid }) => pid));
      await eventually(`${role} runs again`, () => {
        const now = childrenOf(server.pid);
        return (
          now.length === before.length && now.some((child) => child.role === role && !pids.has(child.pid))
        );
      });
      if (role === "auth" || role === "login") {
        // Whoever is logged in does not need it; login has passed the client's own connection on.
        expect(await session.command("STAT")).toMatchObject({ status: "+OK", text: "1 21" });
        session.drop();
      } else {
        await session.closed;
      }
      const again = await eventually("a login that works", () => login().catch(() => undefined));
      expect(await again.command("STAT")).toMatchObject({ status: "+OK", text: "2 42" });
      again.drop();
      expect(baseNames()).toEqual(["1.one", "2.two"]);
    },
  );

  it("SIGTERM says -ERR to waiting sessions, deletes nothing and exits with 0", async () => {
    const session = await login();
    await session.command("DELE 1");
    const { connection: waiting } = await Pop3Connection.open(server.port);
    process.kill(server.pid, "SIGTERM");
    expect(await session.reply()).toMatchObject({
      status: "-ERR",
      text: expect.stringMatching(/^\[SYS\/TEMP\] /),
    });
    expect(await waiting.reply()).toMatchObject({
      status: "-ERR",
      text: expect.stringMatching(/^\[SYS\/TEMP\] /),
    });
    await Promise.all([session.closed, waiting.closed]);
    await server.stop();
    expect(baseNames()).toEqual(["1.one", "2.two"]);
    expect(server.log().find(({ msg }) => msg === "session ended")).toMatchObject({
      reason: "shutdown",
      deleted: 0,
    });
  });

  it("a second session of an account is refused until the first one ends", async () => {
    const first = await login();
    const { connection: second } = await Pop3Connection.open(server.port);
    await second.command("USER mrose");
    expect(await second.command("PASS secret")).toMatchObject({
      status: "-ERR",
      text: expect.stringMatching(/^\[IN-USE\] /),
    });
    // Still in the AUTHORIZATION state, and another account is free.
    await second.command("USER other");
    expect((await second.command("PASS secret")).status).toBe("+OK");
    expect((await second.command("QUIT")).status).toBe("+OK");
    expect((await first.command("QUIT")).status).toBe("+OK");
    const third = await login();
    expect((await third.command("QUIT")).status).toBe("+OK");
  });

  it("a client that vanishes frees the maildrop", async () => {
    for (let i = 0; i < 5; i++) {
      const session = await eventually("a free maildrop", () => login().catch(() => undefined));
      session.drop();
    }
  });

  it("commands pipelined behind PASS are answered in order", async () => {
    const { connection } = await Pop3Connection.open(server.port);
    connection.send("USER mrose\r\nPASS secret\r\nSTAT\r\nRETR 1\r\nUIDL 2\r\nQUIT\r\n");
    const texts: string[] = [];
    for (let i = 0; i < 3; i++) texts.push((await connection.reply()).text);
    expect(texts).toEqual(["User accepted", "Pass accepted", "2 42"]);
    expect((await connection.multiLineReply()).body?.toString()).toBe("Subject: one\r\n\r\none\r\n");
    expect((await connection.reply()).text).toBe("2 2.two");
    expect((await connection.reply()).text).toBe("dewey POP3 server signing off (2 messages left)");
    await connection.closed;
  });

  it("a client that closes its sending side still gets its answers", async () => {
    const { connection } = await Pop3Connection.open(server.port);
    connection.sendLast("USER mrose\r\nPASS secret\r\nSTAT\r\n");
    for (const text of ["User accepted", "Pass accepted", "2 42"])
      expect((await connection.reply()).text).toBe(text);
    await connection.closed;
  });

  it("SIGHUP takes a new config; a faulty one changes nothing", async () => {
    const configFile = join(server.folder, "config.toml");
    const config = readFileSync(configFile, "utf8");
    writeFileSync(configFile, config.replace('name = "dewey"', 'name = "louie"'));
    process.kill(server.pid, "SIGHUP");
    await eventually("the new name in the greeting", async () => {
      const { connection, greeting } = await Pop3Connection.open(server.port);
      connection.drop();
      return greeting.text === "louie POP3 server ready";
    });
    writeFileSync(configFile, `${config}\nnonsense = 1\n`);
    process.kill(server.pid, "SIGHUP");
    const fault = await eventually("the fault in the log", () =>
      server.log().find((line) => "fault" in line),
    );
    expect(fault["fault"]).toMatch(/config\.toml:\d+: mail\.nonsense: unknown key/);
    const session = await login();
    expect((await session.command("QUIT")).text).toContain("louie");
  });

  it("runs each process with its own user, and none with the starter's groups", () => {
    const children = childrenOf(server.pid);
    const uids = new Map(
      children.map(({ pid, role }) => [role, Number(statusOf(pid, "Uid").split("\t")[0])]),
    );
    const roles = processes === "separate" ? ["auth", "login", "mailbox"] : ["auth", "combined"];
    expect([...uids.keys()].sort()).toEqual(roles);
    if (!runsAsRoot()) {
      for (const uid of uids.values()) expect(uid).toBe(process.getuid?.());
      return;
    }
    expect(uids.get(processes === "separate" ? "mailbox" : "combined")).toBe(mailOwner().uid);
    expect(new Set(uids.values()).size).toBe(roles.length);
    expect([...uids.values()]).not.toContain(0);
    for (const { pid } of children) expect(statusOf(pid, "Groups")).toBe("");
    // Only login processes (or workers) may connect to auth.
    const socket = statSync(join(server.folder, "run", "auth-login.sock"));
    expect(socket.uid).toBe(uids.get(processes === "separate" ? "login" : "combined"));
    expect(socket.mode & 0o777).toBe(0o600);
  });

  it("never writes a password to the log", async () => {
    const { connection } = await Pop3Connection.open(server.port);
    await connection.command("USER mrose");
    await connection.command("PASS hunter2-wrong");
    await connection.command(`AUTH PLAIN ${Buffer.from("\0mrose\0hunter2-plain").toString("base64")}`);
    connection.drop();
    const session = await login();
    await session.command("QUIT");
    await eventually("both sessions in the log", () => {
      const log = server.log().map(({ msg }) => msg);
      return log.includes("session ended") && log.filter((msg) => msg === "login refused").length === 2;
    });
    const log = JSON.stringify(server.log());
    for (const secret of [
      "hunter2",
      Buffer.from("hunter2").toString("base64").slice(0, 8),
      "$argon2id",
      "ticket",
    ]) {
      expect(log).not.toContain(secret);
    }
  });

  it("tells what a session did in one line", async () => {
    const session = await login();
    await session.multiLine("RETR 1");
    await session.command("DELE 1");
    await session.command("QUIT");
    const line = await eventually("the line", () => server.log().find(({ msg }) => msg === "session ended"));
    expect(line).toMatchObject({
      account: "mrose",
      address: "127.0.0.1",
      messages: 2,
      retrieved: 1,
      deleted: 1,
      octets: 21,
      reason: "quit",
      durationMs: expect.any(Number),
    });
  });
});
