import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { describe, expect, it } from "vitest";
import { type Files, systemFiles } from "../../../src/maildir/files/files.ts";
import { SnapshotCache } from "../../../src/maildir/list/snapshot-cache.ts";
import { Maildrop } from "../../../src/maildir/maildrop.ts";
import { keptName, originalName, removalTimeMs } from "../../../src/maildir/update/kept-name.ts";
import { undelete } from "../../../src/maildir/update/undelete.ts";
import { ScratchMaildir } from "../scratch-maildir.ts";
import { updateSession } from "../session.ts";

const DAY_MS = 86_400_000;
const keepDeletedMs = 7 * DAY_MS;
const startMs = 1_764_075_600_000;

function filled(): ScratchMaildir {
  const maildir = ScratchMaildir.make();
  maildir.write("new", "1.a.host,S=2", "a\n");
  maildir.write("cur", "2.b.host:2,FS", "b\n");
  maildir.write("cur", "3.c.host:2,", "c\n");
  return maildir;
}

const kept = (maildir: ScratchMaildir, folder: "new" | "cur"): string[] =>
  readdirSync(maildir.file(`.dewey-deleted/${folder}`), { encoding: "latin1" }).sort();

const at = (nowMs: number) => ({ keepDeletedMs, now: () => nowMs });

describe("the name of a kept message", () => {
  it.each([
    ["1.a.host", "1.a.host,D=1764075600"],
    ["1.a.host,S=5,W=6:2,FS", "1.a.host,S=5,W=6,D=1764075600:2,FS"],
    ["1.a.host,D=7:2,", "1.a.host,D=7,D=1764075600:2,"],
    ["\xe4.\xff", "\xe4.\xff,D=1764075600"],
  ])("%s tells when it was removed, and what it was called", (name, expected) => {
    expect(keptName(name, 1_764_075_600)).toBe(expected);
    expect(originalName(expected)).toBe(name);
    expect(removalTimeMs(expected)).toBe(startMs);
  });

  it("of another making tells no time, and is its own", () => {
    expect(removalTimeMs("1.a.host:2,D=5")).toBeUndefined();
    expect(originalName("1.a.host:2,S")).toBe("1.a.host:2,S");
  });
});

