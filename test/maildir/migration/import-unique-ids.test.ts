import { existsSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type Files, systemFiles } from "../../../src/maildir/files/files.ts";
import { SnapshotCache } from "../../../src/maildir/list/snapshot-cache.ts";
import { Maildrop } from "../../../src/maildir/maildrop.ts";
import type { MaildropEvent } from "../../../src/maildir/maildrop-event.ts";
import type { MaildropOptions } from "../../../src/maildir/maildrop-options.ts";
import { importUniqueIds } from "../../../src/maildir/migration/import-unique-ids.ts";
import { undelete } from "../../../src/maildir/update/undelete.ts";
import { ScratchMaildir } from "../scratch-maildir.ts";
import { updateSession } from "../session.ts";

const INDEX = "dewey-pop3.index";
const INHERITED = "dewey-pop3.inherited";
const DAY_MS = 86_400_000;
const inherited = ["0000000a0000007b", "saved", "000000070000007b", "000000080000007b", "000000090000007b"];

/** Five messages that Dovecot knew, in an order of its own. */
function fromDovecot(): ScratchMaildir {
  const maildir = ScratchMaildir.make();
  for (const name of ["1.a", "2.b", "3.c", "4.d"]) maildir.write("cur", `${name}:2,S`, `${name}\n`);
  maildir.write("new", "5.e", "5.e\n");
  writeFileSync(
    maildir.file("dovecot-uidlist"),
    "3 V123 N11 Gx\n7 :3.c:2,\n8 :2.b\n9 :4.d\n10 O1 :5.e\n11 Psaved O2 :1.a\n12 :99.gone\n",
  );
  return maildir;
}

async function uniqueIds(maildir: ScratchMaildir, options: MaildropOptions = {}): Promise<string[]> {
  const opened = await Maildrop.open(maildir.path, options);
  if (opened.kind !== "open") throw new Error(opened.kind === "failed" ? opened.reason : opened.kind);
  const { maildrop } = opened;
  await maildrop.measure();
  const ids = Array.from({ length: maildrop.count }, (_, index) => maildrop.uniqueId(index));
  maildrop.close();
  await maildrop.closed;
  return ids;
}

/** So that the folders' times are trusted, and the index is what is in them. */
function age(maildir: ScratchMaildir): void {
  for (const folder of ["new", "cur"]) maildir.setTime(folder, Date.now() - DAY_MS);
}
const later = { now: () => Date.now() + DAY_MS };

function spoil(maildir: ScratchMaildir, name: string): void {
  const text = readFileSync(maildir.file(name), "latin1");
  writeFileSync(maildir.file(name), text.replace("1.a", "1.x"), "latin1");
}

