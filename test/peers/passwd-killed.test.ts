// A change of the passwd file, killed at each of its system calls in turn by strace: whoever reads the file afterwards finds the old one
// or the new one, whole, and the next change goes through.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { setPassword } from "../../src/accounts/file/account-edits.ts";
import { editPasswdFile } from "../../src/accounts/file/edit.ts";
import { eventually } from "../support/eventually.ts";

const built = (path: string): string => fileURLToPath(new URL(`../../dist/${path}`, import.meta.url));

// What pop3-passwd set does once the password is hashed. Says "ready", waits for a line, changes the file. Its one pool thread makes the
// calls come in one order; the prctl(2) lets strace attach where only parents may (Yama).
const script = `
  import koffi from ${JSON.stringify(import.meta.resolve("koffi"))};
  import { setPassword } from ${JSON.stringify(built("accounts/file/account-edits.js"))};
  import { editPasswdFile } from ${JSON.stringify(built("accounts/file/edit.js"))};
  koffi.load(null).func("int prctl(int, unsigned long, unsigned long, unsigned long, unsigned long)")(0x59616d61, -1, 0, 0, 0);
  const file = process.argv[1];
  // Once for warmth: what is loaded at first use is no part of the change.
  await editPasswdFile(file, () => ({ kind: "keep" }));
  process.stdin.once("data", async () => {
    const outcome = await editPasswdFile(file, (lines) => setPassword(lines, "mrose", { field: "{PLAIN}new" }));
    process.exit(outcome.kind === "written" ? 0 : 1);
  });
  process.stdout.write("ready\\n");`;

const calls = [
  "openat",
  "statx,fstat,newfstatat",
  "readlink",
  "read,pread64",
  "write,pwrite64",
  "flock",
  "fgetxattr,fsetxattr,fremovexattr",
  "fchmod",
  "fsync",
  "getdents64",
  "rename",
  "close",
];

const before = "# accounts\nmrose:{PLAIN}old:1:1::/home/m::\njoe:{PLAIN}x\n";
const after = before.replace("old", "new");
let folder: string;
let file: string;
const seen = { old: 0, new: 0, leftover: 0 };

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "dewey-killed-"));
  file = join(folder, "passwd");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** @returns whether it was killed: false when it makes fewer such calls, and came to its end */
async function killAt(call: string, count: number): Promise<boolean> {
  const child = spawn(process.execPath, ["--input-type=module", "-e", script, file], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, UV_THREADPOOL_SIZE: "1" },
  });
  const ended = once(child, "exit");
  await once(child.stdout!, "data");
  const strace = await attach(child.pid!, call, count);
  child.stdin!.write("go\n");
  const [code, signal] = (await ended) as [number | null, string | null];
  if (strace.exitCode === null && strace.signalCode === null) await once(strace, "exit");
  expect([0, "SIGKILL"]).toContain(signal ?? code);
  return signal === "SIGKILL";
}

async function attach(pid: number, call: string, count: number): Promise<ChildProcess> {
  const args = ["-f", "-p", `${pid}`, "-o", "/dev/null", "-e", `inject=${call}:signal=KILL:when=${count}`];
  const strace = spawn("strace", args, { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  strace.stderr!.on("data", (octets: Buffer) => {
    said += octets.toString();
  });
  // Of every thread the kernel says by whom it is traced.
  await eventually(`strace is attached; it says: ${said}`, () => {
    if (strace.exitCode !== null) throw new Error(`strace ended: ${said}`);
    const tasks = readdirSync(`/proc/${pid}/task`);
    return tasks.every((task) =>
      /^TracerPid:\t[1-9]/m.test(readFileSync(`/proc/${pid}/task/${task}/status`, "utf8")),
    );
  });
  return strace;
}

describe("a change of the passwd file", () => {
  it.each(calls)("killed at each %s leaves the old file or the new one", async (call) => {
    let wasKilled = true;
    for (let count = 1; wasKilled; count += 1) {
      for (const name of readdirSync(folder)) rmSync(join(folder, name));
      writeFileSync(file, before);
      chmodSync(file, 0o640);
      wasKilled = await killAt(call, count);
      const content = readFileSync(file, "utf8");
      expect([before, after]).toContain(content);
      expect(statSync(file).mode & 0o777).toBe(0o640);
      if (!wasKilled) expect(content).toBe(after);
      else seen[content === before ? "old" : "new"] += 1;
      const rests = readdirSync(folder).filter((name) => name !== "passwd");
      if (rests.length > 0) seen.leftover += 1;
      // No hash in what is left may be read by others than the file's readers.
      for (const rest of rests) expect(statSync(join(folder, rest)).mode & 0o007).toBe(0);
      // Nor does it stand in the way of the next change.
      const next = await editPasswdFile(file, (lines) => setPassword(lines, "joe", { field: "{PLAIN}y" }));
      expect(next).toEqual({ kind: "written" });
      expect(readFileSync(file, "utf8")).toBe(content.replace("joe:{PLAIN}x", "joe:{PLAIN}y"));
    }
  });

  it("was killed before the new file was there, and after it", () => {
    expect(seen.old).toBeGreaterThan(20);
    expect(seen.new).toBeGreaterThan(0);
    expect(seen.leftover).toBeGreaterThan(3);
  });
});