describe("mail.keep_deleted", () => {
  it("moves removed messages to a Maildir++ folder, with their flags, unread ones to new", async () => {
    const maildir = filled();
    const result = await updateSession(maildir, at(startMs), { deleted: [0, 1] });
    expect(result).toMatchObject({ removed: 2, alreadyGone: 0, failed: [], events: [] });
    expect(maildir.names("new")).toEqual([]);
    expect(maildir.names("cur")).toEqual(["3.c.host:2,"]);
    expect(kept(maildir, "new")).toEqual(["1.a.host,S=2,D=1764075600"]);
    expect(kept(maildir, "cur")).toEqual(["2.b.host,D=1764075600:2,FS"]);
    expect(readdirSync(maildir.file(".dewey-deleted")).sort()).toEqual([
      "cur",
      "maildirfolder",
      "new",
      "tmp",
    ]);
    for (const folder of ["", "/cur", "/new", "/tmp"])
      expect(statSync(maildir.file(`.dewey-deleted${folder}`)).mode & 0o7777).toBe(0o700);
    expect(statSync(maildir.file(".dewey-deleted/maildirfolder")).mode & 0o7777).toBe(0o600);
  });

  it("is off unless it is told: nothing is left", async () => {
    const maildir = filled();
    await updateSession(maildir);
    expect(existsSync(maildir.file(".dewey-deleted"))).toBe(false);
  });

  it("removes for good what is old enough, at a later session's UPDATE, and not a moment before", async () => {
    const maildir = filled();
    await updateSession(maildir, at(startMs), { deleted: [0, 1] });
    await updateSession(maildir, at(startMs + DAY_MS));
    await updateSession(maildir, at(startMs + keepDeletedMs), { deleted: [] });
    expect([...kept(maildir, "new"), ...kept(maildir, "cur")]).toHaveLength(3);
    await updateSession(maildir, at(startMs + keepDeletedMs + 1), { deleted: [] });
    expect([...kept(maildir, "new"), ...kept(maildir, "cur")]).toEqual(["3.c.host,D=1764162000:2,"]);
  });

  it("removes nothing when a session ends without UPDATE", async () => {
    const maildir = filled();
    await updateSession(maildir, at(startMs));
    const opened = await Maildrop.open(maildir.path, at(startMs + 9 * DAY_MS));
    if (opened.kind !== "open") throw new Error(opened.kind);
    opened.maildrop.close();
    await opened.maildrop.closed;
    expect(kept(maildir, "cur")).toHaveLength(2);
  });

  it("is not listed by a client that polls, until the oldest message is due", async () => {
    const maildir = filled();
    const listed: string[] = [];
    const files: Files = {
      ...systemFiles,
      list: (path) => {
        if (String(path).includes(".dewey-deleted")) listed.push(String(path));
        return systemFiles.list(path);
      },
    };
    const snapshots = new SnapshotCache();
    const session = (nowMs: number) =>
      updateSession(maildir, { ...at(nowMs), files, snapshots }, { deleted: [] });
    await updateSession(maildir, { ...at(startMs), files, snapshots }, { deleted: [0, 1] });
    expect(listed).toHaveLength(2);
    await session(startMs + DAY_MS);
    await session(startMs + keepDeletedMs);
    expect(listed).toHaveLength(2);
    await session(startMs + keepDeletedMs + 1000);
    expect(kept(maildir, "new")).toEqual([]);
  });

  it("counts for the quota until it is removed for good, as Maildir++ counts all folders", async () => {
    const maildir = filled();
    writeFileSync(maildir.file("maildirsize"), "1000S,0C\n6 3\n");
    await updateSession(maildir, at(startMs), { deleted: [0, 1] });
    expect(readFileSync(maildir.file("maildirsize"), "utf8")).toBe("1000S,0C\n6 3\n");
    await undelete(maildir.path, at(startMs));
    expect(readFileSync(maildir.file("maildirsize"), "utf8")).toBe("1000S,0C\n6 3\n");
    await updateSession(maildir, at(startMs), { deleted: [0, 1] });
    await updateSession(maildir, at(startMs + 8 * DAY_MS), { deleted: [] });
    expect(readFileSync(maildir.file("maildirsize"), "utf8")).toBe("1000S,0C\n6 3\n-4 -2\n");
  });

  it("keeps both of two files with one base name that are removed in the same second", async () => {
    const maildir = ScratchMaildir.make();
    maildir.write("cur", "1.a.host:2,S", "first\n");
    await updateSession(maildir, at(startMs));
    maildir.write("cur", "1.a.host:2,S", "second\n");
    await updateSession(maildir, at(startMs + 5));
    expect(kept(maildir, "cur")).toEqual(["1.a.host,D=1764075600:2,S", "1.a.host,D=1764075601:2,S"]);
  });

  it("takes the time of the move where a name is too long to tell it", async () => {
    const maildir = ScratchMaildir.make();
    const name = `1.${"a".repeat(250)}`;
    maildir.write("new", name);
    const { removed } = await updateSession(maildir, { keepDeletedMs: DAY_MS });
    expect(removed).toBe(1);
    expect(kept(maildir, "new")).toEqual([name]);
    await updateSession(maildir, { keepDeletedMs: DAY_MS, now: () => Date.now() + DAY_MS - 60_000 });
    expect(kept(maildir, "new")).toEqual([name]);
    await updateSession(maildir, { keepDeletedMs: DAY_MS, now: () => Date.now() + DAY_MS + 60_000 });
    expect(kept(maildir, "new")).toEqual([]);
  });

  it("keeps the message where it is when it cannot be moved, and says which", async () => {
    const maildir = filled();
    const files: Files = {
      ...systemFiles,
      rename: (from, to) =>
        String(from).includes("2.b.host")
          ? Promise.reject(Object.assign(new Error("EDQUOT"), { code: "EDQUOT" }))
          : systemFiles.rename(from, to),
    };
    const result = await updateSession(maildir, { ...at(startMs), files });
    expect(result).toMatchObject({ removed: 2, failed: [{ index: 1, code: "EDQUOT" }] });
    expect(maildir.names("cur")).toEqual(["2.b.host:2,FS"]);
  });

  it("moves nothing through a link that stands in the folder's place, and removes nothing through one", async () => {
    const maildir = filled();
    mkdirSync(maildir.file("../elsewhere/new"), { recursive: true });
    mkdirSync(maildir.file("../elsewhere/cur"));
    writeFileSync(maildir.file("../elsewhere/cur/1.x,D=1"), "precious\n");
    symlinkSync("../elsewhere", maildir.file(".dewey-deleted"));
    const result = await updateSession(maildir, at(startMs), { deleted: [0] });
    expect(result.failed).toEqual([{ index: 0, code: "ENOTDIR" }]);
    rmSync(maildir.file(".dewey-deleted"));
    mkdirSync(maildir.file(".dewey-deleted"));
    symlinkSync("../../elsewhere/cur", maildir.file(".dewey-deleted/cur"));
    await updateSession(maildir, at(startMs), { deleted: [] });
    expect(readdirSync(maildir.file("../elsewhere/cur"))).toEqual(["1.x,D=1"]);
  });
});

