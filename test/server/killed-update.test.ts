// kill -9 at every step of UPDATE: whatever the moment, no unmarked message is lost, each marked one is there or gone, and
// the next session finds everything in order.
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { forEachParallel } from "../../src/maildir/files/parallel.ts";
import { Maildrop } from "../../src/maildir/maildrop.ts";
import type { MaildropEvent } from "../../src/maildir/maildrop-event.ts";
import { originalName } from "../../src/maildir/update/kept-name.ts";
import { layOutMaildir, readMaildir } from "../peers/support/maildir.ts";
import { Pop3Connection } from "../peers/support/pop3.ts";
import { eventually } from "../support/eventually.ts";
import { type MailOwner, mailOwner } from "../support/mail-owner.ts";
import { childrenOf } from "../support/processes.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { maildirSession, type SessionRequest } from "./support/maildir-session.ts";

const WEEK_MS = 604_800_000;

/** Base name → content; `old.` is older than a month, `trash.` is flagged as trashed, `twin.` has two names. */
const contents: ReadonlyMap<string, string> = new Map(
  [
    "1.old.host",
    "1700000001.unread.host,S=30",
    "1700000002.read.host",
    "1700000003.trash.host",
    "1700000004.twin.host",
    "1700000005.marked.host,S=34",
    "1700000006.fetched.host",
  ].map((name) => [name, `Subject: ${name}\n\n`]),
);
const deleted = [...contents.keys()].filter((name) => /marked|trash|twin|read\.host$/.test(name));
const retrieved = ["1700000006.fetched.host", "1700000005.marked.host,S=34"];

function layOut(home: string, owner: MailOwner): string {
  const file = (name: string): string => {
    if (name.includes("trash")) return `cur/${name}:2,T`;
    return /old|read\.host/.test(name) ? `cur/${name}:2,S` : `new/${name}`;
  };
  const files = [...contents].map(([name, content]): [string, Buffer] => [file(name), Buffer.from(content)]);
  const maildir = layOutMaildir(home, owner, new Map(files));
  const twin = "1700000004.twin.host";
  utimesSync(join(maildir, "cur/1.old.host:2,S"), 1, 1);
  linkSync(join(maildir, "new", twin), join(maildir, "cur", `${twin}:2,`));
  const size = join(maildir, "maildirsize");
  writeFileSync(size, `1000000S,0C\n${quotaOf(maildir).join(" ")}\n`);
  chownSync(size, owner.uid, owner.gid);
  return maildir;
}

/** Bytes and count as Maildir++ counts them: all folders but for what is trashed, one file once. */
function quotaOf(maildir: string): [bytes: number, count: number] {
  const sizes = new Map<number, number>();
  for (const folder of ["new", "cur", ".dewey-deleted/new", ".dewey-deleted/cur"]) {
    if (!existsSync(join(maildir, folder))) continue;
    for (const name of readdirSync(join(maildir, folder))) {
      const { ino, size } = statSync(join(maildir, folder, name));
      if (!/:2,[A-Z]*T/.test(name)) sizes.set(ino, Number(/,S=(\d+)/.exec(name)?.[1] ?? size));
    }
  }
  return [[...sizes.values()].reduce((sum, size) => sum + size, 0), sizes.size];
}

/** What maildirsize says; throws when a line of it is malformed. */
function toldQuota(maildir: string): [bytes: number, count: number] {
  const [header, ...lines] = readFileSync(join(maildir, "maildirsize"), "utf8").trimEnd().split("\n");
  expect(header).toBe("1000000S,0C");
  let [bytes, count] = [0, 0];
  for (const line of lines) {
    const [, lineBytes, lineCount] = /^(-?\d+) (-?\d+)$/.exec(line) ?? [];
    if (lineBytes === undefined) throw new Error(`malformed line of maildirsize: ${line}`);
    bytes += Number(lineBytes);
    count += Number(lineCount);
  }
  return [bytes, count];
}