describe("importUniqueIds", () => {
  it("freezes unique-ids and order of Dovecot's list; later mail comes behind, by its base name", async () => {
    const maildir = fromDovecot();
    expect(await importUniqueIds(maildir.path, { from: "auto" })).toEqual({
      kind: "imported",
      from: "dovecot",
      format: "%08Xu%08Xv",
      messages: 5,
      inherited: 5,
      invalid: 0,
      duplicate: 0,
      changed: 5,
    });
    expect(statSync(maildir.file(INHERITED)).mode & 0o777).toBe(0o600);
    rmSync(maildir.file("dovecot-uidlist"));
    expect(await uniqueIds(maildir)).toEqual(inherited);
    maildir.write("new", "0.before");
    maildir.write("new", "6.f");
    expect(await uniqueIds(maildir)).toEqual([...inherited, "0.before", "6.f"]);
    expect(maildir.names("tmp")).toEqual([]);
  });

  it("tells the right octets of reordered messages, and deletes the right one", async () => {
    const maildir = fromDovecot();
    maildir.write("cur", "3.c:2,S", "a longer message\n");
    await uniqueIds(maildir);
    await importUniqueIds(maildir.path, { from: "auto" });
    const opened = await Maildrop.open(maildir.path);
    if (opened.kind !== "open") throw new Error(opened.kind);
    expect(opened.maildrop.measured).toBe(true);
    expect([0, 1, 2, 3, 4].map((index) => opened.maildrop.octets(index))).toEqual([5, 5, 18, 5, 5]);
    opened.maildrop.close();
    await opened.maildrop.closed;
    await updateSession(maildir, {}, { deleted: [2] });
    expect(maildir.names("cur")).toEqual(["1.a:2,S", "2.b:2,S", "4.d:2,S"]);
    expect(await uniqueIds(maildir)).toEqual(inherited.filter((id) => id !== "000000070000007b"));
  });

  it("is served from the index alone, by a process that remembers the maildrop, and after a flag changed", async () => {
    const maildir = fromDovecot();
    const snapshots = new SnapshotCache();
    age(maildir);
    await uniqueIds(maildir, { snapshots, ...later });
    expect(await uniqueIds(maildir, { snapshots, ...later })).toEqual(["1.a", "2.b", "3.c", "4.d", "5.e"]);
    await importUniqueIds(maildir.path, { from: "auto" });
    expect(await uniqueIds(maildir, { snapshots, ...later })).toEqual(inherited);
    maildir.rename("cur", "2.b:2,S", "cur", "2.b:2,FS");
    expect(await uniqueIds(maildir, { snapshots, ...later })).toEqual(inherited);
    // An index that lists the folders: none is listed.
    maildir.write("cur", "6.f:2,");
    expect(await uniqueIds(maildir, later)).toEqual([...inherited, "6.f"]);
    expect(readFileSync(maildir.file(INDEX), "latin1")).toMatch(
      /^dewey-pop3\.index 2\nlisting [0-9 ]+\ninherited /,
    );
    const files: Files = { ...systemFiles, list: () => Promise.reject(new Error("listed")) };
    expect(await uniqueIds(maildir, { ...later, files })).toEqual([...inherited, "6.f"]);
  });

  it("is done once: again changes nothing, a dry run neither", async () => {
    const maildir = fromDovecot();
    expect(await importUniqueIds(maildir.path, { from: "auto", dryRun: true })).toMatchObject({
      kind: "would-import",
      changed: 5,
    });
    expect([INDEX, INHERITED].map((name) => existsSync(maildir.file(name)))).toEqual([false, false]);
    await importUniqueIds(maildir.path, { from: "auto" });
    const before = [INDEX, INHERITED].map((name) => readFileSync(maildir.file(name), "latin1"));
    expect(await importUniqueIds(maildir.path, { from: "auto" })).toMatchObject({
      kind: "unchanged",
      changed: 0,
    });
    expect([INDEX, INHERITED].map((name) => readFileSync(maildir.file(name), "latin1"))).toEqual(before);
  });

  it("keeps what was frozen against another format, unless it is told to replace or to forget it", async () => {
    const maildir = fromDovecot();
    await importUniqueIds(maildir.path, { from: "auto" });
    const wrong = { from: "dovecot", format: "%v.%u" } as const;
    expect(await importUniqueIds(maildir.path, wrong)).toMatchObject({ kind: "differs", changed: 4 });
    expect(await uniqueIds(maildir)).toEqual(inherited);
    expect(await importUniqueIds(maildir.path, { ...wrong, replace: true })).toMatchObject({
      kind: "imported",
    });
    expect(await uniqueIds(maildir)).toEqual(["123.10", "saved", "123.7", "123.8", "123.9"]);
    expect(await importUniqueIds(maildir.path, { from: "nothing" })).toMatchObject({
      kind: "imported",
      changed: 5,
    });
    expect(await uniqueIds(maildir)).toEqual(["1.a", "2.b", "3.c", "4.d", "5.e"]);
  });

  it("gives no unique-id twice, and none that RFC 1939 has no room for", async () => {
    const maildir = fromDovecot();
    writeFileSync(
      maildir.file("dovecot-uidlist"),
      `3 V123 N11\n7 P2.b :1.a\n8 Psame :3.c\n9 Psame :4.d\n10 P${"x".repeat(71)} :5.e\n`,
    );
    expect(await importUniqueIds(maildir.path, { from: "auto" })).toMatchObject({
      messages: 5,
      inherited: 2,
      invalid: 1,
      duplicate: 1,
    });
    const ids = ["2.b", "same", "4.d", "5.e", expect.stringMatching(/^sha256-/)];
    expect(await uniqueIds(maildir)).toEqual(ids);
    maildir.write("new", "same");
    expect(await uniqueIds(maildir)).toEqual([...ids, expect.stringMatching(/^sha256-/)]);
    const renamed = { from: "auto", renamesDuplicates: true, replace: true } as const;
    expect(await importUniqueIds(maildir.path, renamed)).toMatchObject({ inherited: 3, duplicate: 0 });
    expect((await uniqueIds(maildir)).slice(0, 3)).toEqual(["2.b", "same", "same-2"]);
  });

  it("takes the list that was written last; where there is none, ours are what the old server had", async () => {
    const maildir = fromDovecot();
    writeFileSync(maildir.file("courierpop3dsizelist"), "/3 9 5\n2.b:2,S 5 8:5:0\n1.a:2,S 5 7:5:0\n");
    utimesSync(maildir.file("dovecot-uidlist"), 1000, 1000);
    expect(await importUniqueIds(maildir.path, { from: "auto" })).toMatchObject({
      from: "courier",
      inherited: 2,
    });
    expect(await uniqueIds(maildir)).toEqual(["UID7-5", "UID8-5", "3.c", "4.d", "5.e"]);
    const plain = ScratchMaildir.make();
    plain.write("new", "1.a");
    expect(await importUniqueIds(plain.path, { from: "auto" })).toMatchObject({
      kind: "unchanged",
      from: "filename",
    });
    expect(existsSync(plain.file(INHERITED))).toBe(false);
    expect(await importUniqueIds(plain.path, { from: "dovecot" })).toMatchObject({
      kind: "failed",
      reason: `no dovecot-uidlist in ${plain.path}`,
    });
    expect(await importUniqueIds(`${plain.path}/none`, { from: "auto" })).toEqual({ kind: "missing" });
  });

  it("waits for a session that has the maildrop", async () => {
    const maildir = fromDovecot();
    const opened = await Maildrop.open(maildir.path);
    if (opened.kind !== "open") throw new Error(opened.kind);
    expect(await importUniqueIds(maildir.path, { from: "auto" })).toEqual({ kind: "locked" });
    const waiting = importUniqueIds(maildir.path, { from: "auto", lockWaitMs: 60_000 });
    opened.maildrop.close();
    expect(await waiting).toMatchObject({ kind: "imported" });
  });
});

