// Moving in from a Dovecot or a Courier that runs: what each told its clients, unique-ids, sizes and order, is what we tell
// them after `pop3-ctl import-uidl`, with whatever format the old server made them.
import { chmodSync, chownSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeCertificate } from "../../scripts/certificate.mjs";
import type { TestAccount } from "../support/accounts.ts";
import { runnableProgram } from "../support/checkout.ts";
import { mailOwner } from "../support/mail-owner.ts";
import { runProgram } from "../support/program.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { startCourier } from "./support/courier.ts";
import { startDovecot } from "./support/dovecot.ts";
import { copyFolder, layOutMaildir, namesAndFlags } from "./support/maildir.ts";
import { plainMessage } from "./support/messages.ts";
import { type Told, told } from "./support/told.ts";

const owner = mailOwner();
const { path: ctl, env } = runnableProgram("pop3-ctl");
/** Users of ours, each with a Maildir that another old server had. */
const users = [
  "default",
  "filename",
  "dotted",
  "saved",
  "ordered",
  "rehearsed",
  "secured",
  "courier",
] as const;
type User = (typeof users)[number];

let folder: string;
let server: TestServer;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "dewey-moving-in-"));
  chmodSync(folder, 0o755);
  server = await startServer({ accounts: users.map((user) => account(user, home(user))), owner });
});
afterAll(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const home = (user: string): string => join(folder, user);
const oldHome = (user: string): string => join(folder, `old-${user}`);

function account(user: string, itsHome: string): TestAccount {
  return { user, password: "secret", uid: owner.uid, gid: owner.gid, home: itsHome };
}

/** Six messages; the order of names is not that of delivery to the old server's list. */
function layOutOld(user: User): string {
  const names = ["cur/1700000001.M1P7.mx:2,S", "cur/1700000002.M2P7.mx,S=501:2,RS", "new/1700000003.M3P7.mx"];
  names.push("cur/1700000004.M4P7.mx:2,", "new/1700000005.V801I2M5.mx", "new/1700000006.M6P7.mx");
  return layOutMaildir(
    oldHome(user),
    owner,
    new Map(names.map((name, index) => [name, plainMessage(index, 500 + index)])),
  );
}

async function withDovecot<T>(user: User, settings: string, act: (port: number) => Promise<T>): Promise<T> {
  const dovecot = await startDovecot({ accounts: [account(user, oldHome(user))], owner, settings });
  try {
    return await act(dovecot.port);
  } finally {
    await dovecot.stop();
  }
}

const toldByDovecot = (user: User, settings: string): Promise<Told> =>
  withDovecot(user, settings, (port) => told(port, user));

/** Against an old server that runs on the same messages. */
async function rehearse(port: number, user: User, ...security: string[]) {
  const accounts = join(folder, `${user}.accounts`);
  writeFileSync(accounts, `# rehearsal\n${user}:secret\n`, { mode: 0o600 });
  const args = ["--config", join(server.folder, "config.toml"), "rehearse"];
  const old = ["--old", `127.0.0.1:${port}`, "--accounts", accounts];
  const { exitCode, stdout } = await runProgram(ctl, [...args, ...old, ...security], { env });
  return { exitCode, stdout: stdout.toString() };
}

const nothingAgain = (user: User) => ({
  exitCode: 0,
  stdout: `${user}: would download again: 0 of 6\ntotal: would download again: 0 of 6\n`,
});

/** @param settings dovecot.conf of the host as it is found at the migration */
async function moveIn(user: User, settings: string): Promise<string> {
  await copyFolder(oldHome(user), home(user));
  const dovecotConfig = join(folder, `${user}.conf`);
  writeFileSync(dovecotConfig, settings);
  const args = ["--config", join(server.folder, "config.toml"), "import-uidl", user];
  const run = await runProgram(ctl, [...args, "--dovecot-config", dovecotConfig], { env });
  expect(run).toMatchObject({ exitCode: 0, stderr: "" });
  return run.stdout.toString();
}

describe("import-uidl", () => {
  it.each([
    ["default", "pop3_uidl_format = %08Xu%08Xv\n", "", /^1 [0-9a-f]{16}\r\n/],
    ["filename", "pop3_uidl_format = %f\n", "pop3_uidl_format = %f\n", /^1 1700000001\.M1P7\.mx\r\n/],
    ["dotted", "pop3_uidl_format = %v.%u\n", "pop3_uidl_format = %v.%u\n", /^1 [0-9]+\.1\r\n/],
    // What was saved goes before what the config would make now.
    ["saved", "pop3_uidl_format = %v-%u\npop3_save_uidl = yes\n", "", /^1 [0-9]+-1\r\n/],
  ] as const)("keeps what Dovecot told: %s", async (user, settings, found, first) => {
    layOutOld(user);
    const before = await toldByDovecot(user, settings);
    expect(before.uidl).toMatch(first);
    await moveIn(user, found);
    expect(await told(server.port, user)).toEqual(before);
    expect(await withDovecot(user, settings, (port) => rehearse(port, user))).toEqual(nothingAgain(user));
  });

  it("keeps an order and unique-ids that a migration to Dovecot had saved", async () => {
    const maildir = layOutOld("ordered");
    await toldByDovecot("ordered", "");
    const list = join(maildir, "dovecot-uidlist");
    const saved = readFileSync(list, "latin1")
      .replace(/^5 /m, "5 O1 PUID77-1 ")
      .replace(/^3 (?!V)/m, "3 O2 P ");
    expect(saved).toMatch(/^5 O1 PUID77-1 .*:1700000005/m);
    writeFileSync(list, saved, "latin1");
    chownSync(list, owner.uid, owner.gid);
    const before = await toldByDovecot("ordered", "pop3_uidl_format = %08Xu%08Xv\n");
    expect(before.uidl).toMatch(/^1 UID77-1\r\n2 1700000003\.M3P7\.mx\r\n3 [0-9a-f]{16}\r\n/);
    await moveIn("ordered", "");
    expect(await told(server.port, "ordered")).toEqual(before);
  });

  it("rehearse tells a wrong format, and changes neither Maildir", async () => {
    const old = layOutOld("rehearsed");
    await withDovecot("rehearsed", "pop3_uidl_format = %u\n", async (port) => {
      await told(port, "rehearsed");
      await moveIn("rehearsed", "pop3_uidl_format = %v\n");
      const state = () => [
        ...namesAndFlags(old),
        ...namesAndFlags(join(home("rehearsed"), "Maildir")),
        ...readdirSync(join(home("rehearsed"), "Maildir")),
        readFileSync(join(home("rehearsed"), "Maildir/dewey-pop3.index"), "latin1"),
      ];
      const before = state();
      expect(await rehearse(port, "rehearsed")).toEqual({
        exitCode: 1,
        stdout:
          "rehearsed: would download again: 6 of 6, 6 of the old server's are not here\n" +
          "total: would download again: 6 of 6\n",
      });
      expect(state()).toEqual(before);
    });
  });

  it.each(["--stls", "--tls"])(
    "rehearse asks with %s, and tells no certificate that it cannot trust",
    async (security) => {
      const certificate = await makeCertificate({ names: [{ type: "ip", value: "127.0.0.1" }] });
      rmSync(oldHome("secured"), { recursive: true, force: true });
      rmSync(home("secured"), { recursive: true, force: true });
      layOutOld("secured");
      const dovecot = await startDovecot({
        accounts: [account("secured", oldHome("secured"))],
        owner,
        certificate,
        settings: "disable_plaintext_auth = yes\nssl = required\n",
      });
      try {
        const port = security === "--tls" ? dovecot.tlsPort : dovecot.port;
        await copyFolder(oldHome("secured"), home("secured"));
        const strict = await rehearse(port, "secured", security);
        expect(strict.exitCode).toBe(1);
        expect(strict.stdout).toMatch(/^secured: 127\.0\.0\.1:[0-9]+: self-signed certificate/);
        // The base names are both servers' unique-ids.
        expect(await rehearse(port, "secured", security, "--insecure")).toEqual(nothingAgain("secured"));
      } finally {
        await dovecot.stop();
      }
    },
  );

  it("keeps what Courier told", async () => {
    layOutOld("courier");
    const courier = await startCourier({ accounts: [account("courier", oldHome("courier"))] });
    try {
      const before = await told(courier.port, "courier");
      expect(before.uidl).toMatch(/^1 UID[0-9]+-[0-9]+\r\n/);
      expect(await moveIn("courier", "")).toContain("as courier gave them");
      expect(await told(server.port, "courier")).toEqual(before);
      expect(await rehearse(courier.port, "courier")).toEqual(nothingAgain("courier"));
    } finally {
      await courier.stop();
    }
  });
});