/** Base name → content of what is kept for an undo. */
function keptIn(maildir: string): Map<string, string> {
  const kept = new Map<string, string>();
  for (const folder of ["new", "cur"]) {
    const path = join(maildir, ".dewey-deleted", folder);
    if (!existsSync(path)) continue;
    for (const name of readdirSync(path)) {
      const base = originalName(name).split(":")[0]!;
      expect(kept.has(base)).toBe(false);
      kept.set(base, readFileSync(join(path, name), "utf8"));
    }
  }
  return kept;
}

/** What the session after a killed one finds; it removes all that may go. */
async function nextSession(maildir: string, options: SessionRequest) {
  const events: MaildropEvent[] = [];
  const opened = await Maildrop.open(maildir, { ...options, onEvent: (event) => events.push(event) });
  if (opened.kind !== "open") throw new Error(`the next session: ${JSON.stringify(opened)}`);
  const { maildrop } = opened;
  await maildrop.measure();
  const indexes = Array.from({ length: maildrop.count }, (_, index) => index);
  const messages = indexes.map((index) => ({
    uniqueId: maildrop.uniqueId(index),
    octets: maildrop.octets(index),
  }));
  const marked = indexes.filter((index) => deleted.includes(maildrop.uniqueId(index)));
  const result = await maildrop.update({ deleted: new Set(marked), retrieved: new Set() });
  maildrop.close();
  await maildrop.closed;
  return { messages, result, events };
}

describe.each([
  ["one after the other", { parallel: 1, expireMs: 30 * 86_400_000 }],
  ["several at a time", { parallel: 8 }],
  ["kept for an undo", { parallel: 1, keepDeletedMs: WEEK_MS, expireMs: 30 * 86_400_000 }],
] as const satisfies readonly (readonly [string, SessionRequest])[])(
  "a mailbox process that is killed in UPDATE, messages removed %s",
  (_, options) => {
    const owner = { ...mailOwner(), uid: process.getuid!(), gid: process.getgid!() };
    const given: SessionRequest = options;
    const request: SessionRequest = { ...given, deleted, retrieved };
    const mayGo = new Set(given.expireMs === undefined ? deleted : [...deleted, "1.old.host"]);
    let folder: string;

    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), "dewey-killed-"));
      chmodSync(folder, 0o755);
    });
    afterAll(() => rmSync(folder, { recursive: true }));

    async function killAt(dieAt: number): Promise<void> {
      const maildir = layOut(join(folder, `${dieAt}`), owner);
      expect(await maildirSession(maildir, { ...request, dieAt })).toEqual({ kind: "killed" });
      const left = new Map(readMaildir(maildir).map(({ baseName, bytes }) => [baseName, bytes.toString()]));
      const kept = keptIn(maildir);
      for (const [name, content] of contents) {
        const found = [left.get(name), kept.get(name)].filter((there) => there !== undefined);
        // Wherever it is, it is whole and there once; it may be nowhere only if it was marked and is not kept.
        expect(found, name).toEqual(found.length === 0 ? [] : [content]);
        if (!mayGo.has(name)) expect(left.get(name), name).toBe(content);
        else if (given.keepDeletedMs !== undefined) expect(found, name).toHaveLength(1);
      }
      // Never too little: an account must not get room that it has not got. What is too much, Exim counts anew.
      const [toldBytes, toldCount] = toldQuota(maildir);
      const [bytes, count] = quotaOf(maildir);
      expect(toldBytes).toBeGreaterThanOrEqual(bytes);
      expect(toldCount).toBeGreaterThanOrEqual(count);

      const next = await nextSession(maildir, given);
      expect(next.events.filter(({ kind }) => kind !== "duplicate")).toEqual([]);
      expect(next.messages.map(({ uniqueId }) => uniqueId).sort()).toEqual([...left.keys()].sort());
      for (const { uniqueId, octets } of next.messages)
        expect(octets, uniqueId).toBe(contents.get(uniqueId)!.replaceAll("\n", "\r\n").length);
      expect(next.result.failed).toEqual([]);
      const stays = [...contents.keys()].filter((name) => !mayGo.has(name));
      expect(readMaildir(maildir).map(({ baseName }) => baseName)).toEqual(stays.sort());
      if (given.keepDeletedMs !== undefined) expect(keptIn(maildir)).toEqual(pick(mayGo));
      // What the killed session removed and did not tell is still counted, and nothing else.
      const [bytesNow, countNow] = quotaOf(maildir);
      expect(toldQuota(maildir)).toEqual([bytesNow + toldBytes - bytes, countNow + toldCount - count]);
      rmSync(join(folder, `${dieAt}`), { recursive: true });
    }

    it("leaves everything in order, at each of its calls to the file system", {
      timeout: 300_000,
    }, async () => {
      const whole = await maildirSession(layOut(join(folder, "whole"), owner), request);
      if (whole.kind !== "done") throw new Error(JSON.stringify(whole));
      expect(whole.result).toMatchObject({
        removed: deleted.length,
        failed: [],
        expired: mayGo.size - deleted.length,
      });
      expect(whole.calls).toBeGreaterThan(20);
      const moments = Array.from({ length: whole.calls }, (_, i) => i + 1);
      await forEachParallel(moments, 2, killAt);
    });
  },
);

