import { execFileSync } from "node:child_process";
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { systemFiles } from "../../src/maildir/files/files.ts";
import { MAX_QUICK_BYTES, QuickReads } from "../../src/maildir/files/quick-reads.ts";
import { Maildrop } from "../../src/maildir/maildrop.ts";
import type { MessageFile } from "../../src/maildir/message.ts";
import { fault, filesWith } from "./failing-files.ts";
import { openMaildrop } from "./open-maildrop.ts";
import { ScratchMaildir } from "./scratch-maildir.ts";

const uniqueIds = (maildrop: Maildrop) =>
  Array.from({ length: maildrop.count }, (_, index) => maildrop.uniqueId(index));

async function content(file: MessageFile): Promise<string> {
  const chunks: Buffer[] = [];
  for (;;) {
    const buffer = Buffer.alloc(7);
    const bytes = await file.read(buffer, 0, 7);
    if (bytes === 0) break;
    chunks.push(buffer.subarray(0, bytes));
  }
  file.close();
  return Buffer.concat(chunks).toString("latin1");
}

async function read(maildrop: Maildrop, index: number): Promise<string> {
  const opened = await maildrop.openMessage(index);
  return opened.kind === "message" ? content(opened.file) : opened.kind;
}

describe("Maildrop.open", () => {
  it("orders messages of new and cur by delivery", async () => {
    const maildir = ScratchMaildir.make();
    maildir.write("new", "1000000002.M5P1.host");
    maildir.write("cur", "1000000002.M1P1.host:2,S");
    maildir.write("cur", "999999999.M9P1.host:2,");
    maildir.write("new", "1000000001.V1I2M3.host");
    const { maildrop } = await openMaildrop(maildir);
    expect(uniqueIds(maildrop)).toEqual([
      "999999999.M9P1.host",
      "1000000001.V1I2M3.host",
      "1000000002.M1P1.host",
      "1000000002.M5P1.host",
    ]);
  });

  it("makes a missing Maildir, with whatever is missing above it, for its owner alone", async () => {
    const maildir = ScratchMaildir.missing();
    const { maildrop, events } = await openMaildrop(maildir);
    expect(maildrop.count).toBe(0);
    for (const folder of ["", "new", "cur", "tmp"]) {
      expect(statSync(maildir.file(folder)).mode & 0o7777).toBe(0o700);
    }
    expect(events.map((event) => event.kind)).toEqual(Array(4).fill("made-folder"));
    expect(statSync(maildir.file("dewey-pop3.lock")).mode & 0o7777).toBe(0o600);
  });

  it("makes a missing cur and tmp: Postfix delivers to new first", async () => {
    const maildir = ScratchMaildir.make();
    rmSync(maildir.file("cur"), { recursive: true });
    rmSync(maildir.file("tmp"), { recursive: true });
    maildir.write("new", "1.1.host");
    const { maildrop } = await openMaildrop(maildir);
    expect(maildrop.count).toBe(1);
    expect(existsSync(maildir.file("cur"))).toBe(true);
    expect(existsSync(maildir.file("tmp"))).toBe(true);
  });

  it("goes on without a cur that is missing and cannot be made", async () => {
    const maildir = ScratchMaildir.make();
    rmSync(maildir.file("cur"), { recursive: true });
    maildir.write("new", "1.1.host", "a\n");
    const files = filesWith({ mkdir: () => Promise.reject(fault("EROFS")) });
    const { maildrop, events } = await openMaildrop(maildir, { files });
    expect(events).toContainEqual({ kind: "folder-not-made", path: maildir.file("cur"), code: "EROFS" });
    expect(await read(maildrop, 0)).toBe("a\n");
  });

  it("fails when there is neither new nor cur and neither can be made", async () => {
    const maildir = ScratchMaildir.make();
    rmSync(maildir.file("new"), { recursive: true });
    rmSync(maildir.file("cur"), { recursive: true });
    const files = filesWith({ mkdir: () => Promise.reject(fault("EACCES")) });
    expect(await Maildrop.open(maildir.path, { files })).toMatchObject({
      kind: "failed",
      code: "EACCES",
      permanent: true,
    });
  });

  it.each([
    ["EACCES", true],
    ["EPERM", true],
    ["ENOTDIR", true],
    ["EIO", false],
    ["ESTALE", false],
    ["EMFILE", false],
    ["ENOMEM", false],
  ])("tells what a listing that fails with %s means", async (code, permanent) => {
    const maildir = ScratchMaildir.make();
    const path = maildir.file("cur");
    const files = filesWith({
      list: async (folder) => {
        if (folder === path) throw Object.assign(fault(code), { path });
        return systemFiles.list(folder);
      },
    });
    const result = await Maildrop.open(maildir.path, { files });
    expect(result).toMatchObject({ kind: "failed", code, permanent });
    const { reason } = result as { reason: string };
    expect(reason).toContain(
      `cannot open maildrop ${path}: ${code} (uid ${process.geteuid?.()}; it belongs to`,
    );
    expect(reason).toMatch(/mode 0[0-7]{3}\)$/);
    const { maildrop } = await openMaildrop(maildir);
    expect(maildrop.count).toBe(0);
  });

  it("ignores folders, links, FIFOs and sockets, and says so", async () => {
    const maildir = ScratchMaildir.make();
    maildir.write("cur", "1.1.host:2,", "a\n");
    mkdirSync(maildir.file("cur/2.2.folder"));
    symlinkSync("/etc/passwd", maildir.file("cur/3.3.link"));
    execFileSync("mkfifo", [maildir.file("new/4.4.fifo")]);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(maildir.file("new/5.5.socket"), resolve));
    onTestFinished(() => void server.close());
    const { maildrop, events } = await openMaildrop(maildir);
    expect(uniqueIds(maildrop)).toEqual(["1.1.host"]);
    const [ignored] = events.filter((event) => event.kind === "ignored-entries");
    expect(ignored?.count).toBe(4);
    expect(new Map(ignored?.examples.map(({ path, type }) => [path, type]))).toEqual(
      new Map([
        [maildir.file("cur/2.2.folder"), "folder"],
        [maildir.file("cur/3.3.link"), "symlink"],
        [maildir.file("new/4.4.fifo"), "fifo"],
        [maildir.file("new/5.5.socket"), "socket"],
      ]),
    );
  });

  it("skips names that begin with a dot without a word", async () => {
    const maildir = ScratchMaildir.make();
    maildir.write("cur", ".nfs0001");
    mkdirSync(maildir.file("cur/.folder"));
    const { maildrop, events } = await openMaildrop(maildir);
    expect(maildrop.count).toBe(0);
    expect(events).toEqual([]);
  });

  it("serves names that are not UTF-8 under a digest, and removes them", async () => {
    const maildir = ScratchMaildir.make();
    maildir.write("new", "1.1.caf\xe9 \xff", "latin1\n");
    const { maildrop } = await openMaildrop(maildir);
    expect(maildrop.uniqueId(0)).toMatch(/^sha256-/);
    expect(await read(maildrop, 0)).toBe("latin1\n");
    await maildrop.measure();
    expect(maildrop.octets(0)).toBe(8);
    const result = await maildrop.update({ deleted: new Set([0]), retrieved: new Set() });
    expect(result.removed).toBe(1);
    expect(maildir.names("new")).toEqual([]);
  });

  it("serves one of two files with one base name, the one in cur", async () => {
    const maildir = ScratchMaildir.make();
    maildir.write("new", "1.1.host", "new\n");
    maildir.write("cur", "1.1.host:2,S", "cur\n");
    const { maildrop, events } = await openMaildrop(maildir);
    expect(maildrop.count).toBe(1);
    expect(await read(maildrop, 0)).toBe("cur\n");
    expect(events).toEqual([{ kind: "duplicate", path: maildir.file("new/1.1.host"), uniqueId: "1.1.host" }]);
  });

  it("lists again what another program renamed while it was listed", async () => {
    const maildir = ScratchMaildir.make();
    maildir.write("cur", "1.1.host:2,");
    maildir.write("cur", "2.2.host:2,");
    let hidden = 2;
    const files = filesWith({
      // As readdir does when a rename overtakes it: the entry is neither under its old nor under its new name.
      list: async (folder) => {
        const entries = await systemFiles.list(folder);
        if (folder !== maildir.file("cur") || hidden-- <= 0) return entries;
        const flagged = hidden % 2 === 0 ? ["S", ""] : ["", "S"];
        maildir.rename("cur", `1.1.host:2,${flagged[0]}`, "cur", `1.1.host:2,${flagged[1]}`);
        return entries.filter(({ name }) => !name.startsWith("1.1."));
      },
    });
    const { maildrop } = await openMaildrop(maildir, { files });
    expect(uniqueIds(maildrop)).toEqual(["1.1.host", "2.2.host"]);
  });

  it("opens a folder that never comes to rest", async () => {
    const maildir = ScratchMaildir.make();
    maildir.write("cur", "1.1.host:2,");
    let delivered = 0;
    const files = filesWith({
      list: async (folder) => {
        const entries = await systemFiles.list(folder);
        if (folder === maildir.file("cur")) maildir.write("new", `2.${++delivered}.host`);
        return entries;
      },
    });
    const { maildrop } = await openMaildrop(maildir, { files });
    expect(maildrop.count).toBe(delivered);
    expect(delivered).toBeLessThan(10);
  });

  it("opens 10,000 messages", async () => {
    const maildir = ScratchMaildir.make();
    for (let i = 0; i < 10_000; i++)
      maildir.write("cur", `${1_000_000_000 + ((i * 7919) % 10_000)}.1.host:2,`, "a\n");
    const { maildrop } = await openMaildrop(maildir);
    expect(maildrop.count).toBe(10_000);
    expect(uniqueIds(maildrop)).toEqual(
      Array.from({ length: 10_000 }, (_, index) => `${1_000_000_000 + index}.1.host`),
    );
    await maildrop.measure();
    expect(maildrop.octets(9_999)).toBe(3);
    // Writing so many files may take a busy disk its time.
  }, 180_000);
});

