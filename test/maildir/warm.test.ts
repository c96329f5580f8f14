import { existsSync, readFileSync, rmSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type Files, systemFiles } from "../../src/maildir/files/files.ts";
import { Maildrop } from "../../src/maildir/maildrop.ts";
import { type WarmProgress, warmIndex } from "../../src/maildir/warm.ts";
import { ScratchMaildir } from "./scratch-maildir.ts";
import { session } from "./session.ts";

const count = 500;

function cold(): ScratchMaildir {
  const maildir = ScratchMaildir.make();
  for (let i = 0; i < count; i++) maildir.write("cur", `${1000 + i}.x.host:2,`, "x\n");
  return maildir;
}

const isMessage = (path: unknown): boolean => /\/cur\/[^/]+$/.test(String(path));

describe("warmIndex", () => {
  it("leaves nothing to count for the first login, and tells how far it is", async () => {
    const maildir = cold();
    const progress: WarmProgress[] = [];
    const result = await warmIndex(maildir.path, {}, (now) => progress.push(now));
    expect(result).toEqual({
      kind: "warm",
      messages: count,
      toCount: count,
      counted: count,
      bytes: 2 * count,
    });
    expect(progress.map(({ counted }) => counted)).toEqual(Array.from({ length: count + 1 }, (_, i) => i));
    expect(await session(maildir)).toMatchObject({ opened: 0, events: [] });
    expect(await warmIndex(maildir.path)).toMatchObject({ kind: "warm", toCount: 0, counted: 0 });
  });

  it("goes on where it was stopped: no message is read twice", async () => {
    const maildir = cold();
    const reads = new Map<string, number>();
    const files: Files = {
      ...systemFiles,
      open: (path, flags, mode) => {
        if (isMessage(path)) reads.set(String(path), (reads.get(String(path)) ?? 0) + 1);
        return systemFiles.open(path, flags, mode);
      },
    };
    const stop = new AbortController();
    const first = await warmIndex(maildir.path, { files, signal: stop.signal }, ({ counted }) => {
      if (counted === 100) stop.abort();
    });
    expect(first).toMatchObject({ kind: "stopped", toCount: count });
    const { counted } = first as WarmProgress;
    expect(counted).toBeLessThan(count);
    expect(await warmIndex(maildir.path, { files })).toMatchObject({
      kind: "warm",
      toCount: count - counted,
      counted: count - counted,
    });
    // Those whose reading the stop overtook were opened a second time; there are no more of them than parallel reads.
    expect([...reads.values()].filter((times) => times > 1).length).toBeLessThanOrEqual(2);
    expect(await warmIndex(maildir.path, { signal: AbortSignal.abort() })).toMatchObject({ kind: "warm" });
  });

  it("reads no more than two messages at a time", async () => {
    const maildir = cold();
    let reading = 0;
    let most = 0;
    const files: Files = {
      ...systemFiles,
      read: async (...args) => {
        most = Math.max(most, ++reading);
        try {
          return await systemFiles.read(...args);
        } finally {
          reading--;
        }
      },
    };
    await warmIndex(maildir.path, { files });
    expect(most).toBe(2);
  });

  it("skips a maildrop that a session has, or waits for its end when it is told to", async () => {
    const maildir = cold();
    const opened = await Maildrop.open(maildir.path);
    if (opened.kind !== "open") throw new Error(opened.kind);
    expect(await warmIndex(maildir.path)).toEqual({ kind: "locked" });
    const waiting = warmIndex(maildir.path, { lockWaitMs: 20_000 });
    opened.maildrop.close();
    expect(await waiting).toMatchObject({ kind: "warm", counted: count });
  });

  it("makes no Maildir where there is none", async () => {
    const maildir = ScratchMaildir.missing();
    expect(await warmIndex(maildir.path)).toEqual({ kind: "missing" });
    expect(existsSync(maildir.path)).toBe(false);
  });

  it("tells what keeps a maildrop from being opened", async () => {
    const maildir = cold();
    const files: Files = {
      ...systemFiles,
      list: () => Promise.reject(Object.assign(new Error("EIO"), { code: "EIO" })),
    };
    expect(await warmIndex(maildir.path, { files })).toMatchObject({ kind: "failed", code: "EIO" });
  });
});

it("a count under way is written every so many messages: a killed process has not counted in vain", async () => {
  const maildir = ScratchMaildir.make();
  for (let i = 0; i < 300; i++) maildir.write("cur", `${1000 + i}.x.host:2,`, "x\n");
  let opened = 0;
  let release = (): void => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const files: Files = {
    ...systemFiles,
    // The last messages are not readable before the index is there.
    open: async (path, flags, mode) => {
      if (isMessage(path) && ++opened > 250) await released;
      return systemFiles.open(path, flags, mode);
    },
    rename: async (from, to) => {
      await systemFiles.rename(from, to);
      if (String(to).endsWith("dewey-pop3.index")) release();
    },
  };
  const result = await Maildrop.open(maildir.path, { files, indexedAfter: 200 });
  if (result.kind !== "open") throw new Error(result.kind);
  const measuring = result.maildrop.measure();
  await released;
  expect(readFileSync(maildir.file("dewey-pop3.index"), "latin1")).toMatch(/\nend 2[0-9]{2} /);
  await measuring;
  result.maildrop.close();
  await result.maildrop.closed;
  expect(readFileSync(maildir.file("dewey-pop3.index"), "latin1")).toMatch(/\nend 300 /);
  rmSync(maildir.path, { recursive: true });
});
