// Maildir++ quota beside Exim: what POP3 removes makes room at once, because maildirsize is told. Exim itself counts a
// folder anew only after a quarter of an hour, where its owner's file says one thing and nothing since.
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../support/eventually.ts";
import { mailOwner } from "../support/mail-owner.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { type Exim, startExim } from "./support/exim.ts";
import { configuration } from "./support/exim-configuration.ts";
import { countMessages, layOutMaildir } from "./support/maildir.ts";
import { Pop3Connection } from "./support/pop3.ts";
import { sendMail } from "./support/smtp.ts";

const owner = mailOwner();
const users = ["told", "untold", "keeper"] as const;
type User = (typeof users)[number];
const QUOTA = 30 * 1024;
const stored = 9_000;

describe("an account over quota", () => {
  let folder: string;
  let server: TestServer;
  let exim: Exim;
  const maildir = (user: User): string => join(folder, user, "Maildir");
  const size = (user: User): string => readFileSync(join(maildir(user), "maildirsize"), "utf8");
  const count = (user: User): number => countMessages(maildir(user));

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "dewey-quota-"));
    chmodSync(folder, 0o755);
    const maps = join(folder, "maps");
    mkdirSync(maps);
    const map = (name: string, value: (user: User) => string): void =>
      writeFileSync(join(maps, name), users.map((user) => `${user}@example.org: ${value(user)}\n`).join(""));
    map("mailboxes", (user) => `${maildir(user)}/`);
    map("uids", () => `${owner.uid}`);
    map("gids", () => `${owner.gid}`);
    for (const user of users) {
      const names = [1, 2, 3].map((index): [string, Buffer] => [
        `new/170000000${index}.M1.host,S=${stored}`,
        Buffer.alloc(stored, "Subject: a\n\n"),
      ]);
      layOutMaildir(join(folder, user), owner, new Map(names));
      // As a program leaves it that has just counted all: one line, and young.
      const file = join(maildir(user), "maildirsize");
      writeFileSync(file, `${QUOTA}S,0C\n${3 * stored} 3\n`, { mode: 0o600 });
      chownSync(file, owner.uid, owner.gid);
    }
    server = await startServer({
      accounts: users.map((user) => ({
        user: `${user}@example.org`,
        password: "secret",
        uid: owner.uid,
        gid: owner.gid,
        home: join(folder, user),
        ...(user === "keeper" ? { extra: "pop3_keep_deleted=7d" } : {}),
      })),
      owner,
    });
    exim = await startExim({
      owner,
      configuration: configuration({ DEWEY_MAPS: maps, DEWEY_QUOTA: "30K" }, "authenticators"),
    });
  });
  afterAll(async () => {
    await exim?.stop();
    await server?.stop();
    rmSync(folder, { recursive: true });
  });

  const message = Buffer.from(`Subject: large\n\n${`${"x".repeat(70)}\n`.repeat(80)}`);
  const send = (user: User): Promise<void> =>
    sendMail(exim.port, { from: "sender@client.test", to: [`${user}@example.org`] }, [message]);
  const refusals = (user: User): number =>
    exim
      .log()
      .split("\n")
      .filter((line) => line.includes(user) && line.includes("mailbox is full")).length;
  const refused = async (user: User): Promise<void> => {
    const before = refusals(user);
    await send(user);
    await eventually(`Exim refuses the mail for ${user}`, () => refusals(user) > before).catch((fault) => {
      throw new Error(`${fault.message}; Exim said:\n${exim.log()}`);
    });
  };
  const emptyByPop3 = async (user: User): Promise<void> => {
    const session = await Pop3Connection.login(server.port, `${user}@example.org`, "secret");
    for (const index of [1, 2, 3]) await session.command(`DELE ${index}`);
    expect((await session.command("QUIT")).text).toContain("maildrop empty");
    await session.closed;
  };

  it("is refused; emptied by POP3, it gets the next message at once", async () => {
    await refused("told");
    await emptyByPop3("told");
    expect(size("told")).toBe(`${QUOTA}S,0C\n${3 * stored} 3\n-${3 * stored} -3\n`);
    await send("told");
    await eventually("the delivery", () => count("told") === 1);
  });

  it("stays refused where maildirsize is not told: that is what the line is good for", async () => {
    for (const name of readdirSync(join(maildir("untold"), "new")))
      rmSync(join(maildir("untold"), "new", name));
    await refused("untold");
    expect(count("untold")).toBe(0);
  });

  it("stays refused while what was removed is kept for an undo: Exim counts that folder, too", async () => {
    await refused("keeper");
    await emptyByPop3("keeper");
    expect(size("keeper")).toBe(`${QUOTA}S,0C\n${3 * stored} 3\n`);
    // Without the file Exim counts for itself, and comes to what the file said.
    rmSync(join(maildir("keeper"), "maildirsize"));
    await refused("keeper");
    expect(size("keeper").split("\n")[1]).toMatch(new RegExp(`^ *${3 * stored} +3$`));
  });
});
