import { existsSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { Maildrop } from "../../../src/maildir/maildrop.ts";
import { exportUidlist } from "../../../src/maildir/migration/export-uidlist.ts";
import { exportUniqueIds } from "../../../src/maildir/migration/export-unique-ids.ts";
import { importUniqueIds } from "../../../src/maildir/migration/import-unique-ids.ts";
import { ScratchMaildir } from "../scratch-maildir.ts";

const fresh = { uidValidity: 77, guid: "00112233445566778899aabbccddeeff" };
const nowMs = Date.UTC(2026, 10, 25, 17, 5, 7);
const now = { now: () => nowMs };
const backupName = "dovecot-uidlist.20261125T170507.bak";

/** @param messages "file name=unique-id", in message number order; without "=": its base name */
function exported(old: string | undefined, ...messages: string[]) {
  const served = messages.map((message) => {
    const [name = "", id] = message.split("=") as [string, string?];
    const baseName = name.replace(/:.*/s, "");
    return { name, baseName, uniqueId: id ?? baseName };
  });
  const result = exportUidlist(old === undefined ? undefined : Buffer.from(old, "latin1"), served, fresh);
  return result.kind === "list" ? { ...result, octets: result.octets.toString("latin1") } : result;
}

describe("exportUidlist", () => {
  it("makes a list where there is none", () => {
    expect(exported(undefined, "1.a:2,S", "2.b=0000004d00000001")).toEqual({
      kind: "list",
      octets: `3 V77 N3 G${fresh.guid}\n1 P :1.a:2,S\n2 P0000004d00000001 :2.b\n`,
      changed: 2,
      unwritable: 0,
    });
  });

  it("keeps header, uids, other fields and what is gone; new messages get the next uids", () => {
    const old = "3 V5 Xmore N20 Gx\n7 W12 Pold O9 S10 :1.a:2,S\n9 :8.gone\n11 :2.b\n";
    expect(exported(old, "1.a:2,RS=one", "2.b=two", "3.c")).toEqual({
      kind: "list",
      octets: "3 V5 Xmore N21 Gx\n7 W12 S10 Pone :1.a:2,S\n9 :8.gone\n11 Ptwo :2.b\n20 P :3.c\n",
      changed: 3,
      unwritable: 0,
    });
  });

  it("saves the order where it is not that of the uids", () => {
    expect(exported("3 V5 N9\n7 P :2.b\n8 P :1.a\n", "1.a", "2.b", "3.c")).toMatchObject({
      octets: "3 V5 N10\n7 P O2 :2.b\n8 P O1 :1.a\n9 P O3 :3.c\n",
      changed: 3,
    });
  });

  it("changes nothing where all is told already, in whatever order of fields", () => {
    expect(exported("3 V5 N9\n7 P1.a W5 :1.a\n8 S7 Pid :2.b\n", "1.a", "2.b=id")).toMatchObject({
      changed: 0,
    });
  });

  it("goes on with version 1, with two records of one file, and behind a next uid that is too low", () => {
    expect(exported("1 5 3\n1 1.a:2,S\n2 2.b\n", "1.a", "2.b")).toMatchObject({
      octets: "3 V5 N3\n1 P :1.a\n2 P :2.b\n",
    });
    expect(exported("3 V5 N2\n1 :1.a\n4 :1.a:2,S\n", "1.a", "2.b")).toMatchObject({
      octets: "3 V5 N6\n4 P :1.a:2,S\n5 P :2.b\n",
    });
  });

  it("tells what it cannot name, and refuses what it cannot go on with", () => {
    expect(exported(undefined, "1.a", "2\nb")).toMatchObject({ unwritable: 1, changed: 1 });
    expect(exported("2 5 3\n", "1.a")).toEqual({ kind: "unusable", reason: "another version's" });
    expect(exported("3 V5 N4294967294\n", "1.a")).toEqual({
      kind: "unusable",
      reason: "its uids are used up",
    });
  });
});

describe("exportUniqueIds", () => {
  function maildirWithList(): ScratchMaildir {
    const maildir = ScratchMaildir.make();
    maildir.write("cur", "1.a:2,S");
    maildir.write("new", "2.b");
    writeFileSync(maildir.file("dovecot-uidlist"), "3 V123 N9\n8 :1.a\n", { mode: 0o640 });
    return maildir;
  }
  const list = (maildir: ScratchMaildir) => readFileSync(maildir.file("dovecot-uidlist"), "latin1");

  it("saves inherited unique-ids and ours, keeps a backup and the mode, and does nothing the second time", async () => {
    const maildir = maildirWithList();
    await importUniqueIds(maildir.path, { from: "auto" });
    const backup = maildir.file(backupName);
    expect(await exportUniqueIds(maildir.path, {}, now)).toEqual({
      kind: "exported",
      messages: 2,
      changed: 2,
      unwritable: 0,
      backup,
    });
    expect(list(maildir)).toBe("3 V123 N10\n8 P000000080000007b :1.a\n9 P :2.b\n");
    expect(statSync(maildir.file("dovecot-uidlist")).mode & 0o777).toBe(0o640);
    expect(readFileSync(backup, "latin1")).toBe("3 V123 N9\n8 :1.a\n");
    const written = readdirSync(maildir.path).filter((name) => name.startsWith("dovecot"));
    expect(written.sort()).toEqual(["dovecot-uidlist", backupName]);
    expect(await exportUniqueIds(maildir.path, {}, now)).toMatchObject({ kind: "unchanged", backup: null });
    // And back again: the same unique-ids.
    expect(await importUniqueIds(maildir.path, { from: "auto" })).toMatchObject({ kind: "unchanged" });
  });

  it("a dry run changes nothing", async () => {
    const maildir = maildirWithList();
    const before = readdirSync(maildir.path);
    expect(await exportUniqueIds(maildir.path, { dryRun: true })).toMatchObject({
      kind: "would-export",
      changed: 2,
    });
    expect(readdirSync(maildir.path)).toEqual(before);
    expect(list(maildir)).toBe("3 V123 N9\n8 :1.a\n");
  });

  it("waits for a session and for a Dovecot that writes, and takes over a lock that one left behind", async () => {
    const maildir = maildirWithList();
    const session = await Maildrop.open(maildir.path);
    if (session.kind !== "open") throw new Error(session.kind);
    expect(await exportUniqueIds(maildir.path, {})).toEqual({ kind: "locked", by: "session" });
    session.maildrop.close();
    await session.maildrop.closed;
    const lock = maildir.file("dovecot-uidlist.lock");
    writeFileSync(lock, "1:elsewhere");
    expect(await exportUniqueIds(maildir.path, {})).toEqual({ kind: "locked", by: "dovecot" });
    expect(list(maildir)).toBe("3 V123 N9\n8 :1.a\n");
    utimesSync(lock, Date.now() / 1000 - 121, Date.now() / 1000 - 121);
    expect(await exportUniqueIds(maildir.path, {})).toMatchObject({ kind: "exported" });
    expect(existsSync(lock)).toBe(false);
  });

  it("leaves a list alone that it cannot read", async () => {
    const maildir = maildirWithList();
    writeFileSync(maildir.file("dovecot-uidlist"), "9 what is this\n");
    expect(await exportUniqueIds(maildir.path, {})).toMatchObject({
      kind: "failed",
      reason: expect.stringContaining("another version's"),
    });
    expect(list(maildir)).toBe("9 what is this\n");
    expect(existsSync(maildir.file("dovecot-uidlist.lock"))).toBe(false);
  });

  it("says so where there is no Maildir", async () => {
    expect(await exportUniqueIds("/nowhere/Maildir", {})).toEqual({ kind: "missing" });
  });
});
