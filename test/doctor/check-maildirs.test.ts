import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { maildirFindings } from "../../src/doctor/check-maildirs.ts";
import { lookAt } from "../../src/doctor/maildir-worker.ts";

const self = { uid: process.getuid!(), gid: process.getgid!() };
const owner = { uid: 12_345, gid: 12_345 };
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "dewey-doctor-"));
  chmodSync(folder, 0o755);
});
afterEach(() => {
  chmodSync(folder, 0o755);
  rmSync(folder, { recursive: true });
});

function layOut(mode = 0o700): string {
  const maildir = join(folder, "Maildir");
  for (const part of ["new", "cur", "tmp"]) mkdirSync(join(maildir, part), { recursive: true, mode: 0o700 });
  chmodSync(maildir, mode);
  return maildir;
}

async function check(): Promise<string[]> {
  const seen = await lookAt(join(folder, "Maildir"), Date.now());
  return maildirFindings("mrose", seen, self, "flock", Date.now()).map(
    ({ level, message }) => `${level}: ${message}`,
  );
}

describe("a Maildir", () => {
  it("finds a sound Maildir sound, and changes nothing in it", async () => {
    layOut();
    expect(await check()).toEqual([]);
    expect(readdirSync(join(folder, "Maildir")).sort()).toEqual(["cur", "new", "tmp"]);
  });

  it("notes one that is not there yet", async () => {
    expect(await check()).toEqual([`note: mrose: ${folder}/Maildir is not there yet`]);
  });

  it("names what keeps one from being made, as a folder of root's that nothing is mounted on", () => {
    const fault = { kind: "not-makeable", at: "/srv/mail", detail: "EACCES" } as const;
    const seen = { path: "/srv/mail/example.org/mrose", fault, oldTmpFiles: 0 };
    expect(maildirFindings("mrose", seen, owner, "flock", 0)).toEqual([
      {
        check: "maildirs",
        level: "error",
        message: `mrose: ${seen.path} is not there, and the mail's owner (uid ${owner.uid}, gid ${owner.gid}) cannot make it in /srv/mail (permission denied)`,
        mend: `mount the mail's file system, if it is missing; else install -d -o ${owner.uid} -g ${owner.gid} /srv/mail/example.org`,
      },
    ]);
  });

  it("names a missing folder", async () => {
    rmSync(join(layOut(), "cur"), { recursive: true });
    expect(await check()).toEqual([`error: mrose: ${folder}/Maildir/cur is missing or no folder (ENOENT)`]);
  });

  it("names a Maildir that others can read", async () => {
    layOut(0o755);
    expect(await check()).toEqual([
      `warning: mrose: ${folder}/Maildir has mode 755: others on this host get at the mail`,
    ]);
  });

  it("counts what deliveries left in tmp/", async () => {
    const old = join(layOut(), "tmp/1.old");
    writeFileSync(old, "");
    utimesSync(old, new Date("2020-01-01"), new Date("2020-01-01"));
    expect(await check()).toEqual([
      `note: mrose: ${folder}/Maildir/tmp has 1 files of deliveries that never ended`,
    ]);
  });

  it("says how to mend a path that does not let the owner through", () => {
    const fault = { kind: "not-traversable", at: "/home", detail: "EACCES" } as const;
    expect(
      maildirFindings("mrose", { path: "/home/mrose/Maildir", fault, oldTmpFiles: 0 }, owner, "flock", 0),
    ).toEqual([
      {
        check: "maildirs",
        level: "error",
        message: `mrose: /home lets the mail's owner (uid ${owner.uid}, gid ${owner.gid}) not through to /home/mrose/Maildir`,
        mend: "chmod o+x /home",
      },
    ]);
  });

  it("tells a dotlock that is no longer refreshed; a flock's file is left there for good", () => {
    const seen = { path: "/m", oldTmpFiles: 0, lockChangedAtMs: 0 };
    expect(maildirFindings("mrose", seen, owner, "dotlock", 600_000)).toMatchObject([{ level: "note" }]);
    expect(maildirFindings("mrose", seen, owner, "dotlock", 60_000)).toEqual([]);
    expect(maildirFindings("mrose", seen, owner, "flock", 600_000)).toEqual([]);
  });
});
