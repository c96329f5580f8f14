// "Mailbox locked", the commonest complaint about POP3 servers: who waits, who is ended, who is refused.
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { layOutMaildir, readMaildir } from "../peers/support/maildir.ts";
import { Pop3Connection } from "../peers/support/pop3.ts";
import { eventually } from "../support/eventually.ts";
import { mailOwner } from "../support/mail-owner.ts";
import { countedBy } from "../support/pop3-ctl.ts";
import { childrenOf } from "../support/processes.ts";
import { type LogLine, startServer, type TestServer } from "../support/server.ts";

describe.each(["separate", "combined"] as const)("a locked maildrop, processes %s", (processes) => {
  let home: string;
  let maildir: string;
  let server: TestServer;

  beforeAll(async () => {
    const owner = mailOwner();
    home = mkdtempSync(join(tmpdir(), "dewey-lock-"));
    server = await startServer({
      accounts: [{ user: "mrose", password: "secret", uid: owner.uid, gid: owner.gid, home }],
      owner,
      settings: {
        server: { processes },
        limits: { lock_wait: "1s", takeover_idle: "3s", stall_time: "2s" },
      },
    });
  });
  afterAll(async () => {
    await server.stop();
    rmSync(home, { recursive: true });
  });
  beforeEach(() => {
    const big = Buffer.alloc(20_000_000, "0123456789\n");
    maildir = layOutMaildir(
      home,
      mailOwner(),
      new Map([
        ["new/1.one", Buffer.from("A: 1\n\n")],
        ["new/2.two", big],
      ]),
    );
  });
  afterEach(async () => {
    await eventually("a free maildrop", async () => {
      const session = await login().catch(() => undefined);
      await session?.command("QUIT");
      return session !== undefined;
    });
    rmSync(maildir, { recursive: true });
  });

  const login = (): Promise<Pop3Connection> => Pop3Connection.login(server.port, "mrose", "secret");
  const ended = (reason: string) => () =>
    server.log().find((line) => line.msg === "session ended" && line["reason"] === reason);

  it("is waited for: a session that ends in time makes room", async () => {
    const waits = async () => (await countedBy(server, "lock_waits"))["free"] ?? 0;
    const before = await waits();
    // Nobody tells when the second one has begun to wait: the first one stays longer until it has, in steps that are short beside
    // lock_wait.
    for (let commands = 8; commands < 1_000 && (await waits()) === before; commands += 8) {
      const first = await login();
      const { connection: second } = await Pop3Connection.open(server.port);
      await second.command("USER mrose");
      second.send("PASS secret\r\n");
      for (let i = 0; i < commands; i++) expect((await first.command("NOOP")).status).toBe("+OK");
      expect((await first.command("QUIT")).status).toBe("+OK");
      expect((await second.reply()).status).toBe("+OK");
      expect((await second.command("QUIT")).status).toBe("+OK");
    }
    expect(await waits()).toBe(before + 1);
  });

  it("is refused while its session is active, with since when and from where", async () => {
    const first = await login();
    const { connection: second } = await Pop3Connection.open(server.port);
    await second.command("USER mrose");
    expect(await second.command("PASS secret")).toEqual({
      status: "-ERR",
      text: expect.stringMatching(
        /^\[IN-USE\] maildrop is locked by another session from 127\.0\.0\.1 since \d{4}-\d\d-\d\dT[\d:]{8}Z$/,
      ),
    });
    expect((await first.command("STAT")).status).toBe("+OK");
    first.drop();
    second.drop();
  });

  it("is taken over from an idle session, which is told so, and nothing is deleted", async () => {
    const first = await login();
    expect((await first.command("DELE 1")).status).toBe("+OK");
    const second = await eventually("the takeover", () => login().catch(() => undefined));
    expect(await first.reply()).toEqual({
      status: "-ERR",
      text: "[SYS/TEMP] another session of this account has taken over, nothing was deleted",
    });
    await first.closed;
    expect((await second.command("STAT")).text).toMatch(/^2 /);
    expect((await second.command("QUIT")).status).toBe("+OK");
    expect(readMaildir(maildir)).toHaveLength(2);
    expect(await eventually("its end in the log", ended("taken-over"))).toMatchObject({ deleted: 0 });
  });

  it("becomes free when its client takes no octets any more", async () => {
    const socket = connect({ host: "127.0.0.1", port: server.port });
    socket.on("error", () => {});
    socket.pause();
    socket.write("USER mrose\r\nPASS secret\r\nDELE 1\r\nRETR 2\r\nRETR 2\r\nRETR 2\r\n");
    expect(await eventually("the stalled session's end", ended("stalled"))).toMatchObject({ deleted: 0 });
    socket.destroy();
  });
});

