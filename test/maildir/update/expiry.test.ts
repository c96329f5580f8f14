import { describe, expect, it } from "vitest";
import { type Files, systemFiles } from "../../../src/maildir/files/files.ts";
import { ScratchMaildir } from "../scratch-maildir.ts";
import { updateSession } from "../session.ts";

const DAY_MS = 86_400_000;
const nowMs = 1_764_075_600_000;
const ago = (days: number): number => nowMs - days * DAY_MS;
const thirtyDays = { expireMs: 30 * DAY_MS, now: () => nowMs };

function deliver(maildir: ScratchMaildir, name: string, deliveredMs: number, fileMs = deliveredMs): string {
  const full = `${Math.floor(deliveredMs / 1000)}.${name}.host`;
  maildir.write("new", full);
  maildir.setTime(`new/${full}`, fileMs);
  return full;
}

describe("mail.expire", () => {
  it("removes at UPDATE what is older by its name and by its file's time, and counts it apart", async () => {
    const maildir = ScratchMaildir.make();
    deliver(maildir, "old", ago(31));
    const copied = deliver(maildir, "copied", ago(400), ago(2));
    const young = deliver(maildir, "young", ago(29), ago(400));
    maildir.write("cur", "no-time:2,S");
    maildir.setTime("cur/no-time:2,S", ago(31));
    maildir.write("cur", "no-time-either:2,S");
    maildir.setTime("cur/no-time-either:2,S", ago(29));
    const result = await updateSession(maildir, thirtyDays, { deleted: [] });
    expect(result).toMatchObject({ removed: 0, expired: 2, failed: [], events: [] });
    expect(maildir.names("new")).toEqual([copied, young]);
    expect(maildir.names("cur")).toEqual(["no-time-either:2,S"]);
  });

  it("is never unless it is told", async () => {
    const maildir = ScratchMaildir.make();
    deliver(maildir, "old", ago(9_000));
    expect(await updateSession(maildir, { now: () => nowMs }, { deleted: [] })).toMatchObject({ expired: 0 });
    expect(maildir.names("new")).toHaveLength(1);
  });

  it("keeps what cannot be removed, which is no failure of the client's marks", async () => {
    const maildir = ScratchMaildir.make();
    const old = deliver(maildir, "old", ago(31));
    const young = deliver(maildir, "young", ago(1));
    const files: Files = {
      ...systemFiles,
      unlink: (path) =>
        String(path).includes(old)
          ? Promise.reject(Object.assign(new Error("EACCES"), { code: "EACCES" }))
          : systemFiles.unlink(path),
    };
    const result = await updateSession(maildir, { ...thirtyDays, files }, { deleted: [1] });
    expect(result).toMatchObject({ removed: 1, expired: 0, failed: [] });
    expect(result.events).toEqual([{ kind: "not-expired", count: 1, uniqueId: old, code: "EACCES" }]);
    expect(maildir.names("new")).toEqual([old]);
    expect(young).toBeDefined();
  });

  it("does not touch a message that was delivered during the session", async () => {
    const maildir = ScratchMaildir.make();
    const files: Files = {
      ...systemFiles,
      lstat: async (path) => {
        maildir.write("new", "1.late.host");
        maildir.setTime("new/1.late.host", ago(31));
        return systemFiles.lstat(path);
      },
    };
    deliver(maildir, "old", ago(31));
    expect(await updateSession(maildir, { ...thirtyDays, files }, { deleted: [] })).toMatchObject({
      expired: 1,
    });
    expect(maildir.names("new")).toEqual(["1.late.host"]);
  });
});
