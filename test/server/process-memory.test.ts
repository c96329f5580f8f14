// limits.process_memory: a process that takes more is replaced while it serves, and nobody notices but the log.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { layOutMaildir, readMaildir } from "../peers/support/maildir.ts";
import { Pop3Connection } from "../peers/support/pop3.ts";
import { eventually } from "../support/eventually.ts";
import { mailOwner } from "../support/mail-owner.ts";
import { askServer, countedBy } from "../support/pop3-ctl.ts";
import { childrenOf } from "../support/processes.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { type Login, logInAtAuth, showTicket } from "../support/tickets.ts";
import { twoMessages } from "../support/two-messages.ts";

/** What a session says to a ticket and a QUIT. */
const SERVED = /^\+OK .*\r\n\+OK /;

interface Session {
  readonly account: string | null;
}

describe.each(["separate", "combined"] as const)("processes that grow too large, %s", (processes) => {
  const roles = processes === "separate" ? ["auth", "login", "mailbox"] : ["auth", "combined"];
  let home: string;
  let maildir: string;
  let server: TestServer;

  beforeEach(async () => {
    const owner = mailOwner();
    home = mkdtempSync(join(tmpdir(), "dewey-memory-"));
    maildir = layOutMaildir(home, owner, twoMessages);
    const { uid, gid } = owner;
    server = await startServer({
      accounts: [
        { user: "mrose", password: "secret", uid, gid, home },
        { user: "other", password: "secret", uid, gid, home: join(home, "other") },
        { user: "third", password: "secret", uid, gid, home: join(home, "third") },
      ],
      owner,
      settings: {
        server: { processes, login_processes: 1, mailbox_processes: 1 },
        auth: { verification_memory: "20MiB" },
        limits: { lock_wait: "100ms", takeover_idle: "1s", retire_time: "8s" },
      },
    });
  });

  afterEach(async () => {
    await server.stop();
    rmSync(home, { recursive: true });
  });

  const runDir = () => join(server.folder, "run");
  const show = ({ place, ticket }: Login) => showTicket(runDir(), place, ticket);

  /** No process of Node's is as small as that. @returns when each has been replaced, the pids of before */
  async function replaceAll(): Promise<ReadonlySet<number>> {
    const before = new Set(childrenOf(server.pid).map(({ pid }) => pid));
    const configFile = join(server.folder, "config.toml");
    const config = readFileSync(configFile, "utf8");
    writeFileSync(configFile, config.replace("[limits]\n", '[limits]\nprocess_memory = "32MiB"\n'));
    await askServer(server, "reload");
    const tookOver = () => server.log().filter(({ msg }) => msg.startsWith("successor has taken over"));
    await eventually("a successor of each", () => tookOver().length === roles.length);
    return before;
  }

  it("sessions go on to their QUIT, and no login is lost of clients that come all the while", async () => {
    const coming = new Coming(server.port, "third");
    const session = await Pop3Connection.login(server.port, "mrose", "secret");
    expect((await session.command("DELE 1")).status).toBe("+OK");
    const { connection: early } = await Pop3Connection.open(server.port);
    const before = await replaceAll();
    const loginsBefore = coming.logins;
    await eventually("more logins", () => coming.logins > loginsBefore + 10);
    await coming.end();
    expect(await countedBy(server, "processes_ended")).toEqual(
      Object.fromEntries(roles.map((role) => [`${role} memory`, 1])),
    );
    for (const line of server.log().filter(({ msg }) => msg.endsWith("limits.process_memory, replacing it")))
      expect(line).toMatchObject({ level: "warn", rssBytes: expect.any(Number) });

    // One that was there before, and one that comes now.
    const { connection: late } = await Pop3Connection.open(server.port);
    for (const connection of [early, late]) {
      expect((await connection.command("USER other")).status).toBe("+OK");
      expect((await connection.command("PASS secret")).status).toBe("+OK");
      if (connection === early) expect((await connection.command("QUIT")).status).toBe("+OK");
    }
    const who = (await askServer(server, "who")) as readonly Session[];
    expect(who.map(({ account }) => account).sort()).toEqual(["mrose", "other"]);

    expect(await session.command("LIST 2")).toEqual({ status: "+OK", text: "2 8" });
    expect((await session.command("QUIT")).status).toBe("+OK");
    await session.closed;
    expect(readMaildir(maildir).map(({ baseName }) => baseName)).toEqual(["2.two"]);
    await eventually("the end of those before", () =>
      childrenOf(server.pid).every(({ pid }) => !before.has(pid)),
    );
    expect(childrenOf(server.pid)).toHaveLength(roles.length);
    expect((await late.command("QUIT")).status).toBe("+OK");
    expect(server.log().filter(({ level }) => level === "error")).toEqual([]);
  });

  it("one account has one session and a ticket counts once, in both together; who stays longest is ended", async () => {
    const stays = await Pop3Connection.login(server.port, "third", "secret");
    const tickets = [
      await logInAtAuth(runDir(), "other", "secret"),
      await logInAtAuth(runDir(), "other", "secret"),
    ];
    if (processes === "separate") expect(await show(tickets[0]!)).toMatch(SERVED);
    const first = await Pop3Connection.login(server.port, "mrose", "secret");
    expect((await first.command("DELE 1")).status).toBe("+OK");
    await replaceAll();
    if (processes === "separate") {
      expect(await show(tickets[0]!)).toMatch(/^-ERR \[SYS\/TEMP\] login is not possible/);
      expect(await show(tickets[1]!)).toMatch(SERVED);
    }
    // In the new process, which has to hear from the old one whose it is.
    const { connection: second } = await Pop3Connection.open(server.port);
    await second.command("USER mrose");
    await first.command("NOOP");
    expect((await second.command("PASS secret")).text).toMatch(
      /^\[IN-USE\] maildrop is locked by another session from 127\.0\.0\.1 since .*Z$/,
    );
    await eventually("the idle session's end", async () => {
      await second.command("USER mrose");
      return (await second.command("PASS secret")).status === "+OK";
    });
    expect((await first.reply()).text).toBe(
      "[SYS/TEMP] another session of this account has taken over, nothing was deleted",
    );
    expect(await second.command("STAT")).toEqual({ status: "+OK", text: "2 16" });
    expect((await second.command("QUIT")).status).toBe("+OK");

    const kicked = await Pop3Connection.login(server.port, "other", "secret");
    await askServer(server, "kick", "other");
    expect((await kicked.reply()).text).toContain("an administrator ended this session");
    expect((await stays.reply()).text).toBe("[SYS/TEMP] server is shutting down, nothing was deleted");
  });
});

/** A client that logs in again and again. */
class Coming {
  logins = 0;
  #isOver = false;
  readonly #run: Promise<void>;

  constructor(port: number, user: string) {
    this.#run = this.#come(port, user);
    // Told by `end`.
    this.#run.catch(() => {});
  }

  end(): Promise<void> {
    this.#isOver = true;
    return this.#run;
  }

  async #come(port: number, user: string): Promise<void> {
    while (!this.#isOver) {
      const session = await Pop3Connection.login(port, user, "secret");
      expect((await session.command("QUIT")).status).toBe("+OK");
      await session.closed;
      this.logins++;
    }
  }
}
