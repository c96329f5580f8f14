import {
  chmodSync,
  chownSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { addAccount, setPassword } from "../../../src/accounts/file/account-edits.ts";
import { type EditChange, editPasswdFile } from "../../../src/accounts/file/edit.ts";
import { type PasswdLine, withLines } from "../../../src/accounts/file/passwd-lines.ts";
import { tryFlock } from "../../../src/host/flock.ts";

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "pop3-passwd-"));
  path = join(folder, "passwd");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const isRoot = process.getuid?.() === 0;
const append =
  (text: string) =>
  (lines: readonly PasswdLine[]): EditChange => ({
    kind: "write",
    lines: withLines(lines, [text]),
  });
const content = (): string => readFileSync(path, "latin1");
const mode = (file: string): number => statSync(file).mode & 0o7777;

describe("editPasswdFile", () => {
  it("writes back every byte that was not changed", async () => {
    const before = "# K\xf6penick\r\n\n  \nmrose:old:1:1:M\xfcller\r\nbad line\n:\njoe:x";
    writeFileSync(path, before, "latin1");
    const outcome = await editPasswdFile(path, (lines) => setPassword(lines, "mrose", { field: "new" }));
    expect(outcome).toEqual({ kind: "written" });
    expect(content()).toBe(before.replace("old", "new"));
  });

  it.each([0o600, 0o640, 0o644, 0o666])("keeps the mode %o, whatever the umask", async (wanted) => {
    writeFileSync(path, "a:x\n");
    chmodSync(path, wanted);
    const umask = process.umask(0o077);
    try {
      await editPasswdFile(path, append("b:x"));
    } finally {
      process.umask(umask);
    }
    expect(mode(path)).toBe(wanted);
  });

  it("keeps owner and group", async () => {
    writeFileSync(path, "a:x\n");
    // Only root may give files away; for others this holds the owner they have.
    if (isRoot) chownSync(path, 12345, 23456);
    const { uid, gid, ino } = statSync(path);
    expect(await editPasswdFile(path, append("b:x"))).toEqual({ kind: "written" });
    expect(statSync(path)).toMatchObject({ uid, gid });
    expect(statSync(path).ino).not.toBe(ino);
  });

  it("replaces a symbolic link's target and leaves the link", async () => {
    mkdirSync(join(folder, "real"));
    writeFileSync(join(folder, "real", "accounts"), "a:x\n");
    symlinkSync("real/accounts", path);
    expect(await editPasswdFile(path, append("b:x"))).toEqual({ kind: "written" });
    expect(readlinkSync(path)).toBe("real/accounts");
    expect(content()).toBe("a:x\nb:x\n");
    expect(readdirSync(join(folder, "real"))).toEqual(["accounts"]);
  });

  it("leaves nothing else in the folder", async () => {
    writeFileSync(path, "a:x\n");
    await editPasswdFile(path, append("b:x"));
    expect(readdirSync(folder)).toEqual(["passwd"]);
  });

  it("removes the temporary file of a process killed long ago, and no other file", async () => {
    writeFileSync(path, "a:x\n");
    const [stale, fresh, foreign] = [
      ".passwd.pop3-passwd.0123456789ab",
      ".passwd.pop3-passwd.ba9876543210",
      ".passwd.swp",
    ];
    for (const name of [stale, fresh, foreign]) writeFileSync(join(folder, name), "");
    for (const name of [stale, foreign]) utimesSync(join(folder, name), 1_000_000, 1_000_000);
    await editPasswdFile(path, append("b:x"));
    expect(readdirSync(folder).sort()).toEqual([fresh, foreign, "passwd"].sort());
  });

  it("does not touch the file when nothing is to change or the change is refused", async () => {
    writeFileSync(path, "a:x\n");
    const { ino, mtimeMs } = statSync(path);
    expect(await editPasswdFile(path, () => ({ kind: "keep" }))).toEqual({ kind: "kept" });
    expect(await editPasswdFile(path, () => ({ kind: "refuse", reason: "no" }))).toEqual({
      kind: "refused",
      reason: "no",
    });
    expect(statSync(path)).toMatchObject({ ino, mtimeMs });
    expect(readdirSync(folder)).toEqual(["passwd"]);
  });

  it("loses none of twenty changes made at the same time", async () => {
    writeFileSync(path, "# accounts\n");
    const users = Array.from({ length: 20 }, (_, number) => `user${number}`);
    const outcomes = await Promise.all(
      users.map((user) =>
        editPasswdFile(path, (lines) =>
          addAccount(lines, { user, password: "x", gecos: "", extra: new Map() }),
        ),
      ),
    );
    expect(outcomes).toEqual(users.map(() => ({ kind: "written" })));
    const lines = content().trimEnd().split("\n");
    expect(lines[0]).toBe("# accounts");
    expect(lines.slice(1).sort()).toEqual(users.map((user) => `${user}:x::::::`).sort());
  });

  it("makes a missing file only when asked to, readable for nobody else", async () => {
    expect(await editPasswdFile(path, append("a:x"))).toEqual({
      kind: "failed",
      reason: `cannot change ${path}: no such file or directory`,
    });
    expect(readdirSync(folder)).toEqual([]);
    expect(await editPasswdFile(path, append("a:x"), { create: true })).toEqual({ kind: "written" });
    expect(content()).toBe("a:x\n");
    expect(mode(path)).toBe(isRoot ? 0o640 : 0o600);
  });

  it("makes one file when many want to make it", async () => {
    await Promise.all(
      Array.from({ length: 5 }, (_, n) => editPasswdFile(path, append(`u${n}:x`), { create: true })),
    );
    expect(content().trimEnd().split("\n").sort()).toEqual(["u0:x", "u1:x", "u2:x", "u3:x", "u4:x"]);
  });

  it("says what is in the way", async () => {
    mkdirSync(path);
    expect(await editPasswdFile(path, append("a:x"))).toMatchObject({
      kind: "failed",
      reason: `cannot change ${path}: is a directory`,
    });
    symlinkSync("nowhere", join(folder, "link"));
    expect(await editPasswdFile(join(folder, "link"), append("a:x"), { create: true })).toMatchObject({
      kind: "failed",
    });
    expect(await editPasswdFile(join(folder, "no", "passwd"), append("a:x"), { create: true })).toMatchObject(
      {
        kind: "failed",
      },
    );
  });

  it("gives up when another program holds the lock", async () => {
    writeFileSync(path, "a:x\n");
    const fd = openSync(path, "r+");
    try {
      expect(tryFlock(fd)).toBe(true);
      expect(await editPasswdFile(path, append("b:x"), { lockTimeoutMs: 50 })).toEqual({
        kind: "failed",
        reason: `${path} is locked by another program`,
      });
    } finally {
      closeSync(fd);
    }
    expect(await editPasswdFile(path, append("b:x"))).toEqual({ kind: "written" });
    expect(content()).toBe("a:x\nb:x\n");
  });

  it("starts again when an editor that knows no lock saved meanwhile, in place or by rename", async () => {
    writeFileSync(path, "a:x\n");
    let calls = 0;
    const outcome = await editPasswdFile(path, (lines) => {
      calls += 1;
      // Same size, within the same clock tick: nothing but the content differs.
      if (calls === 1) writeFileSync(path, "b:x\n");
      if (calls === 2) {
        writeFileSync(join(folder, "new"), "c:x\n");
        renameSync(join(folder, "new"), path);
      }
      return append("mine:x")(lines);
    });
    expect(outcome).toEqual({ kind: "written" });
    expect(calls).toBe(3);
    expect(content()).toBe("c:x\nmine:x\n");
    expect(readdirSync(folder)).toEqual(["passwd"]);
  });

  it("leaves the old file and no other when the change throws", async () => {
    writeFileSync(path, "a:x\n");
    const fault = new Error("a fault of ours");
    await expect(
      editPasswdFile(path, () => {
        throw fault;
      }),
    ).rejects.toBe(fault);
    expect(readdirSync(folder)).toEqual(["passwd"]);
    expect(content()).toBe("a:x\n");
  });
});
