// Downloads and deletes in a Maildir in use, by the real server; the same for a few seconds in the server tests and for
// half a minute in the peers tests.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { layOutMaildir } from "../../peers/support/maildir.ts";
import { mailOwner } from "../../support/mail-owner.ts";
import { startServer } from "../../support/server.ts";
import { BusyMaildir } from "./busy-maildir.ts";
import { downloadForAWhile } from "./download-and-delete.ts";

export function describeBusyMaildir(durationMs: number): void {
  describe.each(["off", "7d"])(
    "download and delete in a Maildir in use, keep_deleted = %s",
    (keepDeleted) => {
      it("delivers every message exactly once, and no session dies", {
        timeout: durationMs + 120_000,
      }, async () => {
        const owner = mailOwner();
        const home = mkdtempSync(join(tmpdir(), "dewey-busy-"));
        onTestFinished(() => rmSync(home, { recursive: true }));
        const maildir = layOutMaildir(home, owner);
        const server = await startServer({
          accounts: [{ user: "mrose", password: "secret", uid: owner.uid, gid: owner.gid, home }],
          owner,
          settings: { mail: { keep_deleted: keepDeleted } },
        });
        onTestFinished(() => server.stop());
        const busy = new BusyMaildir(maildir, owner);
        const downloads = await downloadForAWhile(server.port, busy, durationMs);
        const worked = {
          sessions: downloads.sessions,
          delivered: busy.delivered.size,
          renames: busy.renames,
          deleted: busy.deleted.size,
        };
        for (const [what, count] of Object.entries(worked)) expect(count, what).toBeGreaterThan(3);
        expect(server.log().filter(({ level }) => level === "error")).toEqual([]);
        const ends = server.log().filter(({ msg }) => msg === "session ended");
        expect(ends.map((line) => line["reason"])).toEqual(ends.map(() => "quit"));
      });
    },
  );
}