describe("undelete", () => {
  it("puts messages back where they were, under their old names", async () => {
    const maildir = filled();
    await updateSession(maildir, at(startMs));
    expect(await undelete(maildir.path)).toEqual({ kind: "undeleted", restored: 3, occupied: 0, failed: [] });
    expect(maildir.names("new")).toEqual(["1.a.host,S=2"]);
    expect(maildir.names("cur")).toEqual(["2.b.host:2,FS", "3.c.host:2,"]);
    expect([...kept(maildir, "new"), ...kept(maildir, "cur")]).toEqual([]);
  });

  it("takes only what was removed since a time", async () => {
    const maildir = filled();
    await updateSession(maildir, at(startMs), { deleted: [0] });
    await updateSession(maildir, at(startMs + 3_600_000), { deleted: [0] });
    expect(await undelete(maildir.path, { sinceMs: startMs + 1_800_000 })).toMatchObject({ restored: 1 });
    expect(maildir.names("cur")).toEqual(["2.b.host:2,FS", "3.c.host:2,"]);
    expect(kept(maildir, "new")).toEqual(["1.a.host,S=2,D=1764075600"]);
  });

  it("never puts a second message of one base name into the maildrop", async () => {
    const maildir = ScratchMaildir.make();
    for (const [index, content] of ["first\n", "second\n"].entries()) {
      maildir.write("cur", "1.a.host:2,", content);
      await updateSession(maildir, at(startMs + index * 1000));
    }
    expect(await undelete(maildir.path)).toMatchObject({ restored: 1, occupied: 1 });
    expect(readFileSync(maildir.file("cur/1.a.host:2,"), "utf8")).toBe("second\n");
    maildir.rename("cur", "1.a.host:2,", "cur", "1.a.host:2,S");
    expect(await undelete(maildir.path)).toMatchObject({ restored: 0, occupied: 1 });
    expect(kept(maildir, "cur")).toEqual(["1.a.host,D=1764075600:2,"]);
  });

  it("waits for no session: it says that the maildrop is locked", async () => {
    const maildir = filled();
    await updateSession(maildir, at(startMs));
    const opened = await Maildrop.open(maildir.path);
    if (opened.kind !== "open") throw new Error(opened.kind);
    expect(await undelete(maildir.path)).toEqual({ kind: "locked" });
    opened.maildrop.close();
    await opened.maildrop.closed;
    expect(await undelete(maildir.path)).toMatchObject({ restored: 3 });
  });

  it("makes nothing where nothing was ever kept", async () => {
    const maildir = ScratchMaildir.missing();
    expect(await undelete(maildir.path)).toEqual({ kind: "undeleted", restored: 0, occupied: 0, failed: [] });
    expect(existsSync(maildir.path)).toBe(false);
  });
});
