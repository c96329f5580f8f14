// `mail.shared_storage`: what other hosts do to a Maildir, and what NFS makes of it.
import { renameSync, statSync, writeFileSync } from "node:fs";
import { beforeEach, describe, expect, it } from "vitest";
import { type Files, systemFiles } from "../../src/maildir/files/files.ts";
import { sharedFiles } from "../../src/maildir/files/shared-files.ts";
import { listFolders } from "../../src/maildir/list/folders.ts";
import { acquireFlock } from "../../src/maildir/lock/kernel-lock.ts";
import { LOCK_FILE } from "../../src/maildir/lock/lock.ts";
import { Maildrop } from "../../src/maildir/maildrop.ts";
import type { MaildropEvent } from "../../src/maildir/maildrop-event.ts";
import { ScratchMaildir } from "./scratch-maildir.ts";

let maildir: ScratchMaildir;
beforeEach(() => {
  maildir = ScratchMaildir.make();
});

type Call = keyof Files;
const pathCalls = ["open", "stat", "lstat", "identity", "list", "unlink", "rename", "link", "mkdir"] as const;

/** A file system whose every call by a path fails so many times before it works. */
function staleFiles(times: number): { files: Files; failed: Map<Call, number> } {
  const failed = new Map<Call, number>();
  const left = new Map<string, number>();
  const failing = (name: Call) => {
    const call = systemFiles[name] as (...args: unknown[]) => Promise<unknown>;
    return async (...args: unknown[]) => {
      const key = `${name} ${String(args[0])}`;
      const remaining = left.get(key) ?? times;
      left.set(key, remaining === 0 ? times : remaining - 1);
      if (remaining === 0) return call(...args);
      failed.set(name, (failed.get(name) ?? 0) + 1);
      // As Node tells it.
      throw Object.assign(new Error("ESTALE"), { code: "Unknown system error -116", errno: -116 });
    };
  };
  const calls = Object.fromEntries(pathCalls.map((name) => [name, failing(name)]));
  return { files: { ...systemFiles, ...calls }, failed };
}

describe("on shared storage", () => {
  it("a whole session goes on where each path is stale at first", async () => {
    maildir.write("new", "1.one", "one\n");
    maildir.write("new", "2.two", "two\n");
    const { files, failed } = staleFiles(1);
    const events: MaildropEvent[] = [];
    const opened = await Maildrop.open(maildir.path, {
      ...{ files, sharedStorage: true, keepDeletedMs: 1_000, onEvent: (event) => events.push(event) },
    });
    if (opened.kind !== "open") throw new Error(JSON.stringify(opened));
    const { maildrop } = opened;
    await maildrop.measure();
    expect(maildrop.octets(1)).toBe(5);
    const update = await maildrop.update({ deleted: new Set([0]), retrieved: new Set([1]) });
    expect(update).toMatchObject({ removed: 1, alreadyGone: 0, failed: [] });
    maildrop.close();
    await maildrop.closed;
    expect([maildir.names("new"), maildir.names("cur")]).toEqual([[], ["2.two:2,S"]]);
    expect([...failed.keys()]).toEqual(expect.arrayContaining(["open", "lstat", "list", "rename", "mkdir"]));
    expect(events.filter(({ kind }) => kind !== "made-folder")).toEqual([]);
  });

  it("what stays stale is a failure that says so", async () => {
    const opened = await Maildrop.open(maildir.path, {
      ...{ files: staleFiles(10).files, sharedStorage: true },
    });
    expect(opened).toMatchObject({ kind: "failed", code: "ESTALE" });
  });

  it("a message that another host has removed is gone, even where it is stale for ever", async () => {
    maildir.write("new", "1.one", "one\n");
    const path = maildir.bytesPath("new", "1.one").toString();
    const files: Files = {
      ...systemFiles,
      open: (opened, flags, mode) =>
        String(opened) === path
          ? Promise.reject(Object.assign(new Error(), { code: "Unknown system error -116", errno: -116 }))
          : systemFiles.open(opened, flags, mode),
    };
    const opened = await Maildrop.open(maildir.path, { files, sharedStorage: true });
    if (opened.kind !== "open") throw new Error(JSON.stringify(opened));
    maildir.remove("new", "1.one");
    expect(await opened.maildrop.openMessage(0)).toEqual({ kind: "gone" });
    opened.maildrop.close();
    await opened.maildrop.closed;
  });

  it("a stale path is not tried again on a file system of this host alone", async () => {
    const opened = await Maildrop.open(maildir.path, { files: staleFiles(1).files });
    expect(opened).toMatchObject({ kind: "failed", code: "ESTALE" });
  });

  it("a folder is opened before its times are asked for, or NFS would tell those of a minute ago", async () => {
    const calls: string[] = [];
    const files = sharedFiles({
      ...systemFiles,
      open: (path, flags, mode) => {
        calls.push("open");
        return systemFiles.open(path, flags, mode);
      },
      close: (fd) => {
        calls.push("close");
        systemFiles.close(fd);
      },
      stat: (path) => {
        calls.push("stat");
        return systemFiles.stat(path);
      },
    });
    await files.stat(`${maildir.path}/new`);
    expect(calls).toEqual(["open", "close", "stat"]);
  });

  it("a listing is not relied on while the clocks' difference could hide a change", async () => {
    maildir.write("new", "1.one", "one\n");
    const changedAtMs = Math.max(
      ...["new", "cur"].map((name) => statSync(`${maildir.path}/${name}`).ctimeMs),
    );
    const list = (ageMs: number, sharedStorage: boolean) =>
      listFolders(maildir.path, { files: systemFiles, now: () => changedAtMs + ageMs, sharedStorage });
    expect(await list(50_000, false)).toMatchObject({ isExact: true });
    expect(await list(50_000, true)).toMatchObject({ isExact: false, names: ["1.one"] });
    expect(await list(70_000, true)).toMatchObject({ isExact: true });
  });

  it("who has lost the lock to another host removes nothing", async () => {
    maildir.write("new", "1.one", "one\n");
    const events: MaildropEvent[] = [];
    const opened = await Maildrop.open(maildir.path, {
      sharedStorage: true,
      onEvent: (event) => events.push(event),
    });
    if (opened.kind !== "open") throw new Error(JSON.stringify(opened));
    const { maildrop } = opened;
    const lockFile = `${maildir.path}/${LOCK_FILE}`;
    renameSync(lockFile, `${lockFile}.old`);
    writeFileSync(lockFile, "");
    const update = await maildrop.update({ deleted: new Set([0]), retrieved: new Set() });
    expect(update).toMatchObject({ removed: 0, failed: [{ index: 0, code: "ENOLCK" }] });
    expect(events).toContainEqual({ kind: "lock-lost", path: lockFile });
    expect([maildir.names("new"), maildir.names("cur")]).toEqual([["1.one"], []]);
    maildrop.close();
    await maildrop.closed;
  });

  it("the lock is held as long as it stands, and no longer than it is wanted", async () => {
    const first = await acquireFlock(sharedFiles(systemFiles), maildir.path, true);
    if (first.kind !== "acquired") throw new Error(first.kind);
    expect(await first.lock.isHeld()).toBe(true);
    expect(await acquireFlock(sharedFiles(systemFiles), maildir.path, true)).toEqual({ kind: "locked" });
    await first.lock.release();
    expect(await first.lock.isHeld()).toBe(false);
    const second = await acquireFlock(sharedFiles(systemFiles), maildir.path, true);
    expect(second.kind).toBe("acquired");
    if (second.kind === "acquired") await second.lock.release();
  });
});
