// Dovecot's IMAP and our POP3 on the same Maildir at once, for good: what one removes the other does not show, flags and
// moves of the one do not disturb the other's unique-ids, the quota stays right for both, and we never write Dovecot's list.
import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { runnableProgram } from "../support/checkout.ts";
import { mailOwner } from "../support/mail-owner.ts";
import { runProgram } from "../support/program.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { type Dovecot, startDovecot } from "./support/dovecot.ts";
import { ImapConnection } from "./support/imap.ts";
import { layOutMaildir, readMaildir } from "./support/maildir.ts";
import { plainMessage } from "./support/messages.ts";
import { Pop3Connection } from "./support/pop3.ts";
import { told } from "./support/told.ts";

const owner = mailOwner();
const { path: ctl, env } = runnableProgram("pop3-ctl");
const QUOTA =
  "pop3_uidl_format = %08Xu%08Xv\nmail_plugins = quota\nprotocol imap {\n  mail_plugins = quota imap_quota\n}\n";
const RULES = "plugin {\n  quota = maildir:User quota\n  quota_rule = *:storage=1M:messages=1000\n}\n";

let folder: string;
let server: TestServer;
let dovecot: Dovecot;
let imap: ImapConnection;

const maildir = (): string => join(folder, "mrose/Maildir");
const names = ["1700000001.M1P7.mx", "1700000002.M2P7.mx,S=502", "1700000003.M3P7.mx", "1700000004.M4P7.mx"];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "dewey-beside-imap-"));
  chmodSync(folder, 0o755);
  const account = { user: "mrose", password: "secret", uid: owner.uid, gid: owner.gid };
  const accounts = [{ ...account, home: join(folder, "mrose") }];
  server = await startServer({ accounts, owner });
  dovecot = await startDovecot({ accounts, owner, settings: `${QUOTA}${RULES}`, imap: true });
});
afterAll(async () => {
  await server?.stop();
  await dovecot?.stop();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  imap?.close();
  rmSync(join(folder, "mrose"), { recursive: true, force: true });
  const files = names.map((name, index) => {
    return [index < 2 ? `cur/${name}:2,` : `new/${name}`, plainMessage(index, 501 + index)] as const;
  });
  layOutMaildir(join(folder, "mrose"), owner, new Map(files));
  imap = await ImapConnection.login(dovecot.imapPort, "mrose", "secret");
});
afterAll(() => imap?.close());

const pop3 = (): Promise<Pop3Connection> => Pop3Connection.login(server.port, "mrose", "secret");

async function quit(session: Pop3Connection): Promise<void> {
  expect((await session.command("QUIT")).status).toBe("+OK");
  await session.closed;
}

async function uidl(): Promise<string[]> {
  return (await told(server.port, "mrose")).uidl.split("\r\n").slice(0, -1);
}

/** uid → flags, as IMAP shows them, without \Recent, which is the session's. */
async function flags(): Promise<Record<string, string>> {
  const fetched = await imap.command("UID FETCH 1:* (FLAGS)");
  return Object.fromEntries(
    fetched.flatMap((line) => {
      const [, uid, text] = /FETCH \(UID ([0-9]+) FLAGS \((.*)\)\)/.exec(line) ?? [];
      return uid === undefined
        ? []
        : [
            [
              uid,
              text!
                .split(" ")
                .filter((flag) => flag !== "\\Recent")
                .sort()
                .join(" "),
            ],
          ];
    }),
  );
}

/** Of Dovecot's list: which file, when written, what is in it. */
function list() {
  const file = join(maildir(), "dovecot-uidlist");
  const { ino, mtimeNs } = statSync(file, { bigint: true });
  return { ino, mtimeNs, text: readFileSync(file, "latin1") };
}

function deliver(name: string, serial: number): void {
  const path = join(maildir(), "new", name);
  writeFileSync(path, plainMessage(serial, 700), { mode: 0o600 });
  chownSync(path, owner.uid, owner.gid);
}