describe("Maildrop.measure", () => {
  it("counts the octets of odd files as they will be sent", async () => {
    const maildir = ScratchMaildir.make();
    const odd: [string, number][] = [
      ["", 0],
      ["a\nb\n", 6],
      ["a\r\nb\r\n", 6],
      ["a\nb\r\n", 6],
      ["a", 3],
      ["a\rb\0\xff\n", 7],
      [`${"x".repeat(10_000_000)}\n`, 10_000_002],
    ];
    for (const [index, [stored]] of odd.entries()) maildir.write("cur", `${index}.1.host:2,`, stored);
    const { maildrop } = await openMaildrop(maildir);
    expect(maildrop.measured).toBe(false);
    await Promise.all([maildrop.measure(), maildrop.measure()]);
    expect(maildrop.measured).toBe(true);
    expect(odd.map((_, index) => maildrop.octets(index))).toEqual(odd.map(([, octets]) => octets));
  });

  it("counts short messages at once where that keeps nobody waiting, and gives others their turn", async () => {
    const maildir = ScratchMaildir.make();
    const stored = ["", "a\nb\n", "a\r\nb", "x".repeat(MAX_QUICK_BYTES), `${"y".repeat(MAX_QUICK_BYTES)}\n`];
    for (let i = 0; i < 1000; i++) maildir.write("cur", `${1000 + i}.1.host:2,`, stored[i % stored.length]!);
    const slow = new QuickReads(true);
    // Each read takes up a whole turn, as far as the clock tells.
    let clock = 0;
    vi.spyOn(performance, "now").mockImplementation(() => (clock += 11));
    onTestFinished(() => void vi.restoreAllMocks());
    vi.spyOn(slow, "took").mockImplementation(() => {});
    const { maildrop } = await openMaildrop(maildir, { quickReads: () => slow });
    let turns = 0;
    const turn = (): void => {
      turns++;
      if (!maildrop.measured) setImmediate(turn);
    };
    setImmediate(turn);
    await maildrop.measure();
    expect(turns).toBeGreaterThan(50);
    expect([0, 1, 2, 3, 4].map((index) => maildrop.octets(index))).toEqual([
      0,
      6,
      6,
      MAX_QUICK_BYTES + 2,
      MAX_QUICK_BYTES + 2,
    ]);
  });

  it("takes what ,W= in the name says", async () => {
    const maildir = ScratchMaildir.make();
    maildir.write("cur", "1.1.host,S=4,W=6:2,S", "a\nb\n");
    const { maildrop } = await openMaildrop(maildir);
    expect(maildrop.measured).toBe(true);
    expect(maildrop.octets(0)).toBe(6);
  });

  it("guesses the size of a message that cannot be read, and says so once", async () => {
    const maildir = ScratchMaildir.make();
    maildir.write("cur", "1.1.host,S=100:2,");
    maildir.write("cur", "2.2.host:2,");
    maildir.write("cur", "3.3.host:2,", "a\n");
    const files = filesWith({
      open: async (path, flags, mode) => {
        if (/[12]\.host/.test(String(path))) throw fault("EACCES");
        return systemFiles.open(path, flags, mode);
      },
    });
    const { maildrop, events } = await openMaildrop(maildir, { files });
    await maildrop.measure();
    expect([0, 1, 2].map((index) => maildrop.octets(index))).toEqual([100, 0, 3]);
    expect(events).toMatchObject([
      { kind: "not-measured", count: 2, uniqueId: "1.1.host,S=100", code: "EACCES" },
    ]);
    expect((events[0] as { cause: string }).cause).toMatch(
      /^cannot read message .*\/cur\/1\.1\.host,S=100:2,: EACCES \(uid \d+; it belongs to \d+:\d+, mode 0[0-7]{3}\)$/,
    );
  });

  it("ends early when the maildrop is closed, and frees the lock", async () => {
    const maildir = ScratchMaildir.make();
    for (let i = 0; i < 500; i++) maildir.write("cur", `${i}.1.host:2,`, "a\n");
    const { maildrop } = await openMaildrop(maildir);
    const measuring = maildrop.measure();
    maildrop.close();
    await measuring;
    expect(maildrop.measured).toBe(false);
    await maildrop.closed;
    await openMaildrop(maildir);
  });

  it("lets the next session of this process wait for what the closed one still does", async () => {
    const maildir = ScratchMaildir.make();
    for (let i = 0; i < 100; i++) maildir.write("cur", `${i}.1.host:2,`, "a\n");
    const { maildrop } = await openMaildrop(maildir);
    void maildrop.measure();
    maildrop.close();
    await openMaildrop(maildir);
  });
});

