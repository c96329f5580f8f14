// auth.rehash_on_login, against the real server.
import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findUser } from "../../src/host/user-database.ts";
import { layOutMaildir } from "../peers/support/maildir.ts";
import { Pop3Connection } from "../peers/support/pop3.ts";
import { eventually } from "../support/eventually.ts";
import { mailOwner, runsAsRoot } from "../support/mail-owner.ts";
import { authUser, startServer, type TestServer } from "../support/server.ts";

let folder: string;
let server: TestServer;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "dewey-rehash-"));
  chmodSync(folder, 0o755);
});
afterEach(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

const passwd = (): string => readFileSync(join(server.folder, "passwd"), "utf8");
const logged = (message: string) => server.log().filter(({ msg }) => msg === message);

async function start(rehash_on_login: boolean): Promise<void> {
  const owner = mailOwner();
  layOutMaildir(join(folder, "home"), owner);
  server = await startServer({
    accounts: [
      {
        user: "mrose",
        password: "secret",
        field: "{PLAIN}secret",
        uid: owner.uid,
        gid: owner.gid,
        home: join(folder, "home"),
      },
    ],
    owner,
    settings: { auth: { rehash_on_login, argon2_memory: "64KiB", argon2_time: 1 } },
  });
}

/** As the sample config tells administrators to. */
function giveToAuth(): void {
  if (!runsAsRoot()) return;
  const auth = findUser(authUser);
  if (auth === undefined) throw new Error(`no user ${authUser}`);
  for (const path of [server.folder, join(server.folder, "passwd")]) chownSync(path, auth.uid, auth.gid);
}

async function logIn(): Promise<void> {
  const session = await Pop3Connection.login(server.port, "mrose", "secret");
  expect((await session.command("QUIT")).status).toBe("+OK");
}

describe("auth.rehash_on_login", () => {
  it("replaces a weak hash after a login, once, and everything else in the line stays", async () => {
    await start(true);
    giveToAuth();
    const before = passwd();
    const { mode, uid } = statSync(join(server.folder, "passwd"));
    await logIn();
    await eventually("the new hash", () => passwd().includes("{ARGON2ID}$argon2id$v=19$m=64,t=1,p=1$"));
    expect(passwd().replace(/\{ARGON2ID\}[^:]*/, "{PLAIN}secret")).toBe(before);
    expect(statSync(join(server.folder, "passwd"))).toMatchObject({ mode, uid });
    const after = passwd();
    await logIn();
    expect(passwd()).toBe(after);
    const lines = await eventually("the line of it", () => {
      const found = logged("weak hash replaced after login");
      return found.length > 0 && found;
    });
    expect(lines).toMatchObject([{ user: "mrose" }]);
    expect(JSON.stringify(server.log())).not.toContain("secret");
  });

  it("lets nobody wait or fail for a file that cannot be written", async () => {
    await start(true);
    chmodSync(join(server.folder, "passwd"), 0o444);
    chmodSync(server.folder, 0o555);
    const before = passwd();
    await logIn();
    await eventually("the complaint", () =>
      server.log().some(({ msg }) => msg.startsWith("auth.rehash_on_login has no effect: ")),
    );
    await logIn();
    expect(passwd()).toBe(before);
    chmodSync(server.folder, 0o755);
  });

  it("is off unless it is asked for", async () => {
    await start(false);
    giveToAuth();
    const before = passwd();
    await logIn();
    await logIn();
    expect(passwd()).toBe(before);
  });
});
