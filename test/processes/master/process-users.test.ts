import { describe, expect, it } from "vitest";
import { parseConfig } from "../../../src/config/load.ts";
import { processUsers, type UsersResult } from "../../../src/processes/master/process-users.ts";

// Users that every Debian has.
const ours = `login_user = "daemon"\nauth_user = "bin"\n`;

function users(server: string, mail: string, isRoot = true): UsersResult {
  const loaded = parseConfig(`[server]\n${server}[mail]\n${mail}`, "config.toml");
  if (loaded.kind === "faulty") throw new Error(JSON.stringify(loaded.faults));
  return processUsers(loaded.config, isRoot);
}

describe("processUsers", () => {
  it("gives all mail to mail.user, or to each account's own user", () => {
    const found = { auth: { uid: 2, gid: 2 }, login: { uid: 1, gid: 1 } };
    expect(users(ours, 'user = "games"\ngroup = "mail"\n')).toMatchObject({
      kind: "users",
      users: { ...found, mail: { uid: 5, gid: 8 } },
    });
    expect(users(ours, "")).toMatchObject({ kind: "users", users: { ...found, mail: "each-account" } });
  });

  it("leaves all to the starter without root", () => {
    expect(users(ours, "", false)).toMatchObject({
      kind: "users",
      users: { auth: undefined, login: undefined, mail: undefined },
    });
  });

  it('refuses processes = "combined" where each account has a user of its own, and says what to do', () => {
    expect(users(`${ours}processes = "combined"\n`, "")).toEqual({
      kind: "unknown",
      key: "server.processes",
      message: expect.stringMatching(/set mail\.user, or processes = "separate"/),
    });
  });

  it("looks for a user of metrics only where they are served, and wants one that is nobody else", () => {
    const served = (metricsUser: string): UsersResult => {
      const loaded = parseConfig(
        `[server]\n${ours}metrics_user = "${metricsUser}"\n[metrics]\nlisten = "127.0.0.1:9911"\n`,
        "config.toml",
      );
      if (loaded.kind === "faulty") throw new Error(JSON.stringify(loaded.faults));
      return processUsers(loaded.config, true);
    };
    expect(users(`${ours}metrics_user = "nobody-here"\n`, "")).toMatchObject({
      users: { metrics: undefined, sockets: { metrics: [] } },
    });
    expect(served("sync")).toMatchObject({
      users: { metrics: { uid: 4 }, sockets: { metrics: [{ host: "127.0.0.1", port: 9911 }] } },
    });
    for (const user of ["daemon", "root", "nobody-here"]) {
      expect(served(user)).toMatchObject({ kind: "unknown", key: "server.metrics_user" });
    }
  });

  it.each([
    ["mail.user", ours, 'user = "root"\n'],
    ["mail.user", ours, 'user = "bin"\n'],
    ["mail.user", ours, 'user = "nobody-here"\n'],
    ["mail.group", ours, 'user = "games"\ngroup = "no-such-group"\n'],
    ["server.login_user", `login_user = "nobody-here"\nauth_user = "bin"\n`, ""],
    ["server.auth_user", `login_user = "daemon"\nauth_user = "daemon"\n`, ""],
    ["server.auth_user", `login_user = "daemon"\nauth_user = 0\n`, ""],
  ])("names %s as the key to blame", (key, server, mail) => {
    expect(users(server, mail)).toMatchObject({ kind: "unknown", key });
  });
});
