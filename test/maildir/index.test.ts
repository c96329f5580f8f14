import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Files, systemFiles } from "../../src/maildir/files/files.ts";
import { QuickReads } from "../../src/maildir/files/quick-reads.ts";
import { formatIndex, parseIndex } from "../../src/maildir/list/index-format.ts";
import { MessageList } from "../../src/maildir/list/message-list.ts";
import { COUNTED, TOLD } from "../../src/maildir/list/message-sizes.ts";
import { SnapshotCache } from "../../src/maildir/list/snapshot-cache.ts";
import { Maildrop } from "../../src/maildir/maildrop.ts";
import type { MaildropEvent } from "../../src/maildir/maildrop-event.ts";
import { ScratchMaildir } from "./scratch-maildir.ts";
import { session } from "./session.ts";

function filled(): ScratchMaildir {
  const maildir = ScratchMaildir.make();
  maildir.write("new", "1.a.host", "a\n");
  maildir.write("cur", "2.b.host:2,S", "bb\n");
  maildir.write("cur", "3.c.host:2,", "ccc\n");
  return maildir;
}

const indexOf = (maildir: ScratchMaildir): string => join(maildir.path, "dewey-pop3.index");

describe("dewey-pop3.index", () => {
  it("spares the second opening every message, and is written once", async () => {
    const maildir = filled();
    const sizes = { "1.a.host": 3, "2.b.host": 4, "3.c.host": 5 };
    expect(await session(maildir)).toMatchObject({ octets: sizes, opened: 3, events: [] });
    const { mtimeMs, mode } = statSync(indexOf(maildir));
    expect(mode & 0o777).toBe(0o600);
    expect(readdirSync(join(maildir.path, "tmp"))).toEqual([]);
    expect(await session(maildir)).toMatchObject({ octets: sizes, opened: 0, events: [] });
    expect(statSync(indexOf(maildir)).mtimeMs).toBe(mtimeMs);
  });

  it("follows flags, deliveries and removals", async () => {
    const maildir = filled();
    await session(maildir);
    maildir.rename("new", "1.a.host", "cur", "1.a.host:2,RS");
    maildir.write("new", "4.d.host", "dddd\n");
    rmSync(join(maildir.path, "cur/3.c.host:2,"));
    expect(await session(maildir)).toMatchObject({
      octets: { "1.a.host": 3, "2.b.host": 4, "4.d.host": 6 },
      opened: 1,
    });
    expect((await session(maildir)).opened).toBe(0);
    expect(readFileSync(indexOf(maildir), "latin1")).not.toContain("3.c.host");
  });

  it.each([
    ["garbage", () => Buffer.from("\0\xff garbage")],
    ["empty", () => Buffer.alloc(0)],
    ["truncated", (good: Buffer) => good.subarray(0, good.length - 9)],
    ["cut in the middle", (good: Buffer) => good.subarray(0, 40)],
    ["damaged", (good: Buffer) => Buffer.from(good.toString("latin1").replace("3 2 K", "9 2 K"), "latin1")],
    [
      "of a future version",
      (good: Buffer) => Buffer.from(good.toString("latin1").replace("index 1", "index 3"), "latin1"),
    ],
  ])("that is %s is made anew, with one event", async (_what, spoil) => {
    const maildir = filled();
    const { octets } = await session(maildir);
    const good = readFileSync(indexOf(maildir));
    writeFileSync(indexOf(maildir), spoil(good));
    const again = await session(maildir);
    expect(again.octets).toEqual(octets);
    expect(again.opened).toBe(3);
    expect(again.events.map(({ kind }) => kind)).toEqual(["index-unusable"]);
    expect(readFileSync(indexOf(maildir)).equals(good)).toBe(true);
  });

  it("that lies about a size is corrected by what RETR sent", async () => {
    const maildir = filled();
    await session(maildir);
    const list = MessageList.fromListing(["1.a.host", "2.b.host", "3.c.host"], [0, 1, 1]);
    for (const index of [0, 1, 2]) list.sizes.setOctets(index, TOLD, 999);
    writeFileSync(indexOf(maildir), Buffer.concat([...formatIndex(list)]));
    const opened = await Maildrop.open(maildir.path, {});
    if (opened.kind !== "open") throw new Error(opened.kind);
    expect(opened.maildrop.octets(0)).toBe(999);
    const message = await opened.maildrop.openMessage(0);
    if (message.kind !== "message") throw new Error(message.kind);
    // Told, not counted: nobody announces it without counting.
    expect(message.file.counted).toBeUndefined();
    expect(await message.file.count("downgraded")).toMatchObject({ octets: 3 });
    message.file.close();
    opened.maildrop.correctOctets(0, { octets: 3, traits: undefined });
    opened.maildrop.close();
    await opened.maildrop.closed;
    expect((await session(maildir)).octets["1.a.host"]).toBe(3);
  });

  it("is not followed when it is a symbolic link, nor read when it is far too large", async () => {
    const maildir = filled();
    const outside = join(maildir.path, "..", "outside");
    writeFileSync(outside, "outside");
    symlinkSync(outside, indexOf(maildir));
    expect((await session(maildir)).events.map(({ kind }) => kind)).toEqual(["index-unusable"]);
    expect(readFileSync(outside, "utf8")).toBe("outside");
    expect(statSync(indexOf(maildir)).isFile()).toBe(true);
    writeFileSync(indexOf(maildir), Buffer.alloc(10_000_000));
    expect((await session(maildir)).events).toEqual([
      { kind: "index-unusable", path: indexOf(maildir), reason: "too large" },
    ]);
  });

  it.each([
    ["open", "ENOSPC"],
    ["open", "EROFS"],
    ["open", "EACCES"],
    ["write", "ENOSPC"],
    ["write", "EDQUOT"],
    ["fsync", "EIO"],
    ["rename", "EACCES"],
  ] as const)(
    "that cannot be written (%s: %s) leaves the session, the old index and tmp/ as they are",
    async (call, code) => {
      const maildir = filled();
      const fail = (): Promise<never> => Promise.reject(Object.assign(new Error(code), { code }));
      const files: Files = {
        ...systemFiles,
        ...(call === "open"
          ? {
              open: (path, flags, mode) =>
                /\/tmp\/[^/]*\.dewey-pop3\.index$/.test(String(path))
                  ? fail()
                  : systemFiles.open(path, flags, mode),
            }
          : { [call]: fail }),
      };
      const { octets, events } = await session(maildir, { files });
      expect(octets).toEqual({ "1.a.host": 3, "2.b.host": 4, "3.c.host": 5 });
      expect(events).toEqual([{ kind: "index-not-written", path: maildir.path, code }]);
      expect(existsSync(indexOf(maildir))).toBe(false);
      expect(readdirSync(join(maildir.path, "tmp"))).toEqual([]);
    },
  );

  // The folders' times have to be older than the margin that makes them trusted.
  const later = { now: () => Date.now() + 60_000 };

  it("spares another process the listing, too, while the folders have not changed", async () => {
    const maildir = filled();
    const first = await session(maildir, later);
    expect(readFileSync(indexOf(maildir), "latin1")).toMatch(
      /^dewey-pop3\.index 1\nlisting( \d+){10}\n3 2 K n 1\.a\.host\n4 3 K c 2\.b\.host:2,S\n5 4 K c 3\.c\.host:2,\nend 3 /,
    );
    expect(await session(maildir, later)).toEqual({
      octets: first.octets,
      opened: 0,
      listed: 0,
      events: [],
    });
    const opened = await Maildrop.open(maildir.path, later);
    if (opened.kind !== "open") throw new Error(opened.kind);
    for (const index of [0, 1, 2]) {
      const message = await opened.maildrop.openMessage(index);
      if (message.kind !== "message") throw new Error(message.kind);
      expect(message.file.counted?.octets).toBe(index + 3);
      message.file.close();
    }
    await opened.maildrop.update({ deleted: new Set([0, 1]), retrieved: new Set() });
    opened.maildrop.close();
    await opened.maildrop.closed;
    expect(await session(maildir, later)).toMatchObject({ octets: { "3.c.host": 5 }, opened: 0 });
  });

  it.each([
    ["and all are known", 3, 1],
    ["and some are told", 2, 2],
  ])(
    "spares it the listing, too, when the last message counted was one after which the index is written meanwhile, %s",
    async (_what, indexedAfter, writes) => {
      const maildir = filled();
      if (writes === 2) maildir.rename("cur", "3.c.host:2,", "cur", "3.c.host,W=5:2,");
      let synced = 0;
      const files: Files = {
        ...systemFiles,
        fsync: (fd) => {
          synced++;
          return systemFiles.fsync(fd);
        },
      };
      const first = await session(maildir, { ...later, files, indexedAfter });
      expect(synced).toBe(writes);
      expect(await session(maildir, later)).toEqual({
        octets: first.octets,
        opened: 0,
        listed: 0,
        events: [],
      });
    },
  );

  it.each([
    ["a delivery", (maildir: ScratchMaildir) => maildir.write("new", "4.d.host", "dddd\n"), 4],
    ["a removal", (maildir: ScratchMaildir) => maildir.remove("cur", "2.b.host:2,S"), 2],
    ["a flag", (maildir: ScratchMaildir) => maildir.rename("cur", "2.b.host:2,S", "cur", "2.b.host:2,RS"), 3],
    ["a move", (maildir: ScratchMaildir) => maildir.rename("new", "1.a.host", "cur", "1.a.host:2,"), 3],
  ])("is no listing any more after %s", async (_what, change, count) => {
    const maildir = filled();
    await session(maildir, later);
    change(maildir);
    const { octets, listed } = await session(maildir, later);
    expect(listed).toBeGreaterThan(0);
    expect(Object.keys(octets)).toHaveLength(count);
  });

  it("is no listing where the folders' times are too young: a delivery in the same tick would be missed", async () => {
    const maildir = filled();
    await session(maildir);
    expect(readFileSync(indexOf(maildir), "latin1")).toContain("dewey-pop3.index 1\nsizes\n");
    expect((await session(maildir, later)).listed).toBeGreaterThan(0);
  });

  it("that lists a message which is not there serves the others, and is made anew", async () => {
    const maildir = filled();
    await session(maildir, later);
    const lie = (good: Buffer): Buffer => {
      const end = good.lastIndexOf("end ");
      const body = Buffer.from(good.toString("latin1", 0, end).replace("1.a.host", "1.x.host"), "latin1");
      return Buffer.concat([body, Buffer.from(`end 3 ${crc32(body).toString(16).padStart(8, "0")}\n`)]);
    };
    writeFileSync(indexOf(maildir), lie(readFileSync(indexOf(maildir))));
    const opened = await Maildrop.open(maildir.path, later);
    if (opened.kind !== "open") throw new Error(opened.kind);
    expect(opened.maildrop.uniqueId(0)).toBe("1.x.host");
    expect(await opened.maildrop.openMessage(0)).toEqual({ kind: "gone" });
    const other = await opened.maildrop.openMessage(1);
    expect(other.kind).toBe("message");
    if (other.kind === "message") other.file.close();
    opened.maildrop.close();
    await opened.maildrop.closed;
    expect(Object.keys((await session(maildir, later)).octets)).toEqual(["1.a.host", "2.b.host", "3.c.host"]);
  });

  it("names no file outside its folder", () => {
    for (const name of ["../../etc/passwd", "a/b", ".", "..", ".hidden", "a\0b", ""]) {
      const body = Buffer.from(`dewey-pop3.index 1\nsizes\n3 2 c n ${name}\n`, "latin1");
      const octets = Buffer.concat([
        body,
        Buffer.from(`end 1 ${crc32(body).toString(16).padStart(8, "0")}\n`),
      ]);
      expect(parseIndex(octets)).toEqual({ kind: "unusable", reason: "malformed", hadInherited: false });
    }
  });

  it.each([
    ["a unique-id twice", "1 1 c n :a 1.a\n1 1 c n :a 2.b\n"],
    ["a unique-id behind a message without", "1 1 c n : 1.a\n1 1 c n :a 2.b\n"],
    ["a unique-id that is too long", `1 1 c n :${"x".repeat(71)} 1.a\n1 1 c n : 2.b\n`],
    ["a unique-id of other characters", "1 1 c n :\xe9 1.a\n1 1 c n : 2.b\n"],
    ["a name where a unique-id should be", "1 1 c n 1.a\n1 1 c n 2.b\n"],
  ])("tells no inherited unique-ids with %s", (_what, entries) => {
    const body = Buffer.from(`dewey-pop3.index 2\nsizes\ninherited 1 2 d\n${entries}`, "latin1");
    const octets = Buffer.concat([body, Buffer.from(`end 2 ${crc32(body).toString(16).padStart(8, "0")}\n`)]);
    expect(parseIndex(octets)).toEqual({ kind: "unusable", reason: "malformed", hadInherited: true });
  });

  it("that cannot be written is warned of once, however often it is due", async () => {
    const maildir = ScratchMaildir.make();
    for (let i = 0; i < 250; i++) maildir.write("cur", `${1000 + i}.x.host:2,`, "x\n");
    let attempts = 0;
    const files: Files = {
      ...systemFiles,
      fsync: () => {
        attempts++;
        return Promise.reject(Object.assign(new Error("EIO"), { code: "EIO" }));
      },
    };
    const { events } = await session(maildir, { files, indexedAfter: 100 });
    expect(events).toEqual([{ kind: "index-not-written", path: maildir.path, code: "EIO" }]);
    expect(attempts).toBe(1);
    expect(readdirSync(join(maildir.path, "tmp"))).toEqual([]);
  });

  it("keeps what was counted although the client gave up", async () => {
    const maildir = ScratchMaildir.make();
    for (let i = 0; i < 200; i++) maildir.write("cur", `${i}.x.host:2,`, "x\n");
    const opened = await Maildrop.open(maildir.path, {});
    if (opened.kind !== "open") throw new Error(opened.kind);
    const measuring = opened.maildrop.measure();
    await new Promise((resolve) => setImmediate(resolve));
    opened.maildrop.close();
    await measuring;
    await opened.maildrop.closed;
    const again = await session(maildir);
    expect(Object.keys(again.octets)).toHaveLength(200);
    expect(again.opened).toBeLessThanOrEqual(200);
    expect((await session(maildir)).opened).toBe(0);
  });
});

