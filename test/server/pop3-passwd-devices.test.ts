// Device passwords with the real server: drawn by pop3-passwd, logged in with by POP3, seen in the list, shut by what shuts the account.
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Pop3Connection } from "../peers/support/pop3.ts";
import { runnableProgram } from "../support/checkout.ts";
import { eventually } from "../support/eventually.ts";
import { mailOwner, runsAsRoot } from "../support/mail-owner.ts";
import { runOrThrow, runProgram } from "../support/program.ts";
import { authUser, startServer, type TestServer } from "../support/server.ts";

const owner = mailOwner();
const { path: program, env } = runnableProgram("pop3-passwd");
let folder: string;
let file: string;
let server: TestServer;

const passwd = async (args: readonly string[], input = ""): Promise<string> =>
  (await runOrThrow(program, ["--file", file, ...args], { env, input })).stdout.toString();

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "dewey-devices-"));
  chmodSync(folder, 0o755);
  file = join(folder, "passwd");
  const home = join(folder, "home");
  for (const name of ["", "Maildir", "Maildir/new", "Maildir/cur", "Maildir/tmp"]) {
    mkdirSync(join(home, name));
    if (runsAsRoot()) chownSync(join(home, name), owner.uid, owner.gid);
  }
  await passwd(["add", "mrose@example.org", "--home", home], "secret\n");
  // As README says: readable for the auth process by its group, and not its own.
  if (runsAsRoot()) {
    const gid = Number((await runOrThrow("id", ["-g", authUser])).stdout.toString());
    chownSync(file, 0, gid);
    chmodSync(file, 0o640);
  }
  server = await startServer({ accounts: [], owner, settings: { auth: { passwd_file: file } } });
});
afterAll(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function logIn(password: string): Promise<string> {
  const { connection } = await Pop3Connection.open(server.port);
  try {
    await connection.command("USER mrose@example.org");
    const { status } = await connection.command(`PASS ${password}`);
    if (status === "+OK") await connection.command("QUIT");
    return status;
  } finally {
    connection.drop();
  }
}

describe("a device's password", () => {
  it("logs in beside the account's own, is listed with its last use, and ends when it is revoked", async () => {
    const { stdout, stderr } = await runOrThrow(
      program,
      ["--file", file, "device", "add", "mrose@example.org", "Marshall's phone"],
      { env },
    );
    const phone = stdout.toString().trim();
    expect(stderr).toContain("shown this once");
    expect(readFileSync(`${file}.devices`, "utf8")).not.toContain(phone);
    const laptop = (await passwd(["device", "add", "mrose@example.org", "laptop"])).trim();
    const { uid, gid, mode } = statSync(file);
    expect(statSync(`${file}.devices`)).toMatchObject({ uid, gid, mode });

    expect(await logIn(phone)).toBe("+OK");
    expect(await logIn(phone.toUpperCase().replaceAll("-", " "))).toBe("+OK");
    expect(await logIn("secret")).toBe("+OK");
    // Who took which message is asked later: a session says by which of the passwords it was.
    const ended = () => server.log().filter(({ msg }) => msg === "session ended");
    await eventually("three sessions' ends", () => ended().length === 3);
    expect(ended().map((line) => line["device"])).toEqual([
      "Marshall's phone",
      "Marshall's phone",
      undefined,
    ]);
    expect(await logIn(phone.replace(/^./, (first) => (first === "0" ? "1" : "0")))).toBe("-ERR");

    const list = async () =>
      JSON.parse(await passwd(["device", "list", "--json"])) as { name: string; lastUse: string }[];
    await eventually("the phone's last use is written", async () => (await list())[0]?.lastUse);
    expect(await list()).toMatchObject([
      { user: "mrose@example.org", name: "Marshall's phone", lastUse: expect.stringMatching(/^\d{4}-.*Z$/) },
      { name: "laptop", lastUse: null },
    ]);

    await passwd(["device", "revoke", "mrose@example.org", "Marshall's phone"]);
    expect(await logIn(phone)).toBe("-ERR");
    expect(await logIn(laptop)).toBe("+OK");
  });

  it("is shut with the account, and does not come back with another account of the name", async () => {
    const tablet = (await passwd(["device", "add", "mrose@example.org", "tablet"])).trim();
    // A name that somebody wrote by hand is as long as they like.
    const devices = `${file}.devices`;
    writeFileSync(devices, readFileSync(devices, "utf8").replace(":tablet\n", `:${"tablet ".repeat(100)}\n`));
    expect(await logIn(tablet)).toBe("+OK");
    await passwd(["lock", "mrose@example.org"]);
    expect(await logIn(tablet)).toBe("-ERR");
    const refused = await runProgram(program, ["--file", file, "device", "add", "mrose@example.org", "x"], {
      env,
    });
    expect(refused).toMatchObject({
      exitCode: 1,
      stderr: "pop3-passwd: mrose@example.org is locked: its devices could not log in\n",
    });
    await passwd(["unlock", "mrose@example.org"]);
    expect(await logIn(tablet)).toBe("+OK");
    await passwd(["delete", "mrose@example.org"]);
    await passwd(["add", "mrose@example.org", "--home", join(folder, "home")], "another\n");
    expect(await logIn("another")).toBe("+OK");
    expect(await logIn(tablet)).toBe("-ERR");
    expect(await passwd(["device", "list"])).toBe("no devices\n");
  });
});
