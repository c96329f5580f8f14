// Time limits, against the real server.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { layOutMaildir, readMaildir } from "../peers/support/maildir.ts";
import { Pop3Connection } from "../peers/support/pop3.ts";
import { eventually } from "../support/eventually.ts";
import { mailOwner } from "../support/mail-owner.ts";
import { countedBy } from "../support/pop3-ctl.ts";
import { startServer, type TestServer } from "../support/server.ts";

describe("limits", () => {
  let home: string;
  let maildir: string;
  let server: TestServer;

  beforeAll(async () => {
    const owner = mailOwner();
    home = mkdtempSync(join(tmpdir(), "dewey-limits-"));
    maildir = layOutMaildir(home, owner, new Map([["new/1.one", Buffer.from("A: 1\n\n")]]));
    server = await startServer({
      accounts: [{ user: "mrose", password: "secret", uid: owner.uid, gid: owner.gid, home }],
      owner,
      settings: { limits: { login_time: "2s", idle_time: "1500ms" } },
    });
  });

  afterAll(async () => {
    await server.stop();
    rmSync(home, { recursive: true });
  });

  it("login_time closes a connection that does not log in, without a reply (RFC 1939 §3)", async () => {
    const { connection } = await Pop3Connection.open(server.port);
    await connection.closed;
    await expect(connection.reply()).rejects.toThrow("closed the connection");
    expect(await countedBy(server, "limits_reached")).toMatchObject({ "limits.login_time": 1 });
  });

  it("idle_time closes a session without a reply and without UPDATE", async () => {
    const session = await Pop3Connection.login(server.port, "mrose", "secret");
    await session.command("DELE 1");
    await session.closed;
    await expect(session.reply()).rejects.toThrow("closed the connection");
    const line = await eventually("the session's end", () =>
      server.log().find(({ msg }) => msg === "session ended"),
    );
    expect(line).toMatchObject({ reason: "idle", deleted: 0 });
    expect(readMaildir(maildir)).toHaveLength(1);
    expect(await countedBy(server, "limits_reached")).toMatchObject({ "limits.idle_time": 1 });
  });

  it("idle_time begins anew with every command, beyond login_time", async () => {
    const session = await Pop3Connection.login(server.port, "mrose", "secret");
    const begin = performance.now();
    while (performance.now() - begin < 2500) {
      expect((await session.command("NOOP")).status).toBe("+OK");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect((await session.command("QUIT")).status).toBe("+OK");
  });

  it("failure_delay holds a refusal back, for an unknown user as for a wrong password", async () => {
    const slow = await startServer({
      accounts: [{ user: "mrose", password: "secret", uid: 1000, gid: 1000, home }],
      owner: mailOwner(),
      settings: { auth: { failure_delay: "400ms" } },
    });
    for (const user of ["mrose", "nobody-here"]) {
      const { connection } = await Pop3Connection.open(slow.port);
      await connection.command(`USER ${user}`);
      const begin = performance.now();
      expect(await connection.command("PASS wrong")).toEqual({
        status: "-ERR",
        text: "[AUTH] authentication failed",
      });
      expect(performance.now() - begin).toBeGreaterThanOrEqual(395);
      connection.drop();
    }
    await slow.stop();
  });
});
