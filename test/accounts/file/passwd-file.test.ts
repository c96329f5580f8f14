import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { editPasswdFile } from "../../../src/accounts/file/edit.ts";
import { PasswdFile, type PasswdFileEvent } from "../../../src/accounts/file/passwd-file.ts";
import { withLines } from "../../../src/accounts/file/passwd-lines.ts";
import { fileState } from "../../../src/host/file-state.ts";
import { eventually } from "../../support/eventually.ts";

let folder: string;
let path: string;
let events: PasswdFileEvent[];
const opened: PasswdFile[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "passwd-file-"));
  path = join(folder, "passwd");
  events = [];
});
afterEach(async () => {
  for (const file of opened.splice(0)) await file.close();
  rmSync(folder, { recursive: true, force: true });
});

function open(at = path, now?: () => number): PasswdFile {
  const file = new PasswdFile({ path: at, onEvent: (event) => events.push(event), ...(now && { now }) });
  opened.push(file);
  return file;
}

const users = (file: PasswdFile): string[] => [...file.accounts.keys()];

/** By the kernel's count of this process's read(2) calls (proc(5), /proc/self/io). */
async function megabytesReadDuring(action: () => Promise<void>): Promise<number> {
  const bytesRead = (): number => Number(/^rchar: (\d+)$/m.exec(readFileSync("/proc/self/io", "latin1"))![1]);
  const before = bytesRead();
  await action();
  return (bytesRead() - before) / 1024 ** 2;
}

