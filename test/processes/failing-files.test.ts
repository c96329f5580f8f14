// A file system that fails under a session: its client is told whether to try again, and the session goes on.
import { existsSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Files, systemFiles } from "../../src/maildir/files/files.ts";
import { Maildrop } from "../../src/maildir/maildrop.ts";
import { NO_CHOICES } from "../../src/pop3/choices.ts";
import { TransactionSession } from "../../src/processes/mailbox/transaction-session.ts";
import { fault, filesWith } from "../maildir/failing-files.ts";
import { ScratchMaildir } from "../maildir/scratch-maildir.ts";
import { Pop3Connection } from "../peers/support/pop3.ts";
import { eventually } from "../support/eventually.ts";

let server: Server;
let accepted: Promise<Socket>;
let logged: { msg: string; [key: string]: unknown }[];

beforeEach(async () => {
  logged = [];
  server = createServer({ allowHalfOpen: true });
  accepted = new Promise((resolve) => server.once("connection", resolve));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterEach(() => void server.close());

async function session(maildir: ScratchMaildir, changed: Partial<Files>): Promise<Pop3Connection> {
  const opened = await Maildrop.open(maildir.path, { files: filesWith(changed) });
  if (opened.kind !== "open") throw new Error(opened.kind);
  const connecting = Pop3Connection.open((server.address() as { port: number }).port);
  const now = Date.now();
  const log = pino({ base: {} }, { write: (line: string) => void logged.push(JSON.parse(line)) });
  new TransactionSession(await accepted, new Uint8Array(0), {
    ticket: {
      account: "mrose",
      uid: 1,
      gid: 1,
      maildir: maildir.path,
      session: "s1",
      address: "127.0.0.1",
      mechanism: "PLAIN",
    } as never,
    maildrop: opened.maildrop,
    options: {
      serverName: "dewey",
      language: "i-default",
      choices: NO_CHOICES,
      maxUselessCommands: 10,
      capabilities: { mechanisms: [], passwordAllowed: true, implementation: "x" },
    },
    idleTimeMs: 60_000,
    stall: () => ({ stallTimeMs: 60_000, minOctetsPerSecond: 0 }),
    isRelayed: false,
    log,
    now: () => now,
    onOver: () => {},
  });
  return (await connecting).connection;
}

function two(): ScratchMaildir {
  const maildir = ScratchMaildir.make();
  maildir.write("cur", "1.1.host:2,", "A: 1\n\none\n");
  maildir.write("cur", "2.2.host:2,", "A: 1\n\ntwo\n");
  return maildir;
}

/** Fails for the first message alone. */
const failing = <T>(path: unknown, code: string, call: () => Promise<T>): Promise<T> =>
  String(path).includes("/1.1.host") ? Promise.reject(fault(code)) : call();

describe.each([
  ["EIO", "SYS/TEMP"],
  ["ESTALE", "SYS/TEMP"],
  ["ENOSPC", "SYS/TEMP"],
  ["EMFILE", "SYS/TEMP"],
  ["ENOMEM", "SYS/TEMP"],
  ["EACCES", "SYS/PERM"],
  ["EPERM", "SYS/PERM"],
])("%s", (code, responseCode) => {
  it("of a message that cannot be opened: RETR and TOP say so, the others are served, nothing is lost", async () => {
    const maildir = two();
    const client = await session(maildir, {
      open: (path, flags, mode) => failing(path, code, () => systemFiles.open(path, flags, mode)),
    });
    const refusal = { status: "-ERR", text: `[${responseCode}] message 1 cannot be read` };
    expect(await client.command("RETR 1")).toEqual(refusal);
    expect(await client.command("TOP 1 0")).toEqual(refusal);
    // The one that cannot be counted has a guess.
    expect((await client.command("STAT")).text).toBe("2 13");
    expect((await client.multiLine("RETR 2")).status).toBe("+OK");
    expect((await client.command("QUIT")).text).toContain("signing off (2 messages left)");
    expect(maildir.names("cur")).toHaveLength(2);
    const line = logged.find(({ msg }) => msg === "cannot open message");
    expect(line).toMatchObject({ code, account: "mrose", session: "s1", uniqueId: "1.1.host" });
    expect(line?.["cause"]).toMatch(
      /^cannot open message .*\/cur\/1\.1\.host:2,: [A-Z]+ \(uid \d+; it belongs to \d+:\d+, mode 0644\)$/,
    );
  });

  it("of a message that cannot be removed: QUIT says how many, the others are removed", async () => {
    const maildir = two();
    const client = await session(maildir, {
      unlink: (path) => failing(path, code, () => systemFiles.unlink(path)),
    });
    await client.command("DELE 1");
    await client.command("DELE 2");
    const { status, text } = await client.command("QUIT");
    expect(status).toBe("-ERR");
    expect(text).toContain("1");
    expect(maildir.names("cur")).toEqual(["1.1.host:2,"]);
    expect(logged.find(({ msg }) => msg === "cannot remove message")).toMatchObject({ code });
  });
});

it("QUIT is answered before the index is written, however long that takes", async () => {
  const maildir = two();
  let release = (): void => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const client = await session(maildir, { fsync: (fd) => released.then(() => systemFiles.fsync(fd)) });
  expect((await client.command("STAT")).text).toBe("2 26");
  expect((await client.command("QUIT")).text).toContain("signing off (2 messages left)");
  expect(existsSync(maildir.file("dewey-pop3.index"))).toBe(false);
  release();
  await eventually("the index", () => existsSync(maildir.file("dewey-pop3.index")));
});

it("a message that cannot be read before its status line is refused, and the session goes on", async () => {
  const maildir = two();
  const client = await session(maildir, { read: () => Promise.reject(fault("EIO")) });
  expect(await client.command("RETR 1")).toEqual({
    status: "-ERR",
    text: "[SYS/TEMP] message 1 cannot be read",
  });
  expect((await client.command("NOOP")).status).toBe("+OK");
  client.drop();
});

it("a message that cannot be read to its end breaks the connection: nobody takes half of it for the whole", async () => {
  const maildir = two();
  maildir.write("cur", "3.3.host:2,", Buffer.alloc(1_000_000, "0123456789\n"));
  let isCounted = false;
  const client = await session(maildir, {
    read: (fd, buffer, offset, length, position) =>
      isCounted && (position ?? 0) > 500_000
        ? Promise.reject(fault("EIO"))
        : systemFiles.read(fd, buffer, offset, length, position),
  });
  await client.command("STAT");
  isCounted = true;
  client.send("DELE 1\r\nRETR 3\r\n");
  expect((await client.reply()).status).toBe("+OK");
  expect((await client.reply()).status).toBe("+OK");
  await client.closed;
  expect(maildir.names("cur")).toHaveLength(3);
  expect(logged.map(({ msg }) => msg)).toContain("cannot read message");
});
