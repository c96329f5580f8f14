import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { describe, expect, it } from "vitest";
import { type Files, systemFiles } from "../../../src/maildir/files/files.ts";
import { SnapshotCache } from "../../../src/maildir/list/snapshot-cache.ts";
import { ScratchMaildir } from "../scratch-maildir.ts";
import { session } from "../session.ts";

const HOUR_MS = 3_600_000;

function leave(maildir: ScratchMaildir, name: string, atimeHoursAgo: number, mtimeHoursAgo: number): void {
  const nowMs = Date.now();
  maildir.write("tmp", name);
  const seconds = (hours: number) => (nowMs - hours * HOUR_MS) / 1000;
  utimesSync(maildir.file(`tmp/${name}`), seconds(atimeHoursAgo), seconds(mtimeHoursAgo));
}

describe("tmp/", () => {
  it("loses the files that nobody touched for 36 hours when a session opens the Maildir", async () => {
    const maildir = ScratchMaildir.make();
    leave(maildir, "1.old", 37, 37);
    leave(maildir, "2.read-lately", 1, 37);
    leave(maildir, "3.written-lately", 37, 1);
    leave(maildir, "4.young", 35, 35);
    mkdirSync(maildir.file("tmp/5.folder"));
    execFileSync("mkfifo", [maildir.file("tmp/6.fifo")]);
    execFileSync("touch", ["-d", "50 hours ago", maildir.file("tmp/6.fifo")]);
    const { events } = await session(maildir);
    expect(maildir.names("tmp")).toEqual([
      "2.read-lately",
      "3.written-lately",
      "4.young",
      "5.folder",
      "6.fifo",
    ]);
    expect(events).toEqual([{ kind: "tmp-cleaned", path: maildir.path, removed: 1, code: "" }]);
  });

  it("is cleaned once a day, whichever process does it: the lock file's time tells", async () => {
    const maildir = ScratchMaildir.make();
    await session(maildir);
    leave(maildir, "1.old", 37, 37);
    await session(maildir);
    await session(maildir, { now: () => Date.now() + 23 * HOUR_MS });
    expect(maildir.names("tmp")).toEqual(["1.old"]);
    const tomorrowMs = Date.now() + 25 * HOUR_MS;
    await session(maildir, { now: () => tomorrowMs });
    expect(maildir.names("tmp")).toEqual([]);
    expect(statSync(maildir.file("dewey-pop3.lock")).mtimeMs).toBeCloseTo(tomorrowMs, -4);
  });

  it("is cleaned once a day by each process where there is no lock file", async () => {
    const maildir = ScratchMaildir.make();
    const snapshots = new SnapshotCache();
    await session(maildir, { lock: "none", snapshots });
    leave(maildir, "1.old", 37, 37);
    await session(maildir, { lock: "none", snapshots });
    expect(maildir.names("tmp")).toEqual(["1.old"]);
    await session(maildir, { lock: "none", snapshots, now: () => Date.now() + 25 * HOUR_MS });
    expect(maildir.names("tmp")).toEqual([]);
  });

  it("is not followed when it is a link", async () => {
    const maildir = ScratchMaildir.make();
    rmSync(maildir.file("tmp"), { recursive: true });
    mkdirSync(maildir.file("../documents"));
    writeFileSync(maildir.file("../documents/will"), "precious");
    execFileSync("touch", ["-d", "50 hours ago", maildir.file("../documents/will")]);
    symlinkSync("../documents", maildir.file("tmp"));
    const { events } = await session(maildir);
    expect(readdirSync(maildir.file("../documents"))).toEqual(["will"]);
    expect(events).toContainEqual({ kind: "tmp-cleaned", path: maildir.path, removed: 0, code: "ENOTDIR" });
  });

  it("that cannot be cleaned keeps nobody from reading mail", async () => {
    const maildir = ScratchMaildir.make();
    maildir.write("new", "1.a.host");
    leave(maildir, "1.old", 37, 37);
    const files: Files = {
      ...systemFiles,
      unlink: () => Promise.reject(Object.assign(new Error("EACCES"), { code: "EACCES" })),
    };
    const { octets, events } = await session(maildir, { files });
    expect(Object.keys(octets)).toEqual(["1.a.host"]);
    expect(events).toContainEqual({ kind: "tmp-cleaned", path: maildir.path, removed: 0, code: "EACCES" });
    expect(existsSync(maildir.file("tmp/1.old"))).toBe(true);
  });
});