describe("formatIndex and parseIndex", () => {
  it("keep every size and every base name", () => {
    // No dot in front: such a name is no message.
    const name = fc.stringMatching(/^[!-,0-9;-~][!-.0-9;-~]{0,99}$/);
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(name, fc.nat(10_000)), { selector: ([base]) => base, maxLength: 30 }),
        (entries) => {
          const list = MessageList.fromListing(
            entries.map(([base]) => base),
            entries.map(() => 0 as const),
          );
          for (let i = 0; i < list.count; i++) list.sizes.setOctets(i, COUNTED, i + 10, i + 9);
          const parsed = parseIndex(Buffer.concat([...formatIndex(list)]));
          if (parsed.kind !== "index") throw new Error(parsed.reason);
          expect(parsed.list.count).toBe(list.count);
          for (let i = 0; i < list.count; i++) {
            expect(parsed.list.baseName(i)).toBe(list.baseName(i));
            expect(parsed.list.sizes.counted(i)).toEqual(list.sizes.counted(i));
          }
        },
      ),
    );
  });

  it("take nothing else for an index, and never throw", () => {
    const list = MessageList.fromListing(["1.a", "2.b"], [0, 0]);
    list.sizes.setOctets(0, COUNTED, 3, 2);
    list.sizes.setOctets(1, TOLD, 7);
    const good = Buffer.concat([...formatIndex(list)]);
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        (octets) => parseIndex(Buffer.from(octets)).kind === "unusable",
      ),
    );
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), (place, change) => {
        const spoilt = Buffer.from(good);
        spoilt[place] = spoilt[place]! ^ change;
        return parseIndex(spoilt).kind === "unusable";
      }),
    );
    for (let length = 0; length < good.length; length++)
      expect(parseIndex(good.subarray(0, length)).kind).toBe("unusable");
  });
});