describe("PasswdFile.refresh", () => {
  it("reads the accounts, skips comments and names bad lines and duplicates with their numbers", async () => {
    writeFileSync(path, "# accounts\n\nmrose:first:1:1\nbad name:geheim\njoe:x:0\nmrose:second\r\nmallory:x");
    const file = open();
    await file.refresh();
    expect(users(file)).toEqual(["mrose", "mallory"]);
    expect(file.lookup("mrose")).toMatchObject({ password: "first", uid: "1", lineNumber: 3 });
    expect(file.lookup("Mrose")).toBeUndefined();
    expect(file.lookup("__proto__")).toBeUndefined();
    expect(events).toEqual([
      { kind: "invalid-line", path, lineNumber: 4, reason: "the user name holds whitespace" },
      { kind: "invalid-line", path, lineNumber: 5, reason: "uid 0 is not allowed" },
      { kind: "duplicate", path, lineNumber: 6, firstLineNumber: 3, user: "mrose" },
      { kind: "reloaded", path, accounts: 2 },
    ]);
  });

  it("reports a load once, however often it is asked", async () => {
    writeFileSync(path, "mrose:x\nbad name:x\n");
    const file = open();
    for (let round = 0; round < 5; round += 1) await file.refresh();
    await Promise.all([file.refresh(), file.refresh(), file.refresh()]);
    expect(events.map(({ kind }) => kind)).toEqual(["invalid-line", "reloaded"]);
  });

  it("misses no change within the same tick of the clock, of the same size and in place", async () => {
    writeFileSync(path, "mrose:000\n");
    const file = open();
    for (let round = 0; round < 200; round += 1) {
      const password = String(round).padStart(3, "0");
      writeFileSync(path, `mrose:${password}\n`);
      await file.refresh();
      expect(file.lookup("mrose")?.password).toBe(password);
    }
  });

  it("sees a change of an old file, even one whose mtime was set back", async () => {
    writeFileSync(path, "mrose:one\n");
    const { atime, mtime } = statSync(path);
    // As if the file had been read an hour after its last change, so that its stamps are trusted.
    const file = open(path, () => Date.now() + 3_600_000);
    await file.refresh();
    await eventually("the file system's clock ticks", () => {
      writeFileSync(join(folder, "other"), "");
      return statSync(join(folder, "other")).ctimeMs > statSync(path).ctimeMs;
    });
    writeFileSync(path, "mrose:two\n");
    utimesSync(path, atime, mtime);
    await file.refresh();
    expect(file.lookup("mrose")?.password).toBe("two");
  });

  it("does not read a file again that has not changed for long", async () => {
    const megabytes = 4;
    writeFileSync(path, `mrose:x\n${`# ${"x".repeat(1021)}\n`.repeat(1024 * megabytes)}`);
    const file = open(path, () => Date.now() + 3_600_000);
    const whileReading = await megabytesReadDuring(() => file.refresh());
    const afterwards = await megabytesReadDuring(() => file.refresh());
    expect(whileReading).toBeGreaterThan(megabytes * 0.9);
    expect(afterwards).toBeLessThan(megabytes / 2);
  });

  it("tells by the file's state what the accounts are of, where a change is bound to show in it", async () => {
    writeFileSync(path, "mrose:x\n");
    const fresh = open();
    await fresh.refresh();
    expect(fresh.state).toBeUndefined();
    const old = open(path, () => Date.now() + 3_600_000);
    expect(old.state).toBeUndefined();
    await old.refresh();
    expect(old.state).toBe(fileState(path));
    appendFileSync(path, "joe:x\n");
    expect(old.state).not.toBe(fileState(path));
    const reading = old.refresh();
    // Neither the one nor the other.
    expect(old.state).toBeUndefined();
    await reading;
    expect(old.state).toBe(fileState(path));
    unlinkSync(path);
    await old.refresh();
    expect([users(old), old.state]).toEqual([["mrose", "joe"], undefined]);
  });

  it("sees what stood in the file when it was called, even while another refresh runs", async () => {
    writeFileSync(path, "mrose:x\n");
    const file = open();
    const first = file.refresh();
    appendFileSync(path, "joe:x\n");
    await file.refresh();
    expect(users(file)).toEqual(["mrose", "joe"]);
    await first;
  });

  it("keeps the accounts while the file is gone, says so once, and once that it is back", async () => {
    writeFileSync(path, "mrose:x\n");
    const file = open();
    await file.refresh();
    unlinkSync(path);
    await file.refresh();
    await file.refresh();
    expect(users(file)).toEqual(["mrose"]);
    writeFileSync(path, "mrose:x\n");
    await file.refresh();
    expect(events).toEqual([
      { kind: "reloaded", path, accounts: 1 },
      { kind: "unreadable", path, code: "ENOENT", wasRead: true },
      { kind: "reloaded", path, accounts: 1 },
    ]);
  });

  it("names what is no file, and is not held up by a FIFO", async () => {
    mkdirSync(path);
    await open().refresh();
    execFileSync("mkfifo", [join(folder, "fifo")]);
    await open(join(folder, "fifo")).refresh();
    expect(events.map((event) => event.kind === "unreadable" && event.code)).toEqual(["EISDIR", "EINVAL"]);
  });

  it("reads a file of many lines whole", async () => {
    writeFileSync(path, Array.from({ length: 10_000 }, (_, number) => `user${number}:x\n`).join(""));
    const file = open();
    await file.refresh();
    expect(file.accounts.size).toBe(10_000);
    expect(file.lookup("user9999")?.lineNumber).toBe(10_000);
  });

  it("never shows half of a replaced file", async () => {
    const whole = (password: string) =>
      Array.from({ length: 500 }, (_, n) => `user${n}:${password}\n`).join("");
    writeFileSync(path, whole("a"));
    const file = open();
    for (let round = 0; round < 50; round += 1) {
      const refreshed = file.refresh();
      writeFileSync(join(folder, "new"), whole(round % 2 === 0 ? "b" : "a"));
      renameSync(join(folder, "new"), path);
      await refreshed;
      expect(file.accounts.size).toBe(500);
      expect(new Set([...file.accounts.values()].map(({ password }) => password)).size).toBe(1);
    }
  });
});

describe("PasswdFile.watch", () => {
  it("notices replacement by rename, writing in place, removal and return", async () => {
    writeFileSync(path, "one:x\n");
    const file = open();
    await file.watch();
    expect(users(file)).toEqual(["one"]);

    await editPasswdFile(path, (lines) => ({ kind: "write", lines: withLines(lines, ["two:x"]) }));
    await eventually("two is there", () => file.lookup("two"));
    writeFileSync(path, "three:x\n");
    await eventually("three is there", () => file.lookup("three"));
    unlinkSync(path);
    await eventually("the file is missed", () => events.some(({ kind }) => kind === "unreadable"));
    writeFileSync(path, "four:x\n");
    await eventually("four is there", () => file.lookup("four"));
    await editPasswdFile(path, (lines) => ({ kind: "write", lines: withLines(lines, ["five:x"]) }));
    await eventually("five is there", () => file.lookup("five"));
  });

  it("notices changes behind a symbolic link, and of the link", async () => {
    for (const [name, user] of [
      ["a", "one"],
      ["b", "three"],
    ] as const) {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, "accounts"), `${user}:x\n`);
    }
    symlinkSync("a/accounts", path);
    const file = open();
    await file.watch();
    expect(users(file)).toEqual(["one"]);
    await editPasswdFile(path, (lines) => ({ kind: "write", lines: withLines(lines, ["two:x"]) }));
    await eventually("two is there", () => file.lookup("two"));

    symlinkSync("b/accounts", join(folder, "link"));
    renameSync(join(folder, "link"), path);
    await eventually("three is there", () => file.lookup("three"));
    await eventually("a change of the new target is noticed", async () => {
      appendFileSync(join(folder, "b", "accounts"), "four:x\n");
      return file.lookup("four");
    });
  });

  it("notices what nothing tells of: a folder above the file that was exchanged", async () => {
    for (const [name, user] of [
      ["1", "one"],
      ["2", "two"],
    ] as const) {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, "accounts"), `${user}:x\n`);
    }
    symlinkSync("1", join(folder, "current"));
    const file = new PasswdFile({
      path: join(folder, "current", "accounts"),
      onEvent: () => {},
      lookEveryMs: 20,
    });
    await file.watch();
    expect(users(file)).toEqual(["one"]);
    symlinkSync("2", join(folder, "next"));
    renameSync(join(folder, "next"), join(folder, "current"));
    await eventually("two is there", () => file.lookup("two"));
    await file.close();
  });

  it("waits for a file that does not exist yet", async () => {
    const file = open();
    await file.watch();
    expect(events).toEqual([{ kind: "unreadable", path, code: "ENOENT", wasRead: false }]);
    writeFileSync(path, "mrose:x\n");
    await eventually("mrose is there", () => file.lookup("mrose"));
  });

  it("ends with close(), after which refresh() still works", async () => {
    writeFileSync(path, "one:x\n");
    const file = open();
    await file.watch();
    await file.close();
    writeFileSync(path, "two:x\n");
    await file.refresh();
    expect(users(file)).toEqual(["two"]);
  });
});
