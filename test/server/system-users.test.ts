// Mail that belongs to users of the host: who may do what, seen from outside. Needs root, which gives the processes their
// uids; the uids need no users, as the kernel knows numbers only.
import { execFileSync, spawnSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  chownSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { nodeOptions } from "../../src/processes/master/node-options.ts";
import { layOutMaildir, readMaildir } from "../peers/support/maildir.ts";
import { Pop3Connection } from "../peers/support/pop3.ts";
import type { TestAccount } from "../support/accounts.ts";
import { runnableProgram } from "../support/checkout.ts";
import { eventually } from "../support/eventually.ts";
import { mailOwner, runsAsRoot } from "../support/mail-owner.ts";
import { askServer } from "../support/pop3-ctl.ts";
import { childrenOf, descriptorLinks, listeningSocket, statusOf } from "../support/processes.ts";
import { runProgram } from "../support/program.ts";
import { type Settings, startServer, type TestServer } from "../support/server.ts";
import { logInAtAuth, showTicket } from "../support/tickets.ts";

const alice = { user: "alice", uid: 20_001, gid: 20_011 };
const bob = { user: "bob", uid: 20_002, gid: 20_012 };
const alicePlace = "mailbox-20001-20011";

const root = mkdtempSync(join(tmpdir(), "dewey-users-"));
chmodSync(root, 0o755);
const maildirs = new Map<string, string>();
if (runsAsRoot()) {
  for (const { user, uid, gid } of [alice, bob]) {
    const owner = { user, group: user, uid, gid };
    const files = new Map([["new/1.one", Buffer.from(`Subject: for ${user}\n\n${user}\n`)]]);
    maildirs.set(user, layOutMaildir(join(root, user), owner, files));
    chmodSync(join(root, user), 0o700);
  }
}

afterAll(() => rmSync(root, { recursive: true }));

const account = ({ user, uid, gid }: typeof alice, more: Partial<TestAccount> = {}): TestAccount => ({
  user,
  password: "secret",
  uid,
  gid,
  home: join(root, user),
  ...more,
});

const start = (accounts: readonly TestAccount[], settings: Settings = {}): Promise<TestServer> =>
  startServer({ accounts, owner: "each-account", settings });

const login = (server: TestServer, user: string): Promise<Pop3Connection> =>
  Pop3Connection.login(server.port, user, "secret");

const refusal = async (server: TestServer, user: string): Promise<string> => {
  const { connection } = await Pop3Connection.open(server.port);
  await connection.command(`USER ${user}`);
  const { status, text } = await connection.command("PASS secret");
  connection.drop();
  return `${status} ${text}`;
};

const mailboxes = (server: TestServer): number[] =>
  childrenOf(server.pid).flatMap(({ pid, role }) => (role === "mailbox" ? [pid] : []));
const only = (server: TestServer, role: string): number =>
  childrenOf(server.pid).find((child) => child.role === role)!.pid;
const said = (server: TestServer, message: string) => server.log().filter(({ msg }) => msg === message);

/** As the kernel sees that process's user: its uid, its gid, no other group. */
const may = (pid: number, ...command: readonly string[]): boolean => {
  const [uid] = statusOf(pid, "Uid").split("\t").map(Number);
  const [gid] = statusOf(pid, "Gid").split("\t").map(Number);
  return spawnSync(command[0]!, command.slice(1), { cwd: "/", uid: uid!, gid: gid! }).status === 0;
};

// The first one: alice's uid, and a Maildir that is bob's.
const strangers: TestAccount[] = [
  account(alice, { user: "mallory", home: join(root, "bob") }),
  account(alice, { user: "root-group", gid: 99 }),
  account(alice, { user: "low", uid: 999 }),
  account(alice, { user: "high", uid: 65_534, gid: 20_011 }),
];
const outside = [
  ["low", "uid 999 is outside mail.first_uid to mail.last_uid (1000 to 59999)"],
  ["high", "uid 65534 is outside mail.first_uid to mail.last_uid (1000 to 59999)"],
  ["root-group", "gid 99 is outside mail.first_gid to mail.last_gid (100 to 59999)"],
] as const;

describe.runIf(runsAsRoot())("system users", () => {
  let server: TestServer;

  beforeAll(async () => {
    server = await start([account(alice), account(bob), ...strangers], {
      server: { login_processes: 1 },
    });
  });

  afterAll(() => server.stop());

  it("start no mailbox process before somebody has logged in", () => {
    expect(mailboxes(server)).toEqual([]);
  });

  it("get a process of their own: uid, gid, no other group, no capability, no way to more", async () => {
    const sessions = [await login(server, "alice"), await login(server, "bob")];
    for (const [index, { user, uid, gid }] of [alice, bob].entries()) {
      const pid = mailboxes(server).find((child) => statusOf(child, "Uid").startsWith(`${uid}\t`))!;
      expect(statusOf(pid, "Uid")).toBe(Array(4).fill(uid).join("\t"));
      expect(statusOf(pid, "Gid")).toBe(Array(4).fill(gid).join("\t"));
      expect(statusOf(pid, "Groups")).toBe("");
      for (const set of ["CapInh", "CapPrm", "CapEff", "CapAmb"])
        expect(statusOf(pid, set), set).toBe("0000000000000000");
      const { body } = await sessions[index]!.multiLine("RETR 1");
      expect(body?.toString()).toBe(`Subject: for ${user}\r\n\r\n${user}\r\n`);
      expect((await sessions[index]!.command("QUIT")).status).toBe("+OK");
    }
    expect(readMaildir(maildirs.get("alice")!)).toHaveLength(1);
  });

  it("share a process between two accounts of one uid, and between sessions", async () => {
    const before = said(server, "mailbox process started").length;
    (await login(server, "alice")).drop();
    const session = await eventually("a free maildrop", () => login(server, "alice").catch(() => undefined));
    await session.command("QUIT");
    expect(said(server, "mailbox process started")).toHaveLength(before);
  });

  it("cannot read each other's Maildirs: alice's process is refused bob's by the kernel", async () => {
    expect(await refusal(server, "mallory")).toMatch(/^-ERR \[SYS\//);
    const line = await eventually("the reason in the log", () =>
      said(server, "cannot open maildrop").find(({ account }) => account === "mallory"),
    );
    expect(line).toMatchObject({ process: "mailbox", maildir: maildirs.get("bob"), code: "EACCES" });
    expect(may(Number(line["pid"]), "ls", maildirs.get("bob")!)).toBe(false);
    expect(may(Number(line["pid"]), "ls", maildirs.get("alice")!)).toBe(true);
  });

  it("are out of reach of login and auth processes", () => {
    for (const role of ["login", "auth"]) {
      for (const maildir of maildirs.values())
        expect(may(only(server, role), "ls", maildir), role).toBe(false);
    }
  });

  it("have passwords that only auth can read", async () => {
    const file = join(server.folder, "passwd");
    const auth = only(server, "auth");
    (await login(server, "alice")).drop();
    chownSync(file, 0, Number(statusOf(auth, "Gid").split("\t")[0]));
    chmodSync(file, 0o640);
    expect(may(auth, "cat", file)).toBe(true);
    for (const pid of [only(server, "login"), ...mailboxes(server)])
      expect(may(pid, "cat", file)).toBe(false);
    // Auth still reads it: a line that came later counts.
    appendFileSync(file, readFileSync(file, "utf8").split("\n")[1]!.replace("bob:", "robert:").concat("\n"));
    const session = await login(server, "robert");
    expect((await session.command("QUIT")).status).toBe("+OK");
  });

  it.each(outside)("are refused outside the configured ids, by master: %s", async (user, reason) => {
    expect(await refusal(server, user)).toMatch(/^-ERR \[SYS\/PERM\] /);
    await eventually("master's reason in the log", () =>
      server.log().find((line) => line["process"] === "master" && line["reason"] === reason),
    );
    expect(said(server, "account cannot be used").some((line) => line["user"] === user)).toBe(true);
  });

  it("have sockets that login alone may connect to", async () => {
    (await login(server, "bob")).drop();
    (await login(server, "alice")).drop();
    const socket = join(server.folder, "run", `${alicePlace}.sock`);
    const loginUid = Number(statusOf(only(server, "login"), "Uid").split("\t")[0]);
    expect(statSync(socket)).toMatchObject({ uid: loginUid });
    expect(statSync(socket).mode & 0o777).toBe(0o600);
    const connects = (pid: number): boolean =>
      may(
        pid,
        process.execPath,
        "-e",
        `require("net").connect(${JSON.stringify(socket)}).on("connect", () => process.exit(0)).on("error", () => process.exit(1))`,
      );
    const bobs = mailboxes(server).find((pid) => statusOf(pid, "Uid").startsWith(`${bob.uid}\t`))!;
    expect(connects(only(server, "login"))).toBe(true);
    expect(connects(bobs)).toBe(false);
    expect(connects(only(server, "auth"))).toBe(false);
  });

  it("leave no descriptor of one process open in another", async () => {
    const sessions = [await login(server, "alice"), await login(server, "bob")];
    const listening = listeningSocket(server.port);
    expect(descriptorLinks(only(server, "login"))).toContain(listening);
    const linksBelow = (pid: number, path: string) =>
      descriptorLinks(pid).filter((link) => link.startsWith(`${path}/`));
    const run = join(server.folder, "run");
    expect(linksBelow(server.pid, run)).not.toEqual([]);
    for (const pid of [only(server, "auth"), ...mailboxes(server)]) {
      expect(descriptorLinks(pid)).not.toContain(listening);
      // Neither the lock of the runtime folder nor, in a mailbox process, anything of auth's.
      expect(linksBelow(pid, run)).toEqual([]);
    }
    for (const pid of [only(server, "login"), ...mailboxes(server)])
      expect(descriptorLinks(pid)).not.toContain(join(server.folder, "passwd"));
    const processOf = ({ uid }: { uid: number }) =>
      mailboxes(server).find((pid) => statusOf(pid, "Uid").startsWith(`${uid}\t`))!;
    expect(linksBelow(processOf(alice), maildirs.get("alice")!)).not.toEqual([]);
    expect(linksBelow(processOf(bob), maildirs.get("alice")!)).toEqual([]);
    // No secret stands where ps(1) shows it.
    for (const { pid } of childrenOf(server.pid)) {
      const environment = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").filter(Boolean);
      for (const variable of environment)
        expect(variable).toMatch(/^(?:TZ|LANG|UV_THREADPOOL_SIZE|GLIBC_TUNABLES|MALLOC_MMAP_THRESHOLD_)=/);
      const [, ...given] = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
      expect(given.slice(0, nodeOptions().length)).toEqual(nodeOptions());
      expect(given.slice(nodeOptions().length)).toEqual([
        expect.stringMatching(/\/processes\/[a-z]+\.js$/),
        expect.stringMatching(/^\d$/),
        "own-user",
        "",
      ]);
    }
    for (const session of sessions) session.drop();
  });

  it("refuse tickets of another uid, forged ones, used ones", async () => {
    const run = join(server.folder, "run");
    const reasons = (): unknown[] => said(server, "ticket refused").map(({ reason }) => reason);
    const refused = "-ERR [SYS/TEMP] login is not possible at the moment, try again\r\n";
    const forAlice = await logInAtAuth(run, "alice", "secret");
    const forBob = await logInAtAuth(run, "bob", "secret");
    expect(forAlice.place).toBe(alicePlace);
    const before = reasons().length;

    expect(await showTicket(run, forBob.place, forAlice.ticket)).toBe(refused);
    const [payload, seal] = forAlice.ticket.split(".") as [string, string];
    const contents = Buffer.from(payload, "base64url").toString();
    expect(contents).toContain(JSON.stringify(maildirs.get("alice")));
    const altered = Buffer.from(contents.replace(maildirs.get("alice")!, maildirs.get("bob")!)).toString(
      "base64url",
    );
    expect(await showTicket(run, forAlice.place, `${altered}.${seal}`)).toBe(refused);
    expect(await showTicket(run, forAlice.place, forAlice.ticket)).toMatch(
      /^\+OK Pass accepted\r\n\+OK dewey/,
    );
    expect(await showTicket(run, forAlice.place, forAlice.ticket)).toBe(refused);
    expect(await showTicket(run, forAlice.place, "x".repeat(100_000)).catch(() => "")).toBe("");
    await eventually("all reasons", () => reasons().length === before + 3);
    expect(reasons().slice(before)).toEqual(["forged", "forged", "used"]);
  });

  it("refuse a ticket that is older than its lifetime, and one from before their process began", async () => {
    const run = join(server.folder, "run");
    const { ticket, place } = await logInAtAuth(run, "alice", "secret");
    const old = await logInAtAuth(run, "bob", "secret");
    const alices = mailboxes(server).find((pid) => statusOf(pid, "Uid").startsWith(`${alice.uid}\t`))!;
    process.kill(alices, "SIGKILL");
    await eventually("its end", () => !mailboxes(server).includes(alices));
    const session = await eventually("a new process", () => login(server, "alice").catch(() => undefined));
    session.drop();
    expect(await showTicket(run, place, ticket)).toMatch(/^-ERR \[SYS\/TEMP\] /);
    await new Promise((resolve) => setTimeout(resolve, 10_100));
    expect(await showTicket(run, old.place, old.ticket)).toMatch(/^-ERR \[SYS\/TEMP\] /);
    expect(said(server, "ticket refused").slice(-2)).toMatchObject([
      { reason: "expired" },
      { reason: "expired" },
    ]);
  });
});

describe.runIf(runsAsRoot())("pop3-ctl, where mail belongs to system users", () => {
  const { path: program, env } = runnableProgram("pop3-ctl");
  let server: TestServer;

  beforeAll(async () => {
    server = await start([account(alice), account(bob), ...strangers], {
      mail: { keep_deleted: "7d" },
    });
  });
  afterAll(() => server.stop());

  async function ctl(args: readonly string[], user: { uid?: number; gid?: number } = {}) {
    const all = ["--config", join(server.folder, "config.toml"), ...args];
    const { exitCode, stdout, stderr } = await runProgram(program, all, { env, cwd: "/", ...user });
    return { exitCode, stdout: stdout.toString(), stderr: stderr.replaceAll(server.folder, "FOLDER") };
  }

  it("reads each account's mail as its own user, and no other's", async () => {
    for (const { user } of [alice, bob]) {
      expect(await askServer(server, "mailbox", "list", user)).toMatchObject([{ subject: `for ${user}` }]);
      expect(await askServer(server, "mailbox", "show", user, "1")).toMatchObject({ text: `${user}\n` });
      expect(await askServer(server, "mailbox", "status", user)).toMatchObject({
        messages: 1,
        isLocked: false,
      });
    }
    const refused = await ctl(["mailbox", "list", "mallory"]);
    expect(refused).toMatchObject({ exitCode: 1, stdout: "" });
    expect(refused.stderr).toMatch(/^pop3-ctl: mallory: .*EACCES.*\n$/);
  });

  it("warms maildrops of different users, each index its owner's", async () => {
    for (const { user } of [alice, bob])
      rmSync(join(maildirs.get(user)!, "dewey-pop3.index"), { force: true });
    expect(await ctl(["warm", "alice", "bob"])).toMatchObject({ exitCode: 0, stderr: "" });
    for (const { user, uid, gid } of [alice, bob]) {
      const { uid: ownUid, gid: ownGid } = statSync(join(maildirs.get(user)!, "dewey-pop3.index"));
      expect([ownUid, ownGid]).toEqual([uid, gid]);
    }
  });

  it("puts back what a session deleted, as the owner", async () => {
    const session = await login(server, "alice");
    await session.command("DELE 1");
    await session.command("QUIT");
    expect(await askServer(server, "mailbox", "list", "alice")).toEqual([]);
    expect(await ctl(["mailbox", "undelete", "alice"])).toMatchObject({ exitCode: 0 });
    expect(await askServer(server, "mailbox", "list", "alice")).toMatchObject([{ subject: "for alice" }]);
    const [file] = readMaildir(maildirs.get("alice")!);
    expect(file).toBeDefined();
  });

  it("tells why of an account, and who is connected", async () => {
    const session = await login(server, "bob");
    expect(await askServer(server, "who")).toMatchObject([{ account: "bob", state: "TRANSACTION" }]);
    expect((await ctl(["why", "bob"])).stdout).toMatch(/login accepted/);
    expect((await ctl(["why", "mallory"])).stdout).toMatch(/EACCES/);
    await session.command("QUIT");
  });

  it("refuses to become an owner outside the configured ids, as master does", async () => {
    const users = outside.map(([user]) => user);
    for (const command of [
      ["mailbox", "status", "low"],
      ["warm", ...users],
      ["import-uidl", ...users],
      ["export-uidl", "--to", "dovecot", ...users],
      ["why", "high"],
      ["doctor"],
    ]) {
      const { stdout, stderr } = await ctl(command);
      const expected = outside.filter(([user]) => command[0] === "doctor" || command.includes(user));
      for (const [user, reason] of expected)
        expect(`${stdout}${stderr}`, command.join(" ")).toContain(`${user}: ${reason}`);
    }
  });

  it("is for root alone, and says so in one line", async () => {
    for (const command of [
      ["who"],
      ["stats"],
      ["kick", "bob"],
      ["reload"],
      ["throttle", "clear"],
      ["log", "follow"],
    ]) {
      expect(await ctl(command, bob), command.join(" ")).toEqual({
        exitCode: 1,
        stdout: "",
        stderr:
          "pop3-ctl: cannot connect to FOLDER/run/control.sock: permission denied (run it as root or as whoever started pop3-server)\n",
      });
    }
    chmodSync(join(server.folder, "passwd"), 0o640);
    expect(await ctl(["mailbox", "list", "bob"], bob)).toEqual({
      exitCode: 1,
      stdout: "",
      stderr:
        "pop3-ctl: cannot read FOLDER/passwd: permission denied (run it as root or as whoever started pop3-server)\n",
    });
    chmodSync(join(server.folder, "config.toml"), 0o600);
    const unreadable = await ctl(["who"], bob);
    expect(unreadable).toMatchObject({ exitCode: 1, stdout: "" });
    expect(unreadable.stderr).toMatch(/^pop3-ctl: FOLDER\/config\.toml: cannot read it \(EACCES\).*\n$/);
  });
});

describe.runIf(runsAsRoot())("system users' processes", () => {
  let server: TestServer;

  afterEach(() => server.stop());

  it("are started once for two logins at the same moment", async () => {
    server = await start([account(alice), account(alice, { user: "alice2", home: join(root, "alice-2") })]);
    chownSync(layOutMaildir(join(root, "alice-2"), { ...alice, group: "" }), alice.uid, alice.gid);
    const sessions = await Promise.all([login(server, "alice"), login(server, "alice2")]);
    expect(mailboxes(server)).toHaveLength(1);
    expect(said(server, "mailbox process started")).toHaveLength(1);
    for (const session of sessions) await session.command("QUIT");
  });

  it("end when they are idle, and come back at the next login", async () => {
    server = await start([account(alice)], { mail: { process_idle: "300ms" } });
    const session = await login(server, "alice");
    const [pid] = mailboxes(server);
    // Longer than process_idle: a session keeps it.
    await new Promise((resolve) => setTimeout(resolve, 900));
    expect(mailboxes(server)).toEqual([pid]);
    await session.command("QUIT");
    await eventually("its end", () => mailboxes(server).length === 0);
    const sockets = (): string[] => readdirSync(join(server.folder, "run"));
    await eventually("its socket's end", () => !sockets().includes(`${alicePlace}.sock`));
    const again = await login(server, "alice");
    expect(mailboxes(server)).toHaveLength(1);
    expect((await again.command("QUIT")).status).toBe("+OK");
  });

  it("are no more than mail.max_user_processes: an idle one makes room, busy ones refuse", async () => {
    server = await start([account(alice), account(bob)], { mail: { max_user_processes: 1 } });
    const session = await login(server, "alice");
    expect(await refusal(server, "bob")).toMatch(/^-ERR \[SYS\/TEMP\] /);
    expect(said(server, "mail.max_user_processes are busy, login refused")).toHaveLength(1);
    await session.command("QUIT");
    const bobs = await eventually("room for bob", () => login(server, "bob").catch(() => undefined));
    expect(mailboxes(server).map((pid) => statusOf(pid, "Uid").split("\t")[0])).toEqual([`${bob.uid}`]);
    await bobs.command("QUIT");
  });

  it("that die take their own sessions with them only, and the next login starts another", async () => {
    server = await start([account(alice), account(bob)]);
    const [alices, bobs] = [await login(server, "alice"), await login(server, "bob")];
    await alices.command("DELE 1");
    const pid = mailboxes(server).find((child) => statusOf(child, "Uid").startsWith(`${alice.uid}\t`))!;
    process.kill(pid, "SIGKILL");
    await alices.closed;
    expect((await bobs.command("NOOP")).status).toBe("+OK");
    const again = await eventually("alice again", () => login(server, "alice").catch(() => undefined));
    expect((await again.command("STAT")).text).toMatch(/^1 /);
    expect(mailboxes(server)).toHaveLength(2);
    for (const session of [again, bobs]) await session.command("QUIT");
  });

  it("that grow too large are replaced, each by one of its own user; sessions go on, and a ticket counts once in both", async () => {
    server = await start([account(alice), account(bob)], {
      server: { login_processes: 1 },
      limits: { lock_wait: "100ms", takeover_idle: "1h" },
    });
    const run = join(server.folder, "run");
    const sessions = { alice: await login(server, "alice"), bob: await login(server, "bob") };
    const used = await logInAtAuth(run, "alice", "secret");
    expect(await showTicket(run, used.place, used.ticket)).toMatch(/^-ERR \[IN-USE\] /);
    const before = new Set(mailboxes(server));
    const configFile = join(server.folder, "config.toml");
    const config = readFileSync(configFile, "utf8");
    writeFileSync(configFile, config.replace("[limits]\n", '[limits]\nprocess_memory = "32MiB"\n'));
    await askServer(server, "reload");
    await eventually("both are replaced", () => {
      const lines = server.log().filter(({ msg }) => msg.startsWith("successor has taken over"));
      return [alicePlace, "mailbox-20002-20012"].every((place) => lines.some(({ child }) => child === place));
    });
    for (const { uid, gid } of [alice, bob]) {
      const owned = mailboxes(server).filter((pid) => statusOf(pid, "Uid").startsWith(`${uid}\t`));
      // The one that has the session, and its successor.
      expect(owned).toHaveLength(2);
      for (const pid of owned) {
        expect(statusOf(pid, "Gid")).toBe(Array(4).fill(gid).join("\t"));
        expect(statusOf(pid, "Groups")).toBe("");
      }
    }
    expect(await showTicket(run, used.place, used.ticket)).toMatch(/^-ERR \[SYS\/TEMP\] login is not/);
    // The new one hears from the old one whose session has the maildrop.
    expect(await refusal(server, "alice")).toMatch(/^-ERR \[IN-USE\] .* from 127\.0\.0\.1 since /);
    expect((await sessions.alice.command("QUIT")).status).toBe("+OK");
    const next = await eventually("alice again", () => login(server, "alice").catch(() => undefined));
    const { body } = await sessions.bob.multiLine("RETR 1");
    expect(body?.toString()).toBe("Subject: for bob\r\n\r\nbob\r\n");
    for (const session of [next, sessions.bob]) expect((await session.command("QUIT")).status).toBe("+OK");
    await eventually("the end of those before", () => mailboxes(server).every((pid) => !before.has(pid)));
    expect(server.log().filter(({ level, msg }) => level === "error" && msg !== "ticket refused")).toEqual(
      [],
    );
  });

  it("end with the server, with sessions or without", async () => {
    server = await start([account(alice), account(bob)]);
    const session = await login(server, "alice");
    (await login(server, "bob")).drop();
    const pids = mailboxes(server);
    expect(pids).toHaveLength(2);
    process.kill(server.pid, "SIGTERM");
    expect((await session.reply()).text).toMatch(/^\[SYS\/TEMP\] /);
    await eventually("the end of all", () => pids.every((pid) => !statusExists(pid)));
  });

  it("are found through the host's user database where accounts.source says so", async () => {
    // Whatever user this host has that owns no files: uid and gid are asked of getent(1), not written here.
    const [, , uid, gid] = execFileSync("getent", ["passwd", "games"], { encoding: "utf8" }).split(":");
    const owner = { user: "games", group: "", uid: Number(uid), gid: Number(gid) };
    layOutMaildir(join(root, "games"), owner, new Map([["new/1.g", Buffer.from("A: b\n\nc\n")]]));
    server = await start([account(alice)], {
      accounts: { source: "system" },
      mail: { maildir: join(root, "%n", "Maildir"), first_uid: 1, first_gid: 1 },
    });
    const file = join(server.folder, "passwd");
    const [, hash] = readFileSync(file, "utf8").split(":");
    appendFileSync(file, `games:${hash}\ndaemon:${hash}\n`);
    const session = await login(server, "games");
    expect((await session.command("STAT")).text).toBe("1 11");
    const [pid] = mailboxes(server);
    expect(statusOf(pid!, "Uid").split("\t")[0]).toBe(uid);
    expect(statusOf(pid!, "Gid").split("\t")[0]).toBe(gid);
    await session.command("QUIT");
    // The tests' login processes run as daemon: no mail is theirs, whatever first_uid says.
    expect(await refusal(server, "daemon")).toMatch(/^-ERR \[SYS\/PERM\] /);
  });
});

/** Without root one uid owns everything, and the same tickets stand between login and mailbox process. */
describe("tickets, where all mail has one owner", () => {
  let server: TestServer;
  const owner = mailOwner();
  const home = mkdtempSync(join(tmpdir(), "dewey-tickets-"));

  beforeAll(async () => {
    layOutMaildir(home, owner);
    server = await startServer({
      accounts: [{ user: "mrose", password: "secret", uid: owner.uid, gid: owner.gid, home }],
      owner,
      settings: { server: { mailbox_processes: 2 } },
    });
  });

  afterAll(async () => {
    await server.stop();
    rmSync(home, { recursive: true });
  });

  it("are taken once, by the one process that they name", async () => {
    const run = join(server.folder, "run");
    const { ticket, place } = await logInAtAuth(run, "mrose", "secret");
    const other = place === "mailbox-0" ? "mailbox-1" : "mailbox-0";
    expect(await showTicket(run, other, ticket)).toMatch(/^-ERR \[SYS\/TEMP\] /);
    expect(await showTicket(run, place, `${ticket.slice(0, -3)}AAA`)).toMatch(/^-ERR \[SYS\/TEMP\] /);
    expect(await showTicket(run, place, ticket)).toMatch(/^\+OK Pass accepted\r\n\+OK dewey/);
    expect(await showTicket(run, place, ticket)).toMatch(/^-ERR \[SYS\/TEMP\] /);
    await eventually("all reasons", () => said(server, "ticket refused").length === 3);
    expect(said(server, "ticket refused").map(({ reason }) => reason)).toEqual(["forged", "forged", "used"]);
  });
});

function statusExists(pid: number): boolean {
  try {
    return statusOf(pid, "State") !== "Z (zombie)";
  } catch {
    return false;
  }
}