describe("snapshots", () => {
  // The folders' times have to be older than the margin that makes them trusted.
  const later = { now: () => Date.now() + 60_000 };

  it("an unchanged maildrop is opened without listing it and without reading its index", async () => {
    const maildir = filled();
    const snapshots = new SnapshotCache();
    const first = await session(maildir, { snapshots, ...later });
    expect(first.listed).toBeGreaterThan(0);
    rmSync(indexOf(maildir));
    expect(await session(maildir, { snapshots, ...later })).toMatchObject({
      octets: first.octets,
      listed: 0,
      opened: 0,
    });
  });

  it("an unchanged maildrop costs two stat calls, and the lock", async () => {
    const maildir = filled();
    const snapshots = new SnapshotCache();
    await session(maildir, { snapshots, ...later });
    const calls: string[] = [];
    const files = Object.fromEntries(
      Object.entries(systemFiles).map(([name, call]: [string, (...args: unknown[]) => unknown]) => [
        name,
        (...args: unknown[]) => {
          calls.push(name === "open" || name === "stat" ? `${name} ${String(args[0])}` : name);
          return call(...args);
        },
      ]),
    ) as unknown as Files;
    const opened = await Maildrop.open(maildir.path, { snapshots, files, ...later });
    if (opened.kind !== "open") throw new Error(opened.kind);
    expect(calls).toEqual([
      `open ${maildir.file("dewey-pop3.lock")}`,
      ...["fstat", "fstat"],
      `stat ${maildir.file("new")}`,
      `stat ${maildir.file("cur")}`,
    ]);
    expect(opened.maildrop.count).toBe(3);
    opened.maildrop.close();
    expect(calls.slice(5)).toEqual(["close"]);
  });

  it("a delivery within one tick of a clock of two seconds is never missed", async () => {
    const maildir = filled();
    const snapshots = new SnapshotCache();
    const tick = 2_000_000_000n;
    const files: Files = {
      ...systemFiles,
      stat: async (path) => {
        const stats = await systemFiles.stat(path);
        // The coarsest clock there is; both times fall into the tick that contains them.
        stats.mtimeNs -= stats.mtimeNs % tick;
        stats.ctimeNs -= stats.ctimeNs % tick;
        return stats;
      },
    };
    // Fast enough for several of these to fall into one tick, slow enough for some ticks to pass.
    for (let i = 0; i < 60; i++) {
      maildir.write("new", `${10 + i}.t.host`, "t\n");
      expect(Object.keys((await session(maildir, { snapshots, files })).octets)).toHaveLength(4 + i);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  });

  it("a change is seen at once, and only what is new is counted", async () => {
    const maildir = filled();
    const snapshots = new SnapshotCache();
    await session(maildir, { snapshots, ...later });
    maildir.write("new", "4.d.host", "dddd\n");
    const second = await session(maildir, { snapshots, ...later });
    expect(second.octets).toMatchObject({ "4.d.host": 6 });
    expect(second.opened).toBe(1);
  });

  it("a delivery within the tick of the one before is never missed", async () => {
    const maildir = filled();
    const snapshots = new SnapshotCache();
    for (let i = 0; i < 200; i++) {
      maildir.write("new", `${10 + i}.t.host`, "t\n");
      expect(Object.keys((await session(maildir, { snapshots })).octets)).toHaveLength(4 + i);
    }
  });

  it("a folder whose times are younger than the margin is listed again", async () => {
    const maildir = filled();
    const snapshots = new SnapshotCache();
    await session(maildir, { snapshots });
    expect((await session(maildir, { snapshots })).listed).toBeGreaterThan(0);
  });

  it("our own UPDATE is seen by the next session", async () => {
    const maildir = filled();
    const snapshots = new SnapshotCache();
    const opened = await Maildrop.open(maildir.path, { snapshots, ...later });
    if (opened.kind !== "open") throw new Error(opened.kind);
    await opened.maildrop.update({ deleted: new Set([1]), retrieved: new Set([0]) });
    opened.maildrop.close();
    await opened.maildrop.closed;
    expect(Object.keys((await session(maildir, { snapshots, ...later })).octets)).toEqual([
      "1.a.host",
      "3.c.host",
    ]);
  });

  it("a Maildir that was made anew at the same place has nothing of the old one", async () => {
    const maildir = filled();
    const snapshots = new SnapshotCache();
    await session(maildir, { snapshots, ...later });
    rmSync(maildir.path, { recursive: true });
    expect((await session(maildir, { snapshots, ...later })).octets).toEqual({});
  });

  it("are bounded by their messages in all, the least recently used goes first", () => {
    const cache = new SnapshotCache(5);
    const of = (count: number) => ({
      list: MessageList.fromListing(
        Array.from({ length: count }, (_, i) => `${i}.x`),
        new Array(count).fill(0),
      ),
      stamps: [undefined, undefined] as const,
      isExact: true,
      quickReads: new QuickReads(true),
      oldestKeptMs: undefined,
      tmpCleanedAtMs: undefined,
    });
    cache.put("a", of(2));
    cache.put("b", of(2));
    const a = cache.take("a");
    cache.put("a", a!);
    cache.put("c", of(2));
    expect(["a", "b", "c"].map((path) => cache.take(path) !== undefined)).toEqual([true, false, true]);
    cache.put("large", of(6));
    expect(cache.take("large")).toBeUndefined();
  });
});

describe("maildirsize", () => {
  async function remove(maildir: ScratchMaildir, ...indexes: number[]): Promise<MaildropEvent[]> {
    const events: MaildropEvent[] = [];
    const opened = await Maildrop.open(maildir.path, { onEvent: (event) => events.push(event) });
    if (opened.kind !== "open") throw new Error(opened.kind);
    await opened.maildrop.update({ deleted: new Set(indexes), retrieved: new Set() });
    opened.maildrop.close();
    await opened.maildrop.closed;
    return events;
  }

  it("gets one line with what was removed: sizes of the names, else of the files; nothing for trashed ones", async () => {
    const maildir = ScratchMaildir.make();
    maildir.write("new", "1.a.host,S=1000", "as its name says\n");
    maildir.write("cur", "2.b.host:2,S", "four");
    maildir.write("cur", "3.c.host,S=50:2,ST", "trashed\n");
    maildir.write("cur", "4.d.host:2,", "stays\n");
    const size = join(maildir.path, "maildirsize");
    writeFileSync(size, "10000S,0C\n1064 4\n");
    expect(await remove(maildir, 0, 1, 2)).toEqual([]);
    expect(readFileSync(size, "utf8")).toBe("10000S,0C\n1064 4\n-1004 -2\n");
    expect(await remove(maildir)).toEqual([]);
    expect(readFileSync(size, "utf8")).toBe("10000S,0C\n1064 4\n-1004 -2\n");
  });

  it("is not made, and not followed when it is a symbolic link", async () => {
    const maildir = filled();
    await remove(maildir, 0);
    expect(existsSync(join(maildir.path, "maildirsize"))).toBe(false);
    const outside = join(maildir.path, "..", "outside");
    writeFileSync(outside, "outside");
    symlinkSync(outside, join(maildir.path, "maildirsize"));
    expect(await remove(maildir, 0)).toEqual([]);
    expect(readFileSync(outside, "utf8")).toBe("outside");
  });

  it("of a subfolder is that of the Maildir it belongs to", async () => {
    const maildir = filled();
    writeFileSync(join(maildir.path, "maildirfolder"), "");
    writeFileSync(join(maildir.path, "..", "maildirsize"), "0S,0C\n");
    await remove(maildir, 0);
    expect(readFileSync(join(maildir.path, "..", "maildirsize"), "utf8")).toBe("0S,0C\n-2 -1\n");
  });

  it("is not told of what is removed from .Trash: Courier has taken that off already", async () => {
    const maildir = filled();
    const trash = maildir.file(".Trash");
    for (const folder of ["new", "cur", "tmp"]) mkdirSync(join(trash, folder), { recursive: true });
    writeFileSync(join(trash, "maildirfolder"), "");
    writeFileSync(join(trash, "cur/1.a.host:2,S"), "a\n");
    writeFileSync(maildir.file("maildirsize"), "0S,0C\n");
    const opened = await Maildrop.open(trash);
    if (opened.kind !== "open") throw new Error(opened.kind);
    expect(await opened.maildrop.update({ deleted: new Set([0]), retrieved: new Set() })).toMatchObject({
      removed: 1,
    });
    opened.maildrop.close();
    expect(readFileSync(maildir.file("maildirsize"), "utf8")).toBe("0S,0C\n");
  });

  it("gets a line however long it is: its readers count anew from 5120 bytes on", async () => {
    const maildir = filled();
    const before = `0S,0C\n${"1 1\n".repeat(1300)}`;
    writeFileSync(maildir.file("maildirsize"), before);
    await remove(maildir, 0);
    expect(readFileSync(maildir.file("maildirsize"), "utf8")).toBe(`${before}-2 -1\n`);
  });

  it("that cannot be written fails nothing", async () => {
    const maildir = filled();
    writeFileSync(join(maildir.path, "maildirsize"), "0S,0C\n");
    chmodSync(join(maildir.path, "maildirsize"), 0o400);
    await remove(maildir, 0);
    expect(existsSync(join(maildir.path, "new/1.a.host"))).toBe(false);
  });
});
