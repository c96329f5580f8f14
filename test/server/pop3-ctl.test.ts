// The built pop3-ctl as an administrator's shell runs it, against a real server in both ways of running it.
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { layOutMaildir, readMaildir } from "../peers/support/maildir.ts";
import { Pop3Connection } from "../peers/support/pop3.ts";
import { runnableProgram } from "../support/checkout.ts";
import { eventually } from "../support/eventually.ts";
import { mailOwner, runsAsRoot } from "../support/mail-owner.ts";
import { askServer } from "../support/pop3-ctl.ts";
import { type ProgramOptions, runProgram, startProgram } from "../support/program.ts";
import { startServer, type TestServer } from "../support/server.ts";

interface Traced {
  readonly session: string;
  readonly speaker: string;
  readonly text: string;
}

interface Stats {
  readonly counters: readonly { readonly name: string; readonly labels: object; readonly value: number }[];
  readonly processes: readonly { readonly name: string }[];
}

const { path: program, env } = runnableProgram("pop3-ctl");

describe.each(["separate", "combined"] as const)("pop3-ctl, processes %s", (processes) => {
  let home: string;
  let maildir: string;
  let server: TestServer;

  beforeAll(async () => {
    const owner = mailOwner();
    home = mkdtempSync(join(tmpdir(), "dewey-ctl-"));
    maildir = layOutMaildir(
      home,
      owner,
      new Map([
        ["new/1.one", Buffer.from("Subject: one\n\n1\n")],
        ["new/2.two", Buffer.from("Subject: two\n\n2\n")],
      ]),
    );
    server = await startServer({
      accounts: [{ user: "mrose", password: "secret", uid: owner.uid, gid: owner.gid, home }],
      owner,
      settings: { server: { processes }, mail: { keep_deleted: "7d" } },
    });
  });
  afterAll(async () => {
    await server.stop();
    rmSync(home, { recursive: true });
  });

  async function ctl(args: readonly string[], options: ProgramOptions = {}) {
    const all = ["--config", join(server.folder, "config.toml"), ...args];
    const { exitCode, stdout, stderr } = await runProgram(program, all, { env, ...options });
    return { exitCode, stdout: stdout.toString(), stderr };
  }
  const json = (args: readonly string[]): Promise<unknown> => askServer(server, ...args);
  const nobodyIsConnected = () =>
    eventually("nobody connected", async () => ((await json(["who"])) as unknown[]).length === 0);

  afterEach(nobodyIsConnected);

  it("who shows who is connected, before login and after", async () => {
    expect(await ctl(["who"])).toEqual({ exitCode: 0, stdout: "nobody is connected\n", stderr: "" });
    const stranger = (await Pop3Connection.open(server.port)).connection;
    const session = await Pop3Connection.login(server.port, "mrose", "secret");
    await session.multiLine("RETR 1");
    expect(await json(["who"])).toEqual([
      expect.objectContaining({ account: null, address: "127.0.0.1", state: "AUTHORIZATION", octets: 0 }),
      expect.objectContaining({
        account: "mrose",
        address: "127.0.0.1",
        secured: false,
        state: "TRANSACTION",
        messages: 1,
        octets: 19,
      }),
    ]);
    const { stdout } = await ctl(["who"]);
    expect(stdout).toMatch(
      /^ACCOUNT {2}ADDRESS {4}TLS {2}STATE +IDLE {2}MSGS {2}OCTETS {2}SESSION\n- .*\nmrose {4}127\.0\.0\.1 {2}no {3}transaction +\d+s {5}1 {6}19 {2}[0-9a-f]{8}\n$/,
    );
    await session.command("QUIT");
    stranger.drop();
  });

  it("kick ends an account's session without UPDATE, and tells the client", async () => {
    const before = readMaildir(maildir).length;
    const session = await Pop3Connection.login(server.port, "mrose", "secret");
    await session.command("DELE 1");
    const { exitCode, stdout } = await ctl(["kick", "mrose"]);
    expect({ exitCode, stdout }).toEqual({
      exitCode: 0,
      stdout: expect.stringMatching(/^ended [0-9a-f]{16} \(mrose, 127\.0\.0\.1\)\n$/),
    });
    expect(await session.reply()).toEqual({
      status: "-ERR",
      text: "[SYS/TEMP] an administrator ended this session, nothing was deleted",
    });
    await session.closed;
    expect(readMaildir(maildir)).toHaveLength(before);
    await eventually("the session's end in the log", () =>
      server.log().some((line) => line.msg === "session ended" && line["reason"] === "kicked"),
    );
  });

  it("kick takes the begin of a session's id, also before login", async () => {
    const { connection } = await Pop3Connection.open(server.port);
    const [session] = (await json(["who"])) as { session: string }[];
    expect(await json(["kick", session!.session.slice(0, 8)])).toEqual({ ended: [session!.session] });
    expect(await connection.reply()).toEqual({
      status: "-ERR",
      text: "[SYS/TEMP] an administrator ended this connection",
    });
    expect(await ctl(["kick", "nobody"])).toEqual({
      exitCode: 1,
      stdout: "",
      stderr: 'pop3-ctl: no session of account or id "nobody"\n',
    });
  });

  it("reload says what came of it", async () => {
    const file = join(server.folder, "config.toml");
    const config = readFileSync(file, "utf8");
    expect(await ctl(["reload"])).toEqual({ exitCode: 0, stdout: "reloaded\n", stderr: "" });
    writeFileSync(file, config.replace(/\[mail\]\n/, '[mta]\nsasl_socket = "/tmp/x"\n\n[mail]\n'));
    expect(await json(["reload"])).toEqual({ faults: [], later: ["mta.sasl_socket"], kept: [] });
    appendFileSync(file, "\n[limits]\nidle_tim = 1\n");
    // pop3-ctl finds the fault itself; the server, asked by a signal, keeps what it has.
    expect(await ctl(["reload"])).toEqual({
      exitCode: 1,
      stdout: "",
      stderr: expect.stringContaining("did you mean limits.idle_time?"),
    });
    writeFileSync(file, config);
    expect((await ctl(["reload"])).exitCode).toBe(0);
  });

  it("stats sums up over the processes", async () => {
    const session = await Pop3Connection.login(server.port, "mrose", "secret");
    await session.multiLine("RETR 1");
    await session.command("NONSENSE");
    await session.command("QUIT");
    await nobodyIsConnected();
    const { counters, processes: running } = (await json(["stats"])) as Stats;
    const value = (name: string, labels: object) =>
      counters.find((each) => each.name === name && JSON.stringify(each.labels) === JSON.stringify(labels))
        ?.value;
    expect(value("logins", { client: "pop3", mechanism: "PLAIN", result: "ok" })).toBeGreaterThan(0);
    expect(value("commands", { command: "unknown", status: "err" })).toBeGreaterThan(0);
    expect(value("messages_retrieved", {})).toBeGreaterThan(0);
    expect(value("sessions", { reason: "quit" })).toBeGreaterThan(0);
    expect(new Set(running.map(({ name }) => name.split(" ")[0]))).toEqual(
      new Set(
        processes === "separate" ? ["auth", "login", "mailbox", "master"] : ["auth", "worker", "master"],
      ),
    );
    const { stdout } = await ctl(["stats"]);
    for (const line of stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
    expect(await json(["top", "--count", "1", "--interval", "0.1"])).toMatchObject({
      sessions: { total: 0 },
    });
  });

  it("log follow shows what is logged, of one account", async () => {
    const following = await startProgram(
      program,
      [...["--config", join(server.folder, "config.toml")], ...["--json", "log", "follow", "mrose"]],
      { env },
    );
    await eventually("a line of the log", async () => {
      await (await Pop3Connection.login(server.port, "mrose", "secret")).command("QUIT");
      return following.lines().length > 0;
    });
    expect(JSON.parse(following.lines()[0]!)).toMatchObject({ account: "mrose", msg: "session ended" });
    await following.stop("SIGINT");
    expect((await following.ended).exitCode).toBe(0);
  });

  it("trace shows both states of a session, and no password", async () => {
    const args = [
      "--config",
      join(server.folder, "config.toml"),
      "--json",
      "trace",
      "mrose",
      "--sessions",
      "2",
    ];
    const tracing = await startProgram(program, args, { env });
    await eventually("two traced sessions", async () => {
      const { connection } = await Pop3Connection.open(server.port);
      for (const line of ["USER mrose", "PASS secret"]) await connection.command(line);
      await connection.multiLine("RETR 2");
      await connection.command("QUIT");
      await connection.closed;
      return tracing.lines().filter((line) => line.includes("ended: quit")).length === 2;
    });
    expect((await tracing.ended).exitCode).toBe(0);
    const lines = tracing.lines().map((line) => JSON.parse(line) as Traced);
    // The first one may have begun before the trace.
    const last = lines.filter(({ session }) => session === lines.at(-1)!.session);
    expect(last.map(({ speaker, text }) => `${speaker}: ${text}`)).toEqual([
      "S: +OK dewey POP3 server ready",
      "C: USER mrose",
      "S: +OK User accepted",
      "C: PASS ********",
      "S: +OK Pass accepted",
      "C: RETR 2",
      "S: +OK 19 octets",
      "-: 19 octets of message 2",
      "C: QUIT",
      "S: +OK dewey POP3 server signing off (2 messages left)",
      "-: ended: quit",
    ]);
    expect(tracing.output()).not.toContain("secret");
  });

  it("why tells what happened and what would happen", async () => {
    const { connection } = await Pop3Connection.open(server.port);
    await connection.command("USER mrose");
    await connection.command("PASS wrong");
    connection.drop();
    await (await Pop3Connection.login(server.port, "mrose", "secret")).command("QUIT");
    await nobodyIsConnected();
    const { stdout } = await ctl(["why", "mrose"]);
    expect(stdout).toMatch(/login refused \(pop3, PLAIN\): wrong password\n/);
    expect(stdout).toMatch(/ended by quit: 0 of 2 retrieved, 0 deleted, 2 left\n/);
    expect(stdout).toMatch(/\nnow: the right password finds 2 messages \(38 octets\)\n$/);
    expect(await json(["why", "nobody"])).toMatchObject({
      happened: [],
      outlook: { wouldSucceed: false, because: expect.stringContaining('no account "nobody"') },
    });
    const session = await Pop3Connection.login(server.port, "mrose", "secret");
    expect((await ctl(["why", "mrose"])).stdout).toMatch(/now: the right password waits 3s, then takes over/);
    await session.command("QUIT");
  });

  it("mailbox reads mail as its owner, and changes nothing", async () => {
    const before = readMaildir(maildir);
    expect(await json(["mailbox", "list", "mrose"])).toEqual([
      expect.objectContaining({ number: 1, octets: 19, subject: "one" }),
      expect.objectContaining({ number: 2, octets: 19, subject: "two" }),
    ]);
    expect(await json(["mailbox", "list", "mrose", "--last", "1"])).toMatchObject([{ number: 2 }]);
    expect(await json(["mailbox", "show", "mrose", "1"])).toMatchObject({ subject: "one", text: "1\n" });
    expect(await json(["mailbox", "status", "mrose"])).toMatchObject({
      messages: 2,
      octets: 38,
      isLocked: false,
    });
    expect(await ctl(["mailbox", "show", "mrose", "3"])).toEqual({
      exitCode: 1,
      stdout: "",
      stderr: "pop3-ctl: mrose: no message 3, the maildrop has 2\n",
    });
    expect(readMaildir(maildir)).toEqual(before);
    const session = await Pop3Connection.login(server.port, "mrose", "secret");
    expect(await json(["mailbox", "status", "mrose"])).toMatchObject({ isLocked: true });
    expect(await json(["mailbox", "list", "mrose"])).toHaveLength(2);
    await session.command("QUIT");
  });

  it("warm makes the index beforehand, as the mail's owner", async () => {
    const index = join(maildir, "dewey-pop3.index");
    rmSync(index, { force: true });
    expect(await ctl(["warm", "--all"])).toEqual({
      exitCode: 0,
      stdout: "mrose: 2 messages, 2 counted now (32B)\n",
      stderr: "",
    });
    expect(statSync(index).uid).toBe(mailOwner().uid);
    expect(await json(["warm", "mrose"])).toMatchObject([{ account: "mrose", result: "warm", counted: 0 }]);
    expect(await ctl(["warm", "nobody"])).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining("1 of 1"),
    });
  });

  it("mailbox undelete puts back what a session deleted, under its old unique-id", async () => {
    const before = await json(["mailbox", "list", "mrose"]);
    const session = await Pop3Connection.login(server.port, "mrose", "secret");
    await session.command("DELE 1");
    expect(await ctl(["mailbox", "undelete", "mrose"])).toEqual({
      exitCode: 0,
      stdout: "0 messages are back\n",
      stderr: "",
    });
    await session.command("QUIT");
    expect(await json(["mailbox", "list", "mrose"])).toHaveLength(1);
    expect(await json(["mailbox", "undelete", "mrose", "--since", "1h"])).toEqual({
      account: "mrose",
      restored: 1,
      occupied: 0,
      failed: [],
    });
    expect(await json(["mailbox", "list", "mrose"])).toEqual(before);
    expect((await ctl(["mailbox", "undelete", "mrose", "--since", "soon"])).exitCode).toBe(2);
  });

  it.runIf(runsAsRoot())("is for root alone where root started the server", async () => {
    const { uid, gid } = mailOwner();
    expect(await ctl(["who"], { uid, gid })).toEqual({
      exitCode: 1,
      stdout: "",
      stderr: expect.stringMatching(
        /permission denied \(run it as root or as whoever started pop3-server\)\n$/,
      ),
    });
  });
});

describe("pop3-ctl", () => {
  it("says in one line when no server runs", async () => {
    const folder = mkdtempSync(join(tmpdir(), "dewey-ctl-"));
    try {
      const config = join(folder, "config.toml");
      writeFileSync(config, `[server]\nruntime_dir = "${folder}"\n`);
      const { exitCode, stderr } = await runProgram(program, ["--config", config, "who"], { env });
      expect({ exitCode, stderr }).toEqual({
        exitCode: 1,
        stderr: `pop3-ctl: pop3-server does not run: nobody listens on ${folder}/control.sock (systemctl start dewey-pop3)\n`,
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it.each([[[]], [["whom"]], [["kick"]], [["who", "--jsn"]]])("%j is a fault of usage: 2", async (args) => {
    const { exitCode, stdout, stderr } = await runProgram(program, args, { env });
    expect({ exitCode, stdout: stdout.length }).toEqual({ exitCode: 2, stdout: 0 });
    expect(stderr).not.toBe("");
  });

  it("explains itself, with examples", async () => {
    const { exitCode, stdout } = await runProgram(program, ["kick", "--help"], { env });
    expect(exitCode).toBe(0);
    expect(stdout.toString()).toContain("Examples:\n  pop3-ctl kick mrose@example.org");
  });
});
