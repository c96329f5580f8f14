// Moving out to a Dovecot that runs: what we told clients, unique-ids, sizes and order, is what it tells them after
// `pop3-ctl export-uidl`, wherever the mail came from.
import { chmodSync, chownSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TestAccount } from "../support/accounts.ts";
import { runnableProgram } from "../support/checkout.ts";
import { mailOwner } from "../support/mail-owner.ts";
import { runProgram } from "../support/program.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { type Dovecot, startDovecot } from "./support/dovecot.ts";
import { copyFolder, layOutMaildir } from "./support/maildir.ts";
import { plainMessage } from "./support/messages.ts";
import { Pop3Connection } from "./support/pop3.ts";
import { type Told, told } from "./support/told.ts";

const owner = mailOwner();
const { path: ctl, env } = runnableProgram("pop3-ctl");
const users = ["fresh", "returning", "reordered", "apart"] as const;
type User = (typeof users)[number];
/** Whatever its own format is, saved unique-ids go first. */
const DEFAULT_FORMAT = "pop3_uidl_format = %08Xu%08Xv\n";

let folder: string;
let server: TestServer;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "dewey-moving-out-"));
  chmodSync(folder, 0o755);
  server = await startServer({ accounts: users.map((user) => account(user, home(user))), owner });
});
afterAll(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const home = (user: User): string => join(folder, user);
const maildirOf = (user: User): string => join(home(user), "Maildir");

function account(user: string, itsHome: string): TestAccount {
  return { user, password: "secret", uid: owner.uid, gid: owner.gid, home: itsHome };
}

function layOut(user: User): void {
  const names = ["cur/1700000001.M1P7.mx:2,S", "cur/1700000002.M2P7.mx,S=501:2,RS", "new/1700000003.M3P7.mx"];
  const messages = names.map((name, index) => [name, plainMessage(index, 500 + index)] as const);
  layOutMaildir(home(user), owner, new Map(messages));
}

function deliver(user: User, name: string, serial: number): void {
  const path = join(maildirOf(user), "new", name);
  writeFileSync(path, plainMessage(serial, 600 + serial), { mode: 0o600 });
  chownSync(path, owner.uid, owner.gid);
}

async function withDovecot<T>(
  user: User,
  act: (dovecot: Dovecot) => Promise<T>,
  { on = home(user), settings = DEFAULT_FORMAT } = {},
): Promise<T> {
  const dovecot = await startDovecot({ accounts: [account(user, on)], owner, settings });
  try {
    return await act(dovecot);
  } finally {
    await dovecot.stop();
  }
}

/** What a Dovecot that takes over tells, on a copy, so that ours can go on. */
let copies = 0;
async function toldAfterLeaving(user: User): Promise<Told> {
  const copy = join(folder, `left-${++copies}`);
  await copyFolder(home(user), copy);
  return withDovecot(user, ({ port }) => told(port, user), { on: copy });
}

async function run(command: string, user: User, ...args: string[]) {
  const found = join(folder, "found.conf");
  writeFileSync(found, DEFAULT_FORMAT);
  const all = ["--config", join(server.folder, "config.toml"), command, user, "--dovecot-config", found];
  all.push(...args);
  const { exitCode, stdout, stderr } = await runProgram(ctl, all, { env });
  return { exitCode, stdout: stdout.toString(), stderr };
}
const exportUidl = (user: User, ...args: string[]) => run("export-uidl", user, "--to", "dovecot", ...args);

describe("export-uidl", () => {
  it("Dovecot tells our unique-ids, where there never was a Dovecot, and of mail that came after the first export", async () => {
    layOut("fresh");
    expect((await told(server.port, "fresh")).uidl).toMatch(/^1 1700000001\.M1P7\.mx\r\n/);
    expect(await exportUidl("fresh")).toEqual({
      exitCode: 0,
      stdout: "fresh: saved 3 of 3 unique-ids in dovecot-uidlist\n",
      stderr: "",
    });
    expect(await toldAfterLeaving("fresh")).toEqual(await told(server.port, "fresh"));
    deliver("fresh", "1700000009.M9P9.mx", 9);
    const ours = await told(server.port, "fresh");
    expect(ours.uidl).toMatch(/^4 1700000009\.M9P9\.mx\r$/m);
    expect(await exportUidl("fresh")).toMatchObject({
      stdout: expect.stringMatching(/^fresh: saved 1 of 4 .*, as it was: .*\.bak\n$/),
    });
    expect(await toldAfterLeaving("fresh")).toEqual(ours);
    const list = join(maildirOf("fresh"), "dovecot-uidlist");
    const before = readFileSync(list);
    expect(await exportUidl("fresh")).toMatchObject({ stdout: "fresh: 4 messages, nothing to do\n" });
    expect(readFileSync(list)).toEqual(before);
  });

  it("Dovecot goes on with what it had told, what we told meanwhile, and its IMAP uids", async () => {
    layOut("returning");
    const first = await withDovecot("returning", ({ port }) => told(port, "returning"));
    expect(first.uidl).toMatch(/^1 00000001[0-9a-f]{8}\r\n/);
    const list = join(maildirOf("returning"), "dovecot-uidlist");
    const uids = () =>
      readFileSync(list, "latin1")
        .match(/^[0-9]+ |V[0-9]+|:.*M[0-9]P7/gm)
        ?.slice(0, 8);
    const uidsBefore = uids();
    expect(await run("import-uidl", "returning")).toMatchObject({ exitCode: 0 });
    deliver("returning", "1700000009.M9P9.mx", 9);
    const session = await Pop3Connection.login(server.port, "returning", "secret");
    await session.command("DELE 2");
    await session.command("QUIT");
    const ours = await told(server.port, "returning");
    expect(ours.uidl).toMatch(
      /^1 00000001[0-9a-f]{8}\r\n2 00000003[0-9a-f]{8}\r\n3 1700000009\.M9P9\.mx\r\n$/,
    );
    expect(await exportUidl("returning")).toMatchObject({ exitCode: 0 });
    expect(uids()).toEqual(uidsBefore);
    // Not on a copy: with all that it left here.
    expect(await withDovecot("returning", ({ port }) => told(port, "returning"))).toEqual(ours);
    deliver("returning", "1700000010.M1P9.mx", 10);
    const later = await withDovecot("returning", ({ port }) => told(port, "returning"));
    expect(later.uidl.startsWith(ours.uidl)).toBe(true);
    expect(later.uidl).toMatch(/^4 [0-9a-f]{16}\r\n$/m);
  });

  it("Dovecot keeps our order where its uids have another", async () => {
    layOut("reordered");
    await withDovecot("reordered", ({ port }) => told(port, "reordered"));
    // Sent on late by another host: we sort by delivery, Dovecot's next uid comes last.
    deliver("reordered", "1600000000.M1P1.mx", 4);
    await withDovecot("reordered", ({ port }) => told(port, "reordered"));
    const ours = await told(server.port, "reordered");
    expect(ours.uidl).toMatch(/^1 1600000000\.M1P1\.mx\r\n/);
    expect(await exportUidl("reordered")).toMatchObject({ exitCode: 0 });
    expect(await toldAfterLeaving("reordered")).toEqual(ours);
  });

  it("finds a list that is not in the Maildir, and writes it while Dovecot runs", async () => {
    layOut("apart");
    const folders = ["CONTROL", "INDEX"].map((option) => `${option}=${home("apart")}/${option}`);
    const settings = `${DEFAULT_FORMAT}mail_location = maildir:~/Maildir:${folders.join(":")}\n`;
    const act = async ({ port, configFile }: Dovecot): Promise<void> => {
      const first = await told(port, "apart");
      const found = ["--dovecot-config", configFile];
      expect(await run("import-uidl", "apart", ...found)).toMatchObject({
        stdout: "apart: froze 3 of 3 unique-ids as dovecot gave them (%08Xu%08Xv)\n",
      });
      deliver("apart", "1700000009.M9P9.mx", 9);
      const ours = await told(server.port, "apart");
      expect(ours.uidl.startsWith(first.uidl)).toBe(true);
      expect(await exportUidl("apart", ...found)).toMatchObject({ exitCode: 0 });
      expect(await told(port, "apart")).toEqual(ours);
    };
    await withDovecot("apart", act, { settings });
    expect(readdirSync(maildirOf("apart")).filter((name) => name.startsWith("dovecot"))).toEqual([]);
  });
});
