// mail.mark_seen, mail.keep_deleted and mail.expire, the config's and an account's own, against the real server.
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { layOutMaildir, namesAndFlags } from "../peers/support/maildir.ts";
import { Pop3Connection } from "../peers/support/pop3.ts";
import { type TestAccount, writePasswdFile } from "../support/accounts.ts";
import { eventually } from "../support/eventually.ts";
import { mailOwner } from "../support/mail-owner.ts";
import { startServer, type TestServer } from "../support/server.ts";

const password = "secret";
const message = Buffer.from("A: 1\n\n");
const nowSeconds = Math.floor(Date.now() / 1000);
const daysAgo = (days: number): number => nowSeconds - days * 86_400;

describe.each(["separate", "combined"] as const)("what becomes of messages, processes %s", (processes) => {
  const owner = mailOwner();
  const folder = mkdtempSync(join(tmpdir(), "dewey-policy-"));
  chmodSync(folder, 0o755);
  const account = (user: string, extra = ""): TestAccount => ({
    user,
    password,
    uid: owner.uid,
    gid: owner.gid,
    home: join(folder, user),
    extra,
  });
  const accounts = [
    account("mrose"),
    account("hasty", "pop3_expire=5d pop3_mark_seen=no"),
    account("careful", "pop3_expire=never pop3_keep_deleted=7d"),
    account("mistyped", "pop3_expire=soon"),
  ];
  let server: TestServer;

  beforeAll(async () => {
    for (const { home } of accounts) {
      const files = [40, 10, 1].map((days): [string, Buffer] => [`new/${daysAgo(days)}.${days}d`, message]);
      const maildir = layOutMaildir(home, owner, new Map(files));
      for (const days of [40, 10, 1])
        utimesSync(join(maildir, "new", `${daysAgo(days)}.${days}d`), daysAgo(days), daysAgo(days));
    }
    server = await startServer({
      accounts,
      owner,
      settings: { server: { processes }, mail: { expire: "30d" } },
    });
  });
  afterAll(async () => {
    await server.stop();
    rmSync(folder, { recursive: true });
  });

  const maildir = (user: string): string => join(folder, user, "Maildir");
  const names = (user: string): string[] =>
    namesAndFlags(maildir(user)).map((line) => line.replace(/^\d+\./, ""));
  const expire = async (connection: Pop3Connection): Promise<string | undefined> =>
    (await connection.multiLine("CAPA")).body
      ?.toString()
      .split("\r\n")
      .find((line) => line.startsWith("EXPIRE"));

  it("EXPIRE is the least of all accounts before login, and the account's own after it (RFC 2449 §6.7)", async () => {
    const { connection } = await Pop3Connection.open(server.port);
    expect(await expire(connection)).toBe("EXPIRE 5 USER");
    await connection.command("QUIT");
    const told = ["mrose", "hasty", "careful"].map(async (user) => {
      const session = await Pop3Connection.login(server.port, user, password);
      const line = await expire(session);
      session.drop();
      return line;
    });
    expect(await Promise.all(told)).toEqual(["EXPIRE 30", "EXPIRE 5", "EXPIRE NEVER"]);
  });

  it("old messages can still be fetched, stay without QUIT, and are removed by it", async () => {
    const login = () =>
      eventually("the login", () =>
        Pop3Connection.login(server.port, "mrose", password).catch(() => undefined),
      );
    const first = await login();
    expect((await first.multiLine("RETR 1")).body).toEqual(Buffer.from("A: 1\r\n\r\n"));
    first.drop();
    const second = await login();
    expect((await second.command("STAT")).text).toBe("3 24");
    expect(await second.command("QUIT")).toMatchObject({
      status: "+OK",
      text: "dewey POP3 server signing off (2 messages left)",
    });
    expect(names("mrose")).toEqual(["10d ", "1d "]);
    const line = await eventually("the session's end", () =>
      server.log().find((entry) => entry.msg === "session ended" && entry["expired"] !== undefined),
    );
    expect(line).toMatchObject({ account: "mrose", deleted: 0, expired: 1, reason: "quit" });
  });

  it("an account's own values come before the config's", async () => {
    const session = await Pop3Connection.login(server.port, "hasty", password);
    await session.multiLine("RETR 3");
    expect((await session.command("QUIT")).text).toBe("dewey POP3 server signing off (1 messages left)");
    expect(readdirSync(join(maildir("hasty"), "new"))).toHaveLength(1);
    expect(readdirSync(join(maildir("hasty"), "cur"))).toEqual([]);
    expect(existsSync(join(maildir("hasty"), ".dewey-deleted"))).toBe(false);
  });

  it("keep_deleted moves what DELE marked to a folder of its owner's", async () => {
    const session = await Pop3Connection.login(server.port, "careful", password);
    await session.command("DELE 2");
    await session.command("QUIT");
    expect(names("careful")).toEqual(["40d ", "1d "]);
    const kept = join(maildir("careful"), ".dewey-deleted");
    expect(readdirSync(join(kept, "new"))).toEqual([expect.stringMatching(/^\d+\.10d,D=\d+$/)]);
    for (const name of ["", "new", "cur", "tmp", "maildirfolder"])
      expect(statSync(join(kept, name))).toMatchObject({ uid: owner.uid, gid: owner.gid });
  });

  it("an account whose values cannot be read is not served: no guess decides which mail goes", async () => {
    const { connection } = await Pop3Connection.open(server.port);
    await connection.command("USER mistyped");
    expect(await connection.command(`PASS ${password}`)).toMatchObject({
      status: "-ERR",
      text: "[SYS/PERM] this account cannot be used, ask its administrator",
    });
    await connection.command("QUIT");
    expect(server.log().find(({ msg }) => msg === "account cannot be used")).toMatchObject({
      user: "mistyped",
      line: 4,
      reason: 'pop3_expire=soon: expected whole days such as "30d", or "never"',
    });
    expect(names("mistyped")).toHaveLength(3);
  });

  it("EXPIRE follows the passwd file", async () => {
    await writePasswdFile(
      join(server.folder, "passwd"),
      accounts.filter(({ user }) => user === "mrose"),
    );
    await eventually("the new EXPIRE", async () => {
      const { connection } = await Pop3Connection.open(server.port);
      const line = await expire(connection);
      await connection.command("QUIT");
      return line === "EXPIRE 30";
    });
  });
});
