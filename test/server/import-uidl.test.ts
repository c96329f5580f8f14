// The built `pop3-ctl import-uidl` beside a server that runs: what Dovecot called the messages is what clients are told.
import { chmodSync, chownSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { layOutMaildir } from "../peers/support/maildir.ts";
import { Pop3Connection } from "../peers/support/pop3.ts";
import { runnableProgram } from "../support/checkout.ts";
import { eventually } from "../support/eventually.ts";
import { mailOwner } from "../support/mail-owner.ts";
import { runProgram } from "../support/program.ts";
import { type ServerOptions, startServer, type TestServer } from "../support/server.ts";

const { path: program, env } = runnableProgram("pop3-ctl");
const owner = mailOwner();
let folder: string;
let maildir: string;
let options: ServerOptions;
let server: TestServer;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "dewey-import-uidl-"));
  chmodSync(folder, 0o755);
  const home = join(folder, "mrose");
  const message = Buffer.from("Subject: one\n\n1\n");
  maildir = layOutMaildir(
    home,
    owner,
    new Map(["new/1.one", "cur/2.two:2,S", "new/3.three"].map((name) => [name, message])),
  );
  const uidlist = join(maildir, "dovecot-uidlist");
  writeFileSync(uidlist, "3 V123 N9\n7 :2.two\n8 :1.one:2,\n");
  chownSync(uidlist, owner.uid, owner.gid);
  writeFileSync(join(folder, "dovecot.conf"), "pop3_uidl_format = %v.%u\n");
  const account = { password: "secret", uid: owner.uid, gid: owner.gid };
  options = {
    accounts: [
      { ...account, user: "mrose", home },
      { ...account, user: "empty", home: join(folder, "empty") },
    ],
    owner,
  };
  server = await startServer(options);
});
afterAll(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function importUidl(...args: string[]) {
  const all = ["--config", join(server.folder, "config.toml"), "import-uidl", ...args];
  const { exitCode, stdout, stderr } = await runProgram(program, all, { env });
  return { exitCode, stdout: stdout.toString(), stderr };
}
const config = (): string[] => ["--dovecot-config", join(folder, "dovecot.conf")];

async function uidl(): Promise<string> {
  const session = await Pop3Connection.login(server.port, "mrose", "secret");
  const listing = (await session.multiLine("UIDL")).body?.toString() ?? "";
  await session.command("QUIT");
  return listing;
}

it("says what it would do, does it while the server runs, and says that it is done", async () => {
  expect(await uidl()).toBe("1 1.one\r\n2 2.two\r\n3 3.three\r\n");
  const froze = "2 of 3 unique-ids as dovecot gave them (%v.%u), 1 get one of ours";
  expect(await importUidl("mrose", "--dry-run", ...config())).toEqual({
    exitCode: 0,
    stdout: `mrose: would freeze ${froze}\n`,
    stderr: "",
  });
  expect(await uidl()).toBe("1 1.one\r\n2 2.two\r\n3 3.three\r\n");
  expect(await importUidl("--all", ...config())).toEqual({
    exitCode: 0,
    stdout: `mrose: froze ${froze}\nempty: no Maildir yet\n`,
    stderr: "",
  });
  expect(await uidl()).toBe("1 123.7\r\n2 123.8\r\n3 3.three\r\n");
  for (const name of ["dewey-pop3.index", "dewey-pop3.inherited"])
    expect(statSync(join(maildir, name)).uid).toBe(owner.uid);
  expect(existsSync(join(folder, "empty"))).toBe(false);
  const again = await importUidl("mrose", "--json", ...config());
  expect(JSON.parse(again.stdout)).toEqual([
    {
      account: "mrose",
      result: "unchanged",
      from: "dovecot",
      format: "%v.%u",
      messages: 3,
      inherited: 2,
      invalid: 0,
      duplicate: 0,
      changed: 0,
    },
  ]);
});

it("waits for a session under way, and no longer than it is told", async () => {
  const session = await Pop3Connection.login(server.port, "mrose", "secret");
  expect(await importUidl("mrose", "--wait", "0.3", ...config())).toEqual({
    exitCode: 1,
    stdout: "mrose: a session has the maildrop, run it again later\n",
    stderr: "pop3-ctl: 1 of 1 accounts were not done\n",
  });
  const waiting = importUidl("mrose", ...config());
  await session.command("QUIT");
  expect(await waiting).toMatchObject({ exitCode: 0, stdout: "mrose: 3 messages, nothing to do\n" });
});

it("keeps what is frozen when another format is given, and refuses one that Dovecot has not", async () => {
  expect(await importUidl("mrose", "--format", "%u")).toMatchObject({
    exitCode: 1,
    stdout: expect.stringMatching(/^mrose: 2 of 3 messages have another unique-id .*--replace/),
  });
  expect(await uidl()).toBe("1 123.7\r\n2 123.8\r\n3 3.three\r\n");
  expect(await importUidl("mrose", "--format", "%q")).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining("%q is unknown"),
  });
});

it("a login is refused with [SYS/TEMP] when the frozen unique-ids are lost, until that is confirmed", async () => {
  // The process that remembers them must not be the one that is asked.
  for (const name of ["4.four", "5.five"]) {
    writeFileSync(join(maildir, "new", name), "x\n");
    chownSync(join(maildir, "new", name), owner.uid, owner.gid);
  }
  await server.stop();
  server = await startServer(options);
  rmSync(join(maildir, "dewey-pop3.index"));
  writeFileSync(join(maildir, "dewey-pop3.inherited"), "damaged");
  const { connection } = await Pop3Connection.open(server.port);
  await connection.command("USER mrose");
  expect(await connection.command("PASS secret")).toMatchObject({
    status: "-ERR",
    text: expect.stringMatching(/^\[SYS\/TEMP\] /),
  });
  connection.drop();
  await eventually("how to confirm it in the log", () =>
    server.log().some(({ cause }) => /for 5 messages.*import-uidl ACCOUNT --forget/.test(String(cause))),
  );
  expect(await importUidl("mrose", "--forget")).toMatchObject({
    exitCode: 0,
    stdout: "mrose: froze nothing: 5 messages have unique-ids of ours\n",
  });
  expect(await uidl()).toBe("1 1.one\r\n2 2.two\r\n3 3.three\r\n4 4.four\r\n5 5.five\r\n");
});