describe("Dovecot's IMAP beside us", () => {
  it("no longer shows what POP3 has removed, in a session that goes on; its list is Dovecot's own", async () => {
    expect(Object.keys(await flags())).toEqual(["1", "2", "3", "4"]);
    const before = list();
    const session = await pop3();
    await session.command("DELE 2");
    await session.multiLine("RETR 3");
    expect(list()).toEqual(before);
    await quit(session);
    expect(list()).toEqual(before);
    const noop = await imap.command("NOOP");
    expect(noop).toContain("* 2 EXPUNGE");
    expect(await flags()).toEqual({ "1": "", "3": "\\Seen", "4": "" });
    // Delivered later: Dovecot's next uid, as if nothing had been.
    deliver("1700000009.M9P9.mx", 9);
    await imap.command("NOOP");
    expect(await flags()).toEqual({ "1": "", "3": "\\Seen", "4": "", "5": "" });
  });

  it("flags, keywords and moves by IMAP leave unique-ids and order as they are, before, during and after a session", async () => {
    await runProgram(
      ctl,
      ["--config", join(server.folder, "config.toml"), "import-uidl", "mrose", "--format", "%08Xu%08Xv"],
      { env },
    );
    deliver("1700000009.M9P9.mx", 9);
    const ids = await uidl();
    expect(ids).toHaveLength(5);
    expect(ids[0]).toMatch(/^1 00000001[0-9a-f]{8}$/);
    expect(ids[4]).toBe("5 1700000009.M9P9.mx");
    await imap.command("CREATE Archive");
    await imap.command("UID STORE 1 +FLAGS (\\Flagged \\Answered $Work)");
    await imap.command("UID STORE 3 +FLAGS (\\Seen)");
    expect(await uidl()).toEqual(ids);
    await imap.command("UID MOVE 2 Archive");
    const without = (number: number, all: readonly string[]) =>
      all
        .filter((_, index) => index !== number - 1)
        .map((line, index) => line.replace(/^[0-9]+/, `${index + 1}`));
    const left = without(2, ids);
    expect(await uidl()).toEqual(left);

    const session = await pop3();
    await imap.command("UID STORE 1 -FLAGS (\\Answered)");
    await imap.command("UID STORE 4 +FLAGS (\\Flagged \\Draft)");
    await imap.command("UID MOVE 3 Archive");
    expect((await session.multiLine("RETR 1")).status).toBe("+OK");
    // It was there when the session began, and is another folder's now.
    expect((await session.multiLine("RETR 2")).status).toBe("-ERR");
    expect((await session.multiLine("RETR 3")).status).toBe("+OK");
    await session.command("DELE 4");
    await quit(session);
    expect(await uidl()).toEqual(without(2, without(4, left)));
    await imap.command("NOOP");
    expect(await flags()).toEqual({ "1": "$Work \\Flagged \\Seen", "4": "\\Draft \\Flagged \\Seen" });
    expect(readMaildir(join(maildir(), ".Archive"))).toHaveLength(2);
  });

  it("both keep the quota right: what either adds and removes is in maildirsize, and in what IMAP tells", async () => {
    const rights = async () => {
      const messages = readMaildir(maildir());
      const bytes = messages.reduce((sum, message) => sum + message.bytes.length, 0);
      const [first = "", ...lines] = readFileSync(join(maildir(), "maildirsize"), "latin1")
        .trim()
        .split("\n");
      const sums = lines.map((line) => line.trim().split(/ +/).map(Number) as [number, number]);
      const summed = sums.reduce(([a, b], [c, d]) => [a + c, b + d], [0, 0]);
      const quota = (await imap.command("GETQUOTAROOT INBOX")).find((line) => line.startsWith("* QUOTA "));
      const [, messagesTold] = /MESSAGE ([0-9]+) 1000/.exec(quota ?? "") ?? [];
      expect({ first, summed, messagesTold }).toEqual({
        first: "1048576S,1000C",
        summed: [bytes, messages.length],
        messagesTold: `${messages.length}`,
      });
      return messages.length;
    };
    const message = Buffer.from(`Subject: appended\r\n\r\n${"x".repeat(500)}\r\n`);
    await imap.command("APPEND INBOX", message);
    expect(await rights()).toBe(5);
    const session = await pop3();
    for (const number of [1, 2, 5]) await session.command(`DELE ${number}`);
    await quit(session);
    expect(await rights()).toBe(2);
    await imap.command("APPEND INBOX", message);
    await imap.command("NOOP");
    await imap.command("UID STORE 3 +FLAGS (\\Deleted)");
    await imap.command("EXPUNGE");
    expect(await rights()).toBe(2);
  });

  it("export-uidl writes the list while an IMAP session is open: it goes on, with the same uids", async () => {
    expect(Object.keys(await flags())).toEqual(["1", "2", "3", "4"]);
    const ours = await told(server.port, "mrose");
    const args = ["--config", join(server.folder, "config.toml"), "export-uidl", "mrose", "--to", "dovecot"];
    expect(await runProgram(ctl, args, { env })).toMatchObject({ exitCode: 0 });
    expect(await told(dovecot.port, "mrose")).toEqual(ours);
    deliver("1700000009.M9P9.mx", 9);
    await imap.command("NOOP");
    expect(Object.keys(await flags())).toEqual(["1", "2", "3", "4", "5"]);
    expect(list().text.match(/^[1-4] P /gm)).toHaveLength(4);
  });
});
