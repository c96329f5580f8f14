// What a real file system refuses to the real server: its log says what, who and why, and the processes live.
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { layOutMaildir, readMaildir } from "../peers/support/maildir.ts";
import { Pop3Connection } from "../peers/support/pop3.ts";
import { eventually } from "../support/eventually.ts";
import { mailOwner, runsAsRoot } from "../support/mail-owner.ts";
import { childrenOf, descriptorsAtRest } from "../support/processes.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { twoMessages } from "../support/two-messages.ts";

let home: string;
let maildir: string;
let server: TestServer;
let mailboxPid: number;

beforeEach(async () => {
  const owner = mailOwner();
  home = mkdtempSync(join(tmpdir(), "dewey-failing-"));
  maildir = layOutMaildir(home, owner, twoMessages);
  server = await startServer({
    accounts: [{ user: "mrose", password: "secret", uid: owner.uid, gid: owner.gid, home }],
    owner,
    settings: { server: { login_processes: 1, mailbox_processes: 1 } },
  });
  mailboxPid = childrenOf(server.pid).find(({ role }) => role === "mailbox")!.pid;
});
afterEach(async () => {
  const isSame = childrenOf(server.pid).some(({ pid }) => pid === mailboxPid);
  await server.stop();
  chmodSync(join(maildir, "new"), 0o700);
  rmSync(home, { recursive: true });
  expect(isSame).toBe(true);
});

const login = (): Promise<Pop3Connection> => Pop3Connection.login(server.port, "mrose", "secret");

async function refusedLogin(): Promise<string> {
  const { connection } = await Pop3Connection.open(server.port);
  await connection.command("USER mrose");
  const { text } = await connection.command("PASS secret");
  connection.drop();
  return text;
}

const logged = (msg: string) => eventually(msg, () => server.log().find((line) => line.msg === msg));

describe("what the mail's owner may not read", () => {
  const { uid, gid } = mailOwner();

  it("a folder: PASS is refused with SYS/PERM, the log tells path, uid and mode", async () => {
    chmodSync(join(maildir, "new"), 0);
    expect(await refusedLogin()).toBe("[SYS/PERM] maildrop cannot be opened, ask its administrator");
    expect(await logged("cannot open maildrop")).toMatchObject({
      level: "error",
      account: "mrose",
      code: "EACCES",
      cause: `cannot open maildrop ${maildir}/new: EACCES (uid ${uid}; it belongs to ${uid}:${gid}, mode 0000)`,
    });
    chmodSync(join(maildir, "new"), 0o700);
    expect((await (await login()).command("QUIT")).status).toBe("+OK");
  });

  it("a message: RETR is refused with SYS/PERM, the log tells path, uid and mode, and the rest is served", async () => {
    chmodSync(join(maildir, "new/1.one"), 0);
    const client = await login();
    expect(await client.command("RETR 1")).toEqual({
      status: "-ERR",
      text: "[SYS/PERM] message 1 cannot be read",
    });
    expect((await client.multiLine("RETR 2")).status).toBe("+OK");
    expect((await client.command("STAT")).text).toMatch(/^2 /);
    const why = `${maildir}/new/1.one: EACCES (uid ${uid}; it belongs to ${uid}:${gid}, mode 0000)`;
    expect(await logged("cannot open message")).toMatchObject({ cause: `cannot open message ${why}` });
    expect(await logged("messages cannot be read, their sizes are guessed")).toMatchObject({
      cause: `cannot read message ${why}`,
    });
    expect((await client.command("QUIT")).status).toBe("+OK");
    expect(readMaildir(maildir)).toHaveLength(2);
  });
});

it("a tmp/ that may not be written to: the session works, and one warning says why there is no index", async () => {
  chmodSync(join(maildir, "tmp"), 0o500);
  const client = await login();
  expect((await client.command("STAT")).text).toBe("2 16");
  expect((await client.command("QUIT")).status).toBe("+OK");
  await logged("session ended");
  const warnings = server.log().filter(({ level }) => level === "warn" || level === "error");
  expect(warnings).toMatchObject([
    {
      msg: "the index of a Maildir cannot be written, the session does without",
      code: "EACCES",
      path: maildir,
    },
  ]);
});

/** The soft limit alone, which may be raised again; as the process's own user, whom the kernel lets. */
function limitDescriptors(count: number): void {
  const { uid, gid } = mailOwner();
  const user = runsAsRoot() ? { uid, gid } : {};
  execFileSync("prlimit", [`--pid=${mailboxPid}`, `--nofile=${count}:`], user);
}

it("no descriptor left (EMFILE): PASS is refused with SYS/TEMP, the process lives and serves again", async () => {
  // The first login opens the link from the login process.
  const first = await login();
  await first.command("QUIT");
  await first.closed;
  await logged("session ended");
  const open = await descriptorsAtRest(mailboxPid);
  // First there is none for the client's connection, then there is, and none for the maildrop.
  for (let limit = open - 2; limit < open + 4; limit++) {
    limitDescriptors(limit);
    const text = await refusedLogin();
    if (text === "Pass accepted") break;
    expect(text).toMatch(/^\[SYS\/TEMP\] maildrop /);
  }
  await logged("cannot take a client's connection: too many open files, it is relayed");
  expect(await logged("cannot open maildrop")).toMatchObject({ code: "EMFILE" });
  limitDescriptors(1024);
  const client = await eventually("a login", () => login().catch(() => undefined));
  expect((await client.command("QUIT")).status).toBe("+OK");
});
