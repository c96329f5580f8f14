// The built pop3-ctl as an administrator's shell runs it, against a real server in both ways of running it.
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { layOutMaildir, readMaildir } from "../peers/support/maildir.ts";
import { Pop3Connection } from "../peers/support/pop3.ts";
import { runnableProgram } from "../support/checkout.ts";
import { eventually } from "../support/eventually.ts";
import { mailOwner, runsAsRoot } from "../support/mail-owner.ts";
import { type ProgramOptions, runProgram } from "../support/program.ts";
import { startServer, type TestServer } from "../support/server.ts";

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
      settings: { server: { processes } },
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
  async function json(args: readonly string[]): Promise<unknown> {
    const { exitCode, stdout, stderr } = await ctl(["--json", ...args]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    return JSON.parse(stdout);
  }
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
    expect(await json(["reload"])).toEqual({ faults: [], later: ["mta.sasl_socket"] });
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
        stderr: `pop3-ctl: pop3-server does not run (nobody listens on ${folder}/control.sock)\n`,
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