describe("Maildrop.openMessage", () => {
  it("finds a message again that another program flagged or moved", async () => {
    const maildir = ScratchMaildir.make();
    maildir.write("new", "1.1.host", "first\n");
    maildir.write("cur", "2.2.host:2,", "second\n");
    const { maildrop } = await openMaildrop(maildir);
    maildir.rename("new", "1.1.host", "cur", "1.1.host:2,");
    maildir.rename("cur", "2.2.host:2,", "cur", "2.2.host:2,FS");
    expect(await read(maildrop, 0)).toBe("first\n");
    expect(await read(maildrop, 1)).toBe("second\n");
    await maildrop.measure();
    expect([maildrop.octets(0), maildrop.octets(1)]).toEqual([7, 8]);
  });

  it("says gone when another program removed the message", async () => {
    const maildir = ScratchMaildir.make();
    maildir.write("new", "1.1.host");
    const { maildrop } = await openMaildrop(maildir);
    maildir.remove("new", "1.1.host");
    expect(await maildrop.openMessage(0)).toEqual({ kind: "gone" });
    await maildrop.measure();
    expect(maildrop.octets(0)).toBe(0);
  });

  it.each([
    ["a link", (path: string) => symlinkSync("/etc/passwd", path)],
    ["a folder", (path: string) => mkdirSync(path)],
    ["a FIFO", (path: string) => void execFileSync("mkfifo", [path])],
  ])("refuses %s that took a message's place", async (_what, make) => {
    const maildir = ScratchMaildir.make();
    maildir.write("cur", "1.1.host:2,");
    const { maildrop } = await openMaildrop(maildir);
    maildir.remove("cur", "1.1.host:2,");
    make(maildir.file("cur/1.1.host:2,"));
    expect(await maildrop.openMessage(0)).toMatchObject({ kind: "failed", code: "EFTYPE" });
  });

  it("tells the code of a message that cannot be opened", async () => {
    const maildir = ScratchMaildir.make();
    maildir.write("cur", "1.1.host:2,");
    const files = filesWith({
      open: async (path, flags, mode) => {
        if (String(path).includes("/cur/")) throw fault("EIO");
        return systemFiles.open(path, flags, mode);
      },
    });
    const { maildrop } = await openMaildrop(maildir, { files });
    const result = await maildrop.openMessage(0);
    expect(result).toMatchObject({ kind: "failed", code: "EIO" });
    expect((result as { reason: string }).reason).toContain("/cur/1.1.host:2,");
  });

  it("knows a message's octets in advance only when it counted them", async () => {
    const maildir = ScratchMaildir.make();
    maildir.write("cur", "1.1.host,W=6:2,", "a\nb\n");
    maildir.write("cur", "2.2.host:2,", "a\nb\n");
    const { maildrop, events } = await openMaildrop(maildir);
    await maildrop.measure();
    const told = await maildrop.openMessage(0);
    const counted = await maildrop.openMessage(1);
    if (told.kind !== "message" || counted.kind !== "message") throw new Error("not opened");
    expect(told.file.counted).toBeUndefined();
    expect(await told.file.count("downgraded")).toMatchObject({ octets: 6 });
    expect(told.file.position).toBe(0);
    maildrop.correctOctets(0, { octets: 6, traits: undefined });
    told.file.close();
    expect(counted.file.counted?.octets).toBe(6);
    expect(counted.file.bytes).toBe(4);
    counted.file.close();
    const again = await maildrop.openMessage(0);
    if (again.kind !== "message") throw new Error("not opened");
    expect(again.file.counted?.octets).toBe(6);
    again.file.close();
    expect(events).toEqual([]);
  });

  it("corrects a size that was told wrong, and says so once", async () => {
    const maildir = ScratchMaildir.make();
    maildir.write("cur", "1.1.host,W=7:2,", "a\nb\n");
    const { maildrop, events } = await openMaildrop(maildir);
    expect(maildrop.octets(0)).toBe(7);
    expect(await read(maildrop, 0)).toBe("a\nb\n");
    maildrop.correctOctets(0, { octets: 6, traits: undefined });
    maildrop.correctOctets(0, { octets: 6, traits: undefined });
    expect(maildrop.octets(0)).toBe(6);
    expect(events).toEqual([{ kind: "size-corrected", uniqueId: "1.1.host,W=7", toldOctets: 7, octets: 6 }]);
  });

  it("reads short messages at once, and leaves whatever is unusual to openMessage", async () => {
    const maildir = ScratchMaildir.make();
    maildir.write("cur", "1.1.host:2,", "a\nb\n");
    maildir.write("cur", "2.2.host:2,", Buffer.alloc(MAX_QUICK_BYTES - 1));
    maildir.write("cur", "3.3.host:2,", Buffer.alloc(MAX_QUICK_BYTES));
    for (const name of ["4.4.host", "5.5.host", "6.6.host"]) maildir.write("cur", `${name}:2,`, "x");
    const quickReads = new QuickReads(true);
    // A busy host takes its time over a read, which would count as a slow disk.
    quickReads.took = () => {};
    const { maildrop } = await openMaildrop(maildir, { quickReads: () => quickReads });
    const buffer = Buffer.alloc(MAX_QUICK_BYTES);
    const bytes = maildrop.readMessageNow(0, buffer) ?? [];
    expect(Buffer.from(bytes).toString("latin1")).toBe("a\nb\n");
    expect(maildrop.readMessageNow(1, buffer)?.length).toBe(MAX_QUICK_BYTES - 1);
    expect(maildrop.readMessageNow(2, buffer)).toBeUndefined();
    maildir.rename("cur", "4.4.host:2,", "cur", "4.4.host:2,S");
    rmSync(join(maildir.path, "cur/5.5.host:2,"));
    symlinkSync("/etc/hostname", join(maildir.path, "cur/5.5.host:2,"));
    rmSync(join(maildir.path, "cur/6.6.host:2,"));
    execFileSync("mkfifo", [join(maildir.path, "cur/6.6.host:2,")]);
    for (const index of [3, 4, 5]) expect(maildrop.readMessageNow(index, buffer)).toBeUndefined();
    expect(await read(maildrop, 3)).toBe("x");
  });

  it("reads nothing at once for a while after two reads that took long, one soon after the other", () => {
    expect(new QuickReads(false).allows()).toBe(false);
    const local = new QuickReads(true);
    expect(local.allows()).toBe(true);
    local.took(1);
    expect(local.allows()).toBe(true);
    local.took(50);
    expect(local.allows()).toBe(true);
    for (let i = 0; i < 16; i++) local.took(1);
    local.took(50);
    expect(local.allows()).toBe(true);
    local.took(50);
    for (let i = 0; i < 64; i++) expect(local.allows()).toBe(false);
    expect(local.allows()).toBe(true);
  });
});

