// Moving in from mbox, with what Debian has: doveadm(1) makes Maildirs of them as README says, and what a Dovecot or a qpopper
// had told its clients of the mbox is what we tell them.
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { TestAccount } from "../support/accounts.ts";
import { runnableProgram } from "../support/checkout.ts";
import { mailOwner } from "../support/mail-owner.ts";
import { runOrThrow, runProgram } from "../support/program.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { startDovecot } from "./support/dovecot.ts";
import { namesAndFlags } from "./support/maildir.ts";
import { told } from "./support/told.ts";

const owner = mailOwner();
const { path: ctl, env } = runnableProgram("pop3-ctl");
const users = ["dovecot", "qpopper", "nameless"] as const;
type User = (typeof users)[number];

let folder: string;
let server: TestServer;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "dewey-from-mbox-"));
  chmodSync(folder, 0o755);
  mkdirSync(join(folder, "spool"));
  for (const path of [join(folder, "spool"), ...users.map(home)]) {
    mkdirSync(path, { recursive: true });
    chownSync(path, owner.uid, owner.gid);
  }
  server = await startServer({ accounts: users.map(account), owner });
});
afterAll(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

function home(user: User): string {
  return join(folder, user);
}

function account(user: User): TestAccount {
  return { user, password: "secret", uid: owner.uid, gid: owner.gid, home: home(user) };
}

/** Five messages: read ones, one that was answered, one that begins like an mbox's line. */
function layOutMbox(user: User): string {
  const mbox = join(folder, "spool", user);
  const message = (number: number): string =>
    [
      `From a@client.test Mon Jan  ${number} 00:00:00 2024`,
      "From: a@client.test",
      `Subject: message ${number}`,
      ...(user === "nameless" ? [] : [`Message-ID: <${number}.mbox@client.test>`]),
      `X-UIDL: ${"fedcba"[number]}0${number}!_z`,
      `Status: ${number < 3 ? "RO" : "O"}`,
      ...(number === 2 ? ["X-Status: A"] : []),
      "",
      `Text ${number}`,
      ">From the beginning",
      "",
      "",
    ].join("\n");
  writeFileSync(mbox, [1, 2, 3, 4, 5].map(message).join(""), { mode: 0o600 });
  chownSync(mbox, owner.uid, owner.gid);
  return mbox;
}

const SETTINGS = (): string => `mail_location = mbox:~/mail:INBOX=${folder}/spool/%u
namespace inbox {
  inbox = yes
}
pop3_uidl_format = %08Xu%08Xv
`;

/** As README has it. @returns what the Dovecot that served the mbox had told; the messages that doveadm takes for others */
async function convert(user: User) {
  const mbox = layOutMbox(user);
  const dovecot = await startDovecot({ accounts: [account(user)], owner, settings: SETTINGS() });
  try {
    const before = await told(dovecot.port, user);
    const fetch = `doveadm -c ${dovecot.configFile} -f tab fetch -u ${user} guid mailbox INBOX | sort | uniq -d`;
    const { stdout } = await runOrThrow("sh", ["-c", fetch]);
    if (stdout.length > 0) return { ...before, alike: stdout.toString() };
    const to = ["-o", "mail_location=maildir:~/Maildir", "-o", "namespace/inbox/separator=/"];
    const from = `mbox:~/mail:INBOX=${mbox}`;
    await runOrThrow("doveadm", ["-c", dovecot.configFile, ...to, "backup", "-u", user, "-R", from]);
    rmSync(join(home(user), "Maildir/maildirfolder"));
    return { ...before, alike: "" };
  } finally {
    await dovecot.stop();
  }
}

async function importUidl(user: User, ...args: string[]): Promise<string> {
  const dovecotConfig = join(folder, "found.conf");
  writeFileSync(dovecotConfig, SETTINGS());
  const all = ["--config", join(server.folder, "config.toml"), "import-uidl", user, ...args];
  const run = await runProgram(ctl, [...all, "--dovecot-config", dovecotConfig], { env });
  expect(run).toMatchObject({ exitCode: 0, stderr: "" });
  return run.stdout.toString();
}

it("of a Dovecot: unique-ids, order, sizes and flags stay", async () => {
  const { alike, ...before } = await convert("dovecot");
  expect(alike).toBe("");
  expect(before.uidl).toMatch(/^1 00000001[0-9a-f]{8}\r\n/);
  expect(await importUidl("dovecot")).toBe(
    "dovecot: froze 5 of 5 unique-ids as dovecot gave them (%08Xu%08Xv)\n",
  );
  expect(await told(server.port, "dovecot")).toEqual(before);
  const flags = namesAndFlags(join(home("dovecot"), "Maildir")).map((name) => name.split(" ")[1]);
  expect(flags.toSorted()).toEqual(["", "", "", "RS", "S"]);
  expect(readFileSync(join(folder, "spool/dovecot"), "latin1")).toContain("Text 5");
});

it("of a qpopper: the unique-ids of its X-UIDL headers stay, in the mbox's order", async () => {
  await convert("qpopper");
  expect(await importUidl("qpopper", "--from", "x-uidl")).toBe(
    "qpopper: froze 5 of 5 unique-ids as x-uidl gave them\n",
  );
  expect((await told(server.port, "qpopper")).uidl).toBe(
    "1 e01!_z\r\n2 d02!_z\r\n3 c03!_z\r\n4 b04!_z\r\n5 a05!_z\r\n",
  );
});

it("where doveadm would take different messages for one, the look before it says so", async () => {
  expect((await convert("nameless")).alike).toMatch(/^[0-9a-f]{32}\n$/);
});