describe("a maildrop that another worker's session has, processes combined", () => {
  let home: string;
  let server: TestServer;
  let workers: readonly number[];

  beforeAll(async () => {
    const owner = mailOwner();
    home = mkdtempSync(join(tmpdir(), "dewey-lock-"));
    layOutMaildir(home, owner, new Map([["new/1.one", Buffer.from("A: 1\n\n")]]));
    server = await startServer({
      accounts: [{ user: "mrose", password: "secret", uid: owner.uid, gid: owner.gid, home }],
      owner,
      settings: {
        server: { processes: "combined", login_processes: 3 },
        limits: { lock_wait: "500ms", takeover_idle: "1s" },
      },
    });
    workers = childrenOf(server.pid).flatMap(({ pid, role }) => (role === "combined" ? [pid] : []));
  });
  afterAll(async () => {
    await server.stop();
    rmSync(home, { recursive: true });
  });

  /** A connection that this worker has accepted: the others are stopped meanwhile. */
  async function openAt(worker: number): Promise<Pop3Connection> {
    const others = workers.filter((pid) => pid !== worker);
    for (const pid of others) process.kill(pid, "SIGSTOP");
    try {
      return (await Pop3Connection.open(server.port)).connection;
    } finally {
      for (const pid of others) process.kill(pid, "SIGCONT");
    }
  }

  async function login(connection: Pop3Connection) {
    await connection.command("USER mrose");
    return connection.command("PASS secret");
  }

  it("is refused while that session is active, with since when and from where", async () => {
    const first = await openAt(workers[0]!);
    expect((await login(first)).status).toBe("+OK");
    let isActive = true;
    const busy = (async () => {
      while (isActive) await first.command("NOOP");
    })();
    const second = await openAt(workers[1]!);
    expect(await login(second)).toEqual({
      status: "-ERR",
      text: expect.stringMatching(
        /^\[IN-USE\] maildrop is locked by another session from 127\.0\.0\.1 since \d{4}-\d\d-\d\dT[\d:]{8}Z$/,
      ),
    });
    isActive = false;
    await busy;
    expect((await first.command("QUIT")).status).toBe("+OK");
    second.drop();
  });

  it("is taken over when that session is idle, which is told so", async () => {
    const first = await openAt(workers[0]!);
    expect((await login(first)).status).toBe("+OK");
    expect((await first.command("DELE 1")).status).toBe("+OK");
    const second = await openAt(workers[2]!);
    await eventually("the takeover", async () => (await login(second)).status === "+OK");
    expect((await first.reply()).text).toBe(
      "[SYS/TEMP] another session of this account has taken over, nothing was deleted",
    );
    await first.closed;
    expect((await second.command("STAT")).text).toMatch(/^1 /);
    expect((await second.command("QUIT")).status).toBe("+OK");
    const line = (fits: (line: LogLine) => boolean) => server.log().find(fits);
    expect(line(({ msg }) => msg.startsWith("taking the maildrop over"))).toMatchObject({ pid: workers[2] });
    expect(line(({ reason }) => reason === "taken-over")).toMatchObject({ pid: workers[0], deleted: 0 });
  });
});
