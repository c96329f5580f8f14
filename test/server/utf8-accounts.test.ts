// Accounts whose names and passwords are in UTF-8, from pop3-passwd to the maildrop: however the administrator's and the client's
// keyboards compose their characters (RFC 6856 §2.2, SASLprep), it is one account and one password.
import { chmodSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { layOutMaildir } from "../peers/support/maildir.ts";
import { Pop3Connection } from "../peers/support/pop3.ts";
import { runnableProgram } from "../support/checkout.ts";
import { eventually } from "../support/eventually.ts";
import { mailOwner } from "../support/mail-owner.ts";
import { runProgram } from "../support/program.ts";
import { startServer, type TestServer } from "../support/server.ts";

const name = "jürgen@exämple.test";
const password = "Füße für Ångström";
const forms = ["NFC", "NFD"] as const;

let server: TestServer;
let mail: string;

const { path: program, env } = runnableProgram("pop3-passwd");
async function pop3Passwd(args: readonly string[], input: string) {
  const { exitCode, stdout, stderr } = await runProgram(
    program,
    ["--file", join(server.folder, "passwd"), ...args],
    { env, input: `${input}\n` },
  );
  return { exitCode, stdout: stdout.toString(), stderr };
}

beforeAll(async () => {
  const owner = mailOwner();
  mail = mkdtempSync(join(tmpdir(), "dewey-utf8-accounts-"));
  chmodSync(mail, 0o755);
  const home = join(mail, "mrose");
  layOutMaildir(home, owner);
  layOutMaildir(join(mail, "jürgen"), owner, new Map([["new/1.a.host", Buffer.from("Subject: a\n\n")]]));
  const account = { user: "mrose", password: "secret", uid: owner.uid, gid: owner.gid, home };
  server = await startServer({ accounts: [account], owner });
  const args = ["add", name.normalize("NFD"), "--home", join(mail, "jürgen")];
  expect(await pop3Passwd(args, password.normalize("NFD"))).toMatchObject({ exitCode: 0, stderr: "" });
  await eventually("the account", async () => {
    const session = await Pop3Connection.login(server.port, name, password).catch(() => undefined);
    await session?.command("QUIT");
    return session !== undefined;
  });
}, 60_000);
afterAll(async () => {
  await server?.stop();
  rmSync(mail, { recursive: true });
});

describe("an account that was added decomposed", () => {
  it("stands in the passwd file composed, once", async () => {
    const lines = readFileSync(join(server.folder, "passwd"), "utf8").split("\n");
    expect(lines.filter((line) => line.startsWith(`${name.normalize("NFC")}:{`))).toHaveLength(1);
    for (const form of forms) {
      expect(await pop3Passwd(["add", name.normalize(form)], "x")).toMatchObject({ exitCode: 1 });
      expect(await pop3Passwd(["verify", name.normalize(form)], password.normalize(form))).toMatchObject({
        exitCode: 0,
      });
    }
  });

  for (const nameForm of forms) {
    for (const passwordForm of forms) {
      it(`logs in with a name in ${nameForm} and a password in ${passwordForm}, by USER and PASS and by AUTH PLAIN`, async () => {
        const user = name.normalize(nameForm);
        const secret = password.normalize(passwordForm);
        const plain = Buffer.from(`\0${user}\0${secret}`).toString("base64");
        for (const utf8 of [false, true]) {
          for (const lines of [[`USER ${user}`, `PASS ${secret}`], [`AUTH PLAIN ${plain}`]]) {
            const { connection } = await Pop3Connection.open(server.port);
            if (utf8) expect((await connection.command("UTF8")).status).toBe("+OK");
            for (const line of lines) expect((await connection.command(line)).status).toBe("+OK");
            expect((await connection.command("STAT")).text).toBe("1 14");
            await connection.command("QUIT");
            await connection.closed;
          }
        }
      });
    }
  }

  it("is told apart from one whose letters only look alike", async () => {
    const { connection } = await Pop3Connection.open(server.port);
    await connection.command(`USER ${name}`);
    expect((await connection.command(`PASS ${password.replaceAll("ß", "ss")}`)).status).toBe("-ERR");
    await connection.command(`USER ${name.replace("ü", "u")}`);
    expect((await connection.command(`PASS ${password}`)).status).toBe("-ERR");
    connection.drop();
  });
});
