// As many sessions as limits.sessions allows by default, logged in and idle: what they take, and that others are served.
import { createHash } from "node:crypto";
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { layOutMaildir } from "../peers/support/maildir.ts";
import { Pop3Connection } from "../peers/support/pop3.ts";
import { eventually } from "../support/eventually.ts";
import { mailOwner } from "../support/mail-owner.ts";
import { askServer } from "../support/pop3-ctl.ts";
import { childrenOf, openDescriptors, proportionalKib } from "../support/processes.ts";
import { startServer } from "../support/server.ts";

const SESSIONS = 5_000;
/** Logins under way at one time. */
const PARALLEL = 100;
/** In all processes together. Measured: some 45 KiB; a buffer of a relay for each would be three times as much. */
const MAX_KIB_EACH = 90;

it("5,000 idle sessions take some memory each, leave a client served, and end as they should", {
  timeout: 180_000,
}, async () => {
  const { uid, gid, ...owner } = mailOwner();
  // 25,000 folders: where there is a file system in memory, they need not go to a disk.
  const folder = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "dewey-idle-"));
  chmodSync(folder, 0o755);
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const homes = Array.from({ length: SESSIONS }, (_, i) => join(folder, `user${i}`));
  for (const home of homes) {
    for (const path of [
      home,
      `${home}/Maildir`,
      ...["new", "cur", "tmp"].map((name) => `${home}/Maildir/${name}`),
    ]) {
      mkdirSync(path);
      chownSync(path, uid, gid);
    }
  }
  layOutMaildir(
    join(folder, "mrose"),
    { ...owner, uid, gid },
    new Map([["new/1.one", Buffer.from("A: 1\n\n")]]),
  );
  // Not what the sessions' memory is about.
  const field = `{SHA256}${createHash("sha256").update("secret").digest("base64")}`;
  const account = { password: "secret", field, uid, gid };
  const server = await startServer({
    accounts: [
      ...homes.map((home, i) => ({ ...account, user: `user${i}`, home })),
      { ...account, user: "mrose", home: join(folder, "mrose") },
    ],
    owner: { ...owner, uid, gid },
    settings: { limits: { sessions: SESSIONS + 100, sessions_per_address: SESSIONS + 100, idle_time: "1h" } },
  });
  onTestFinished(() => server.stop());
  const children = childrenOf(server.pid);
  const takenKib = (): number => children.reduce((sum, { pid }) => sum + proportionalKib(pid), 0);
  const descriptors = (): number => children.reduce((sum, { pid }) => sum + openDescriptors(pid), 0);
  const fetch = async (): Promise<number> => {
    const begin = performance.now();
    const session = await Pop3Connection.login(server.port, "mrose", "secret");
    expect((await session.multiLine("RETR 1")).body?.toString()).toBe("A: 1\r\n\r\n");
    expect((await session.command("QUIT")).status).toBe("+OK");
    await session.closed;
    return performance.now() - begin;
  };
  for (let i = 0; i < 50; i++) await fetch();
  const before = { kib: takenKib(), descriptors: descriptors() };

  const sessions: Pop3Connection[] = [];
  onTestFinished(() => {
    for (const session of sessions) session.drop();
  });
  await inParallel(PARALLEL, homes.keys(), async (i) => {
    const { connection } = await Pop3Connection.open(server.port);
    sessions.push(connection);
    connection.send(`USER user${i}\r\nPASS secret\r\n`);
    for (let reply = 0; reply < 2; reply++) expect((await connection.reply()).status).toBe("+OK");
  });
  const kibEach = (takenKib() - before.kib) / SESSIONS;
  const fetchMs = await fetch();
  expect(await askServer(server, "who")).toHaveLength(SESSIONS);
  console.log(
    `${SESSIONS} idle sessions: ${kibEach.toFixed(1)} KiB each, beside which a login and a RETR took ${Math.round(fetchMs)} ms`,
  );
  expect(kibEach).toBeLessThan(MAX_KIB_EACH);

  await inParallel(PARALLEL, sessions.values(), async (session) => {
    expect((await session.command("QUIT")).status).toBe("+OK");
    await session.closed;
  });
  await eventually("all descriptors closed", () => descriptors() <= before.descriptors + 10);
  const ends = await eventually("the log of their ends", () => {
    const lines = server.log().filter(({ msg, account }) => msg === "session ended" && account !== "mrose");
    return lines.length === SESSIONS && lines;
  });
  expect(new Set(ends.map(({ reason }) => reason))).toEqual(new Set(["quit"]));
  await fetch();
  expect(childrenOf(server.pid)).toEqual(children);
});

/** So many at a time. */
async function inParallel<T>(
  workers: number,
  items: Iterator<T> & Iterable<T>,
  work: (item: T) => Promise<void>,
): Promise<void> {
  await Promise.all(
    Array.from({ length: workers }, async () => {
      for (const item of items) await work(item);
    }),
  );
}