const pick = (names: ReadonlySet<string>): Map<string, string> =>
  new Map([...contents].filter(([name]) => names.has(name)));

describe.each(["off", "7d"])(
  "a server whose processes are all killed in UPDATE, keep_deleted = %s",
  (keepDeleted) => {
    const count = 600;
    const owner = mailOwner();
    let home: string;
    let server: TestServer | undefined;
    afterAll(async () => {
      await server?.stop();
      rmSync(home, { recursive: true });
    });
    const start = (): Promise<TestServer> =>
      startServer({
        accounts: [{ user: "mrose", password: "secret", uid: owner.uid, gid: owner.gid, home }],
        owner,
        settings: { mail: { keep_deleted: keepDeleted } },
      });

    it("loses no unmarked message, and serves the rest at once when it is started again", {
      timeout: 180_000,
    }, async () => {
      home = mkdtempSync(join(tmpdir(), "dewey-killed-"));
      const names = Array.from({ length: count }, (_, i) => `${i + 1}.m`);
      const files = names.map((name): [string, Buffer] => [`new/${name}`, Buffer.from(`A: ${name}\n\n`)]);
      const maildir = layOutMaildir(home, owner, new Map(files));
      const unmarked = names.filter((_, i) => i % 3 === 0);
      const left = (): string[] => readMaildir(maildir).map(({ baseName }) => baseName);
      const newFolder = join(maildir, "new");

      const killed = await start();
      const session = await Pop3Connection.login(killed.port, "mrose", "secret");
      const marks = names.flatMap((_, i) => (i % 3 === 0 ? [] : [`DELE ${i + 1}`]));
      session.send(marks.map((mark) => `${mark}\r\n`).join(""));
      for (const _ of marks) expect((await session.reply()).status).toBe("+OK");
      const processes = [killed.pid, ...childrenOf(killed.pid).map(({ pid }) => pid)];
      const quit = session.command("QUIT").catch(() => undefined);
      await eventually("the first removal", () => readdirSync(newFolder).length < count);
      for (const pid of processes) process.kill(pid, "SIGKILL");
      await quit;
      await killed.stop().catch(() => {});

      const afterwards = left();
      expect(afterwards).toEqual(expect.arrayContaining(unmarked));
      for (const { baseName, bytes } of readMaildir(maildir))
        expect(bytes.toString()).toBe(`A: ${baseName}\n\n`);
      if (keepDeleted !== "off")
        expect(new Set([...afterwards, ...keptIn(maildir).keys()])).toEqual(new Set(names));

      server = await start();
      const next = await Pop3Connection.login(server.port, "mrose", "secret");
      const uidl = (await next.multiLine("UIDL")).body?.toString().trimEnd().split("\r\n") ?? [];
      expect(uidl.map((line) => line.split(" ")[1]).sort()).toEqual(afterwards);
      expect((await next.command("QUIT")).status).toBe("+OK");
    });
  },
);
