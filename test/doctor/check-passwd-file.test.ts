import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseConfig } from "../../src/config/load.ts";
import { checkPasswdFile, mayRead } from "../../src/doctor/check-passwd-file.ts";

const strong =
  "{ARGON2ID}$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$ZHVtbXloYXNoZHVtbXloYXNoZHVtbXloYXNoMTI";
let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "dewey-doctor-"));
  path = join(folder, "passwd");
});
afterEach(() => rmSync(folder, { recursive: true }));

function configFor() {
  const parsed = parseConfig(`auth.passwd_file = "${path}"`, "config.toml");
  if (parsed.kind === "faulty") throw new Error("bad test");
  return parsed.config;
}

async function check(text?: string, mode = 0o640, auth?: { uid: number; gid: number }) {
  if (text !== undefined) {
    writeFileSync(path, text);
    chmodSync(path, mode);
  }
  const { findings } = await checkPasswdFile(configFor(), auth);
  return findings.map(({ level, message }) => `${level}: ${message}`);
}

/** What is to be done about a sound file that auth may not read, as the group that the file should have. */
async function mendFor(auth: { uid: number; gid: number }): Promise<string | undefined> {
  writeFileSync(path, `mrose:${strong}\n`, { mode: 0o600 });
  const { findings } = await checkPasswdFile(configFor(), auth);
  return findings[0]?.mend;
}

describe("checkPasswdFile", () => {
  it("finds a sound file sound", async () => {
    expect(await check(`mrose:${strong}::::/home/mrose::\n`)).toEqual([
      `ok: ${path}: 1 account, 0 locked, nothing weak`,
    ]);
  });
  it("says how to begin where there is none", async () => {
    expect(await check()).toEqual([`error: cannot read ${path}: no such file or directory`]);
  });
  it("names bad lines, second ones, weak hashes, and never a hash", async () => {
    const found = await check(`mrose:${strong}\nmrose:{PLAIN}hunter2\njon:{PLAIN}hunter2\n../x:y\n`);
    expect(found).toEqual([
      `warning: ${path}:2 is skipped: mrose stands in line 1 already`,
      `error: ${path}:4 is skipped: the user name holds "/" or ":"`,
      expect.stringMatching(new RegExp(`^warning: ${path}:3 jon: `)),
    ]);
    expect(found.join()).not.toContain("hunter2");
  });
  it("names a file that everybody can read, or auth cannot", async () => {
    expect(await check(`mrose:${strong}\n`, 0o644)).toEqual([
      `error: ${path} has mode 644: every user of this host can take the hashes`,
    ]);
    const { uid, gid } = statSync(path);
    expect(await check(`mrose:${strong}\n`, 0o640, { uid: uid + 1, gid: gid + 1 })).toEqual([
      expect.stringMatching(/^error: .*the auth process \(uid \d+, gid \d+\) cannot read it$/),
    ]);
  });
  it("has the group by its name, where it has one", async () => {
    const uid = statSync(folder).uid + 1;
    expect(await mendFor({ uid, gid: 1 })).toBe(`chgrp daemon ${path} && chmod 640 ${path}`);
    expect(await mendFor({ uid, gid: 4_000_000_000 })).toBe(`chgrp 4000000000 ${path} && chmod 640 ${path}`);
  });
  it("names a hash that lost its end, and what to do", async () => {
    expect(await check(`mrose:$6$saltsalt$tNfVV1pvxzvuC4kd7\n`)).toEqual([
      `error: ${path}:1 mrose: the hash is not whole: SHA512-CRYPT has 86 characters behind the last "$", here are 17`,
    ]);
  });
});

describe("mayRead", () => {
  it("goes by the first class that fits", () => {
    const file = { uid: 1, gid: 1 };
    expect(mayRead({ ...file, mode: 0o040 }, { uid: 1, gid: 1 })).toBe(false);
    expect(mayRead({ ...file, mode: 0o040 }, { uid: 2, gid: 1 })).toBe(true);
    expect(mayRead({ ...file, mode: 0o004 }, { uid: 2, gid: 1 })).toBe(false);
    expect(mayRead({ ...file, mode: 0o004 }, { uid: 2, gid: 2 })).toBe(true);
  });
});
