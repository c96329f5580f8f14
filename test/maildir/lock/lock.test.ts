import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { ownProcess } from "../../../src/host/process-identity.ts";
import { systemFiles } from "../../../src/maildir/files/files.ts";
import { acquireDotlock } from "../../../src/maildir/lock/dotlock.ts";
import { acquireFlock } from "../../../src/maildir/lock/kernel-lock.ts";
import type { LockMode, LockResult, MaildropLock } from "../../../src/maildir/lock/lock.ts";
import { Maildrop } from "../../../src/maildir/maildrop.ts";
import { fault, filesWith } from "../failing-files.ts";
import { openMaildrop } from "../open-maildrop.ts";
import { ScratchMaildir } from "../scratch-maildir.ts";

const lockFile = (maildir: ScratchMaildir): string => maildir.file("dewey-pop3.lock");

function held(result: LockResult): MaildropLock {
  if (result.kind !== "acquired") throw new Error(result.kind);
  onTestFinished(() => void result.lock.release());
  return result.lock;
}

const modes: readonly LockMode[] = ["flock", "dotlock"];

describe.each(modes)("the lock, %s", (lock) => {
  it("refuses a second session until the first one is closed", async () => {
    const maildir = ScratchMaildir.make();
    const { maildrop } = await openMaildrop(maildir, { lock });
    expect(await Maildrop.open(maildir.path, { lock })).toEqual({ kind: "locked" });
    maildrop.close();
    maildrop.close();
    await openMaildrop(maildir, { lock });
  });

  it("is there for a Maildir that had to be made", async () => {
    const maildir = ScratchMaildir.missing();
    await openMaildrop(maildir, { lock });
    expect(statSync(lockFile(maildir)).mode & 0o7777).toBe(0o600);
    expect(await Maildrop.open(maildir.path, { lock })).toEqual({ kind: "locked" });
  });

  it("is given to one of many that ask at one time", async () => {
    const maildir = ScratchMaildir.make();
    const acquire = lock === "flock" ? acquireFlock : acquireDotlock;
    for (let round = 0; round < 20; round++) {
      const results = await Promise.all(Array.from({ length: 8 }, () => acquire(systemFiles, maildir.path)));
      const acquired = results.filter((result) => result.kind === "acquired");
      expect(acquired).toHaveLength(1);
      await acquired[0]!.lock.release();
    }
  });

  it("knows whether it is held, and is freed once", async () => {
    const maildir = ScratchMaildir.make();
    const acquire = lock === "flock" ? acquireFlock : acquireDotlock;
    const first = held(await acquire(systemFiles, maildir.path));
    expect(await first.isHeld()).toBe(true);
    await first.release();
    expect(await first.isHeld()).toBe(false);
    const second = held(await acquire(systemFiles, maildir.path));
    await first.release();
    expect(await second.isHeld()).toBe(true);
  });

  it("leaves nothing in tmp/", async () => {
    const maildir = ScratchMaildir.make();
    const { maildrop } = await openMaildrop(maildir, { lock });
    expect(await Maildrop.open(maildir.path, { lock })).toEqual({ kind: "locked" });
    expect(maildir.names("tmp")).toEqual([]);
    maildrop.close();
    await maildrop.closed;
    expect(maildir.names("tmp")).toEqual([]);
  });

  it.each([
    ["a link", (path: string) => symlinkSync("/etc/passwd", path)],
    ["a folder", (path: string) => mkdirSync(path)],
    ["a FIFO", (path: string) => void execFileSync("mkfifo", [path])],
  ])("is that of the folder where the lock file is %s", async (_what, make) => {
    const maildir = ScratchMaildir.make();
    make(lockFile(maildir));
    const { events } = await openMaildrop(maildir, { lock });
    expect(events).toMatchObject([{ kind: "lock-substitute", path: lockFile(maildir) }]);
    expect(await Maildrop.open(maildir.path, { lock })).toEqual({ kind: "locked" });
  });

  it.each(["EROFS", "ENOSPC", "EDQUOT", "EACCES"])(
    "is that of the folder where the lock file gives %s",
    async (code) => {
      const maildir = ScratchMaildir.make();
      const files = filesWith({
        open: async (path, flags, mode) => {
          if (String(path).endsWith("dewey-pop3.lock")) throw fault(code);
          return systemFiles.open(path, flags, mode);
        },
      });
      const { events } = await openMaildrop(maildir, { files, lock });
      expect(events).toEqual([{ kind: "lock-substitute", path: lockFile(maildir), code }]);
      expect(await Maildrop.open(maildir.path, { files, lock })).toEqual({ kind: "locked" });
    },
  );

  it("that fails with EIO keeps the maildrop closed, for now", async () => {
    const maildir = ScratchMaildir.make();
    const files = filesWith({ open: () => Promise.reject(fault("EIO")) });
    expect(await Maildrop.open(maildir.path, { files, lock })).toMatchObject({
      kind: "failed",
      code: "EIO",
      permanent: false,
    });
  });
});