it("a Maildir that is opened for reading only stays as it is", async () => {
  const maildir = fromDovecot();
  const state = () => [...readdirSync(maildir.path), statSync(maildir.path).mtimeMs, ...maildir.names("tmp")];
  const before = state();
  expect(await uniqueIds(maildir, { readOnly: true, lock: "none" })).toEqual([
    "1.a",
    "2.b",
    "3.c",
    "4.d",
    "5.e",
  ]);
  expect(state()).toEqual(before);
  const bare = ScratchMaildir.make();
  rmSync(bare.file("new"), { recursive: true });
  expect(await uniqueIds(bare, { readOnly: true, lock: "none" })).toEqual([]);
  expect(existsSync(bare.file("new"))).toBe(false);
});

describe("a maildrop with inherited unique-ids", () => {
  async function imported(): Promise<ScratchMaildir> {
    const maildir = fromDovecot();
    await importUniqueIds(maildir.path, { from: "auto" });
    rmSync(maildir.file("dovecot-uidlist"));
    return maildir;
  }

  it.each([
    ["lost", (maildir: ScratchMaildir) => rmSync(maildir.file(INDEX))],
    ["damaged", (maildir: ScratchMaildir) => spoil(maildir, INDEX)],
    [
      "an older program's",
      (maildir: ScratchMaildir) =>
        writeFileSync(maildir.file(INDEX), "dewey-pop3.index 1\nsizes\nend 0 3ff831c7\n"),
    ],
  ])("has them from dewey-pop3.inherited when the index is %s", async (_what, spoilIndex) => {
    const maildir = await imported();
    spoilIndex(maildir);
    expect(await uniqueIds(maildir)).toEqual(inherited);
    expect(readFileSync(maildir.file(INDEX), "latin1")).toContain(":saved 1.a");
  });

  it.each([
    ["lost", (maildir: ScratchMaildir) => rmSync(maildir.file(INHERITED))],
    ["damaged", (maildir: ScratchMaildir) => spoil(maildir, INHERITED)],
  ])(
    "has them from the index when dewey-pop3.inherited is %s, and writes that anew first",
    async (what, hurt) => {
      const maildir = await imported();
      const good = readFileSync(maildir.file(INHERITED), "latin1");
      hurt(maildir);
      utimesSync(maildir.path, 1, 1);
      const events: MaildropEvent[] = [];
      expect(await uniqueIds(maildir, { onEvent: (event) => events.push(event) })).toEqual(inherited);
      expect(readFileSync(maildir.file(INHERITED), "latin1")).toBe(good);
      expect(events.map(({ kind }) => kind)).toEqual(what === "lost" ? [] : ["inherited-unusable"]);
    },
  );

  it.each([
    ["is damaged", (maildir: ScratchMaildir) => spoil(maildir, INHERITED), "damaged"],
    [
      "names none of the messages",
      (maildir: ScratchMaildir) => writeFileSync(maildir.file(INHERITED), otherMaildrops),
      "names none",
    ],
  ])("is refused when the index is lost and dewey-pop3.inherited %s", async (_what, hurt, why) => {
    const maildir = await imported();
    rmSync(maildir.file(INDEX));
    hurt(maildir);
    expect(await Maildrop.open(maildir.path)).toMatchObject({
      kind: "failed",
      permanent: false,
      reason: expect.stringMatching(new RegExp(`for 5 messages.*${why}.*import-uidl ACCOUNT --forget`)),
    });
    expect(existsSync(maildir.file(INDEX))).toBe(false);
    expect(await importUniqueIds(maildir.path, { from: "nothing" })).toMatchObject({ kind: "imported" });
    expect(await uniqueIds(maildir)).toEqual(["1.a", "2.b", "3.c", "4.d", "5.e"]);
  });

  it("is refused when the index is damaged and dewey-pop3.inherited is missing, until the old list is read again", async () => {
    const maildir = await imported();
    spoil(maildir, INDEX);
    rmSync(maildir.file(INHERITED));
    expect(await Maildrop.open(maildir.path)).toMatchObject({ kind: "failed", permanent: false });
    writeFileSync(maildir.file("dovecot-uidlist"), "3 V123 N11\n7 :3.c\n");
    expect(await importUniqueIds(maildir.path, { from: "auto" })).toMatchObject({
      kind: "imported",
      inherited: 1,
    });
    expect(await uniqueIds(maildir)).toEqual(["000000070000007b", "1.a", "2.b", "4.d", "5.e"]);
  });

  it("has them again when its messages come back: a folder was not mounted for a while", async () => {
    const maildir = await imported();
    const files: Files = {
      ...systemFiles,
      list: async (path) => (String(path).endsWith("/cur") ? [] : systemFiles.list(path)),
    };
    expect(await uniqueIds(maildir, { files })).toEqual([inherited[0]]);
    expect(await uniqueIds(maildir)).toEqual(inherited);
  });
});