describe("Maildrop.update", () => {
  it("changes nothing when nothing was marked or retrieved, and nothing before", async () => {
    const maildir = ScratchMaildir.make();
    maildir.write("new", "1.1.host");
    maildir.write("cur", "2.2.host:2,F");
    const { maildrop } = await openMaildrop(maildir);
    await maildrop.measure();
    await read(maildrop, 0);
    expect(maildir.names("new")).toEqual(["1.1.host"]);
    const result = await maildrop.update({ deleted: new Set(), retrieved: new Set() });
    expect(result).toMatchObject({ removed: 0, alreadyGone: 0, failed: [] });
    expect(maildir.names("new")).toEqual(["1.1.host"]);
    expect(maildir.names("cur")).toEqual(["2.2.host:2,F"]);
  });

  it("writes no index of an emptied maildrop, whose sizes nobody asks for again", async () => {
    const maildir = ScratchMaildir.make();
    for (const name of ["1.1.host", "2.2.host"]) maildir.write("new", name);
    const emptied = await openMaildrop(maildir);
    await emptied.maildrop.measure();
    await emptied.maildrop.update({ deleted: new Set([0, 1]), retrieved: new Set() });
    emptied.maildrop.close();
    await emptied.maildrop.closed;
    expect(existsSync(maildir.file("dewey-pop3.index"))).toBe(false);
    for (const name of ["3.3.host", "4.4.host"]) maildir.write("new", name);
    const halved = await openMaildrop(maildir);
    await halved.maildrop.measure();
    await halved.maildrop.update({ deleted: new Set([0]), retrieved: new Set() });
    halved.maildrop.close();
    await halved.maildrop.closed;
    expect(existsSync(maildir.file("dewey-pop3.index"))).toBe(true);
  });

  it("removes marked messages and moves retrieved ones to cur as seen", async () => {
    const maildir = ScratchMaildir.make();
    maildir.write("new", "1.1.host");
    maildir.write("new", "2.2.host");
    maildir.write("new", "3.3.host");
    maildir.write("cur", "4.4.host:2,FT");
    maildir.write("cur", "5.5.host:2,S");
    const { maildrop } = await openMaildrop(maildir);
    const result = await maildrop.update({ deleted: new Set([0]), retrieved: new Set([0, 1, 3, 4]) });
    expect(result).toMatchObject({ removed: 1, alreadyGone: 0, failed: [] });
    expect(maildir.names("new")).toEqual(["3.3.host"]);
    expect(maildir.names("cur")).toEqual(["2.2.host:2,S", "4.4.host:2,FST", "5.5.host:2,S"]);
  });

  it("leaves retrieved messages where they are when it is told not to mark them", async () => {
    const maildir = ScratchMaildir.make();
    maildir.write("new", "1.1.host");
    const { maildrop } = await openMaildrop(maildir, { markSeen: false });
    await maildrop.update({ deleted: new Set(), retrieved: new Set([0]) });
    expect(maildir.names("new")).toEqual(["1.1.host"]);
  });

  it("finds marked and retrieved messages wherever another program put them", async () => {
    const maildir = ScratchMaildir.make();
    for (const index of [1, 2, 3, 4]) maildir.write("new", `${index}.1.host`);
    const { maildrop } = await openMaildrop(maildir);
    for (const index of [1, 3]) maildir.rename("new", `${index}.1.host`, "cur", `${index}.1.host:2,F`);
    maildir.remove("new", "2.1.host");
    const result = await maildrop.update({ deleted: new Set([0, 1]), retrieved: new Set([2]) });
    expect(result).toMatchObject({ removed: 1, alreadyGone: 1, failed: [] });
    expect(maildir.names("new")).toEqual(["4.1.host"]);
    expect(maildir.names("cur")).toEqual(["3.1.host:2,FS"]);
  });

  it("finds a message that is renamed again under its hands", async () => {
    const maildir = ScratchMaildir.make();
    maildir.write("cur", "1.1.host:2,");
    const flags = ["F", "FR"];
    let name = "1.1.host:2,";
    const files = filesWith({
      unlink: async (path) => {
        const next = flags.shift();
        if (next !== undefined) {
          maildir.rename("cur", name, "cur", `1.1.host:2,${next}`);
          name = `1.1.host:2,${next}`;
        }
        return systemFiles.unlink(path);
      },
    });
    const { maildrop } = await openMaildrop(maildir, { files });
    const result = await maildrop.update({ deleted: new Set([0]), retrieved: new Set() });
    expect(result).toMatchObject({ removed: 1, failed: [] });
    expect(maildir.names("cur")).toEqual([]);
  });

  it("removes the others when some cannot be removed, and tells each one's code", async () => {
    const maildir = ScratchMaildir.make();
    for (const index of [1, 2, 3, 4, 5, 6]) maildir.write("cur", `${index}.1.host:2,`);
    const codes = new Map([
      ["2.1.host:2,", "EACCES"],
      ["4.1.host:2,", "EIO"],
    ]);
    const files = filesWith({
      unlink: async (path) => {
        const code = codes.get(String(path).slice(maildir.file("cur/").length));
        if (code !== undefined) throw fault(code);
        return systemFiles.unlink(path);
      },
    });
    const { maildrop } = await openMaildrop(maildir, { files });
    const result = await maildrop.update({ deleted: new Set([0, 1, 2, 3, 4]), retrieved: new Set() });
    expect(result).toMatchObject({ removed: 3, alreadyGone: 0 });
    expect(result.failed).toEqual([
      { index: 1, code: "EACCES" },
      { index: 3, code: "EIO" },
    ]);
    expect(maildir.names("cur")).toEqual(["2.1.host:2,", "4.1.host:2,", "6.1.host:2,"]);
  });

  it("never moves a retrieved message over another file", async () => {
    const maildir = ScratchMaildir.make();
    maildir.write("cur", "1.1.host:2,", "the message\n");
    const { maildrop, events } = await openMaildrop(maildir);
    maildir.write("cur", "1.1.host:2,S", "somebody else's\n");
    await maildrop.update({ deleted: new Set(), retrieved: new Set([0]) });
    expect(readFileSync(maildir.file("cur/1.1.host:2,"), "utf8")).toBe("the message\n");
    expect(readFileSync(maildir.file("cur/1.1.host:2,S"), "utf8")).toBe("somebody else's\n");
    expect(events).toEqual([{ kind: "seen-not-marked", count: 1, uniqueId: "1.1.host", code: "EEXIST" }]);
  });

  it("keeps an info part of another kind when it moves a message", async () => {
    const maildir = ScratchMaildir.make();
    maildir.write("new", "1.1.host:S123");
    const { maildrop } = await openMaildrop(maildir);
    await maildrop.update({ deleted: new Set(), retrieved: new Set([0]) });
    expect(maildir.names("cur")).toEqual(["1.1.host:S123"]);
  });

  it("keeps the other one of two different files with one base name", async () => {
    const maildir = ScratchMaildir.make();
    maildir.write("new", "1.1.host", "new\n");
    maildir.write("cur", "1.1.host:2,", "cur\n");
    const { maildrop } = await openMaildrop(maildir);
    await maildrop.update({ deleted: new Set([0]), retrieved: new Set() });
    expect(maildir.names("new")).toEqual(["1.1.host"]);
    expect(maildir.names("cur")).toEqual([]);
  });

  it("removes both names of one file: a move that was cut short", async () => {
    const maildir = ScratchMaildir.make();
    maildir.write("new", "1.1.host");
    linkSync(maildir.file("new/1.1.host"), maildir.file("cur/1.1.host:2,S"));
    const { maildrop } = await openMaildrop(maildir);
    expect(maildrop.count).toBe(1);
    await maildrop.update({ deleted: new Set([0]), retrieved: new Set() });
    expect([...maildir.names("new"), ...maildir.names("cur")]).toEqual([]);
  });

  it("does not touch what a link that took a message's place points to", async () => {
    const maildir = ScratchMaildir.make();
    maildir.write("cur", "1.1.host:2,");
    maildir.write("tmp", "precious");
    const { maildrop } = await openMaildrop(maildir);
    maildir.remove("cur", "1.1.host:2,");
    symlinkSync("../tmp/precious", maildir.file("cur/1.1.host:2,"));
    await maildrop.update({ deleted: new Set([0]), retrieved: new Set() });
    expect(maildir.names("tmp")).toEqual(["precious"]);
  });

  it("says when the folders could not be synced", async () => {
    const maildir = ScratchMaildir.make();
    maildir.write("cur", "1.1.host:2,");
    const files = filesWith({ fsync: () => Promise.reject(fault("EIO")) });
    const { maildrop, events } = await openMaildrop(maildir, { files });
    const result = await maildrop.update({ deleted: new Set([0]), retrieved: new Set() });
    expect(result.removed).toBe(1);
    expect(events).toEqual([{ kind: "not-synced", path: maildir.file("cur"), code: "EIO" }]);
  });
});