describe("flock", () => {
  it("keeps the lock file: the next session must lock the same one", async () => {
    const maildir = ScratchMaildir.make();
    const { maildrop } = await openMaildrop(maildir);
    const { ino } = statSync(lockFile(maildir));
    maildrop.close();
    expect(statSync(lockFile(maildir)).ino).toBe(ino);
  });

  it("locks the file that is there when somebody removed it between opening and locking", async () => {
    const maildir = ScratchMaildir.make();
    let removed = false;
    const files = filesWith({
      open: async (path, flags, mode) => {
        const fd = await systemFiles.open(path, flags, mode);
        if (path === lockFile(maildir) && !removed) {
          removed = true;
          rmSync(lockFile(maildir));
        }
        return fd;
      },
    });
    await openMaildrop(maildir, { files });
    expect(removed).toBe(true);
    expect(await Maildrop.open(maildir.path)).toEqual({ kind: "locked" });
  });
});

it("none: somebody else sees to it, and two sessions are served", async () => {
  const maildir = ScratchMaildir.make();
  await openMaildrop(maildir, { lock: "none" });
  await openMaildrop(maildir, { lock: "none" });
  expect(existsSync(lockFile(maildir))).toBe(false);
});

describe("dotlock", () => {
  const hour = 3600_000;
  const own = ownProcess();

  /** Of a process that has ended. */
  function pidOfNobody(): number {
    return Number(execFileSync("sh", ["-c", "echo $$"], { encoding: "latin1" }));
  }

  function leave(maildir: ScratchMaildir, holder: Partial<typeof own> | string, ageMs = 0): void {
    const { host, bootId, pidNamespace, pid, startTicks } = {
      ...own,
      ...(typeof holder === "string" ? {} : holder),
    };
    const text = `dewey-pop3 ${host} ${bootId} ${pidNamespace} ${pid} ${startTicks}\n`;
    writeFileSync(lockFile(maildir), typeof holder === "string" ? holder : text);
    const then = (Date.now() - ageMs) / 1000;
    utimesSync(lockFile(maildir), then, then);
  }

  const otherBoot: string = "00000000-0000-4000-8000-000000000000";

  const found: readonly (readonly [string, () => Partial<typeof own> | string, number, "stale" | "held"])[] =
    [
      ["whose process has ended", () => ({ pid: pidOfNobody() }), 0, "stale"],
      ["whose pid another process has now", () => ({ startTicks: "1" }), 0, "stale"],
      ["whose process lives, however old", () => ({}), hour, "held"],
      ["of another boot, fresh", () => ({ bootId: otherBoot, pid: pidOfNobody() }), 60_000, "held"],
      ["of another boot, not refreshed for long", () => ({ bootId: otherBoot }), hour, "stale"],
      ["of another host, fresh", () => ({ host: "other.host" }), 60_000, "held"],
      ["of another host, not refreshed for long", () => ({ host: "other.host" }), hour, "stale"],
      ["of another container, fresh", () => ({ pidNamespace: "1", pid: pidOfNobody() }), 60_000, "held"],
      ["that is empty, as flock leaves it", () => "", 0, "stale"],
      ["of an unknown kind, fresh", () => "garbage\n", 60_000, "held"],
      ["of an unknown kind, old", () => "garbage\n", hour, "stale"],
    ];

  it.each(found)("takes a lock %s", async (_what, holder, ageMs, state) => {
    const maildir = ScratchMaildir.make();
    leave(maildir, holder(), ageMs);
    const result = await acquireDotlock(systemFiles, maildir.path);
    expect(result.kind).toBe(state === "stale" ? "acquired" : "locked");
    if (result.kind === "acquired") expect(await held(result).isHeld()).toBe(true);
    expect(maildir.names("tmp")).toEqual([]);
  });

  it("goes by the file system's clock, not by the host's", async () => {
    const maildir = ScratchMaildir.make();
    leave(maildir, { host: "other.host" }, 60_000);
    vi.useFakeTimers({ now: Date.now() + 24 * hour, toFake: ["Date"] });
    onTestFinished(() => void vi.useRealTimers());
    expect((await acquireDotlock(systemFiles, maildir.path)).kind).toBe("locked");
  });

  it("is refreshed while its session lives, and not after", async () => {
    const maildir = ScratchMaildir.make();
    const lock = held(await acquireDotlock(systemFiles, maildir.path, { refreshMs: 5, staleMs: hour }));
    const then = (Date.now() - hour) / 1000;
    utimesSync(lockFile(maildir), then, then);
    await vi.waitFor(() =>
      expect(statSync(lockFile(maildir)).mtimeMs).toBeGreaterThan(Date.now() - hour / 2),
    );
    expect(readFileSync(lockFile(maildir), "latin1")).toMatch(
      new RegExp(`^dewey-pop3 ${own.host} ${own.bootId} [0-9]+ ${process.pid} [0-9]+\n`),
    );
    await lock.release();
    expect(existsSync(lockFile(maildir))).toBe(false);
  });

  it("of a stale one is given to one of many, however their steps fall", async () => {
    const maildir = ScratchMaildir.make();
    // Each call takes its time: the contenders overtake each other at every step.
    const slow =
      <T extends unknown[], R>(call: (...args: T) => Promise<R>) =>
      async (...args: T): Promise<R> => {
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 3));
        const result = await call(...args);
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 3));
        return result;
      };
    const files = filesWith({
      open: slow(systemFiles.open),
      link: slow(systemFiles.link),
      lstat: slow(systemFiles.lstat),
      unlink: slow(systemFiles.unlink),
      read: slow(systemFiles.read),
    });
    for (let round = 0; round < 40; round++) {
      leave(maildir, { startTicks: "1" });
      let holders = 0;
      await Promise.all(
        Array.from({ length: 6 }, async () => {
          const result = await acquireDotlock(files, maildir.path);
          if (result.kind !== "acquired") return;
          // Whoever has it frees it at some time: the next one gets it then, and never before.
          expect(++holders).toBe(1);
          expect(await result.lock.isHeld()).toBe(true);
          await new Promise((resolve) => setTimeout(resolve, Math.random() * 5));
          expect(await result.lock.isHeld()).toBe(true);
          holders--;
          await result.lock.release();
        }),
      );
      expect(readdirSync(maildir.file("tmp"))).toEqual([]);
      rmSync(lockFile(maildir), { force: true });
    }
  });

  it("is freed although a process crashed while it removed it", async () => {
    const maildir = ScratchMaildir.make();
    leave(maildir, { startTicks: "1" });
    const { ino } = statSync(lockFile(maildir));
    const right = maildir.file(`tmp/${ino}.removing.dewey-pop3.lock`);
    await systemFiles.link(lockFile(maildir), right);
    expect((await acquireDotlock(systemFiles, maildir.path)).kind).toBe("locked");
    expect(existsSync(right)).toBe(true);
    // As if it were old: with no patience at all.
    held(await acquireDotlock(systemFiles, maildir.path, { refreshMs: hour, staleMs: -1 }));
    expect(maildir.names("tmp")).toEqual([]);
  });

  it("believes a link that was made although the call failed, as NFS may have it", async () => {
    const maildir = ScratchMaildir.make();
    const files = filesWith({
      link: async (from, to) => {
        await systemFiles.link(from, to);
        if (String(to) === lockFile(maildir)) throw fault("EEXIST");
      },
    });
    expect(await held(await acquireDotlock(files, maildir.path)).isHeld()).toBe(true);
  });

  it("that somebody removed keeps UPDATE from deleting, and another's lock from being removed", async () => {
    const maildir = ScratchMaildir.make();
    maildir.write("new", "1.1.host");
    const { maildrop, events } = await openMaildrop(maildir, { lock: "dotlock" });
    rmSync(lockFile(maildir));
    const second = held(await acquireDotlock(systemFiles, maildir.path));
    expect(await maildrop.update({ deleted: new Set([0]), retrieved: new Set([0]) })).toEqual({
      removed: 0,
      alreadyGone: 0,
      expired: 0,
      failed: [{ index: 0, code: "ENOLCK" }],
    });
    expect(maildir.names("new")).toEqual(["1.1.host"]);
    expect(events).toEqual([{ kind: "lock-lost", path: lockFile(maildir) }]);
    maildrop.close();
    await maildrop.closed;
    expect(await second.isHeld()).toBe(true);
  });

  it("of a killed process makes room at once", async () => {
    const maildir = ScratchMaildir.make();
    // The harder half: this very process's identity, but for its pid, as a killed mailbox process leaves it.
    leave(maildir, { pid: pidOfNobody(), startTicks: "12345" });
    await openMaildrop(maildir, { lock: "dotlock" });
  });
});

afterEach(() => void vi.useRealTimers());