const otherMaildrops = "dewey-pop3.inherited 1\nid 77.other\nend 1 3157da62\n";

describe("a removed message that is put back", () => {
  it.each([
    ["whose name tells when it was delivered", "1.a"],
    ["whose name tells nothing", "message-one"],
  ])("%s has its inherited unique-id and place again", async (_which, name) => {
    const maildir = ScratchMaildir.make();
    for (const each of [name, "2.b", "3.c", "4.d"]) maildir.write("cur", `${each}:2,S`, `${each}\n`);
    writeFileSync(maildir.file("dovecot-uidlist"), `3 V123 N11\n7 :4.d\n8 :${name}\n9 :2.b\n10 :3.c\n`);
    await importUniqueIds(maildir.path, { from: "auto" });
    const before = await uniqueIds(maildir);
    expect(before).toEqual(["000000070000007b", "000000080000007b", "000000090000007b", "0000000a0000007b"]);
    const snapshots = new SnapshotCache(10);
    await updateSession(maildir, { keepDeletedMs: DAY_MS, snapshots }, { deleted: [1] });
    // Other sessions meanwhile, and mail that comes.
    maildir.write("new", "9.i");
    expect(await uniqueIds(maildir, { snapshots })).toEqual([before[0], before[2], before[3], "9.i"]);
    expect(await undelete(maildir.path)).toMatchObject({ restored: 1 });
    expect(await uniqueIds(maildir, { snapshots })).toEqual([...before, "9.i"]);
    expect(await uniqueIds(maildir)).toEqual([...before, "9.i"]);
  });
});
