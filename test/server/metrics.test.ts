// What the real server tells Prometheus, in both ways of running it.
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { layOutMaildir } from "../peers/support/maildir.ts";
import { Pop3Connection } from "../peers/support/pop3.ts";
import { eventually } from "../support/eventually.ts";
import { mailOwner, runsAsRoot } from "../support/mail-owner.ts";
import { metricsAddress, scrape } from "../support/metrics.ts";
import { askServer } from "../support/pop3-ctl.ts";
import { childrenOf, statusOf } from "../support/processes.ts";
import { startServer, type TestServer } from "../support/server.ts";

/** A user that every Debian has and that owns no files. */
const metricsUser = "sync";

describe.each(["separate", "combined"] as const)("metrics, processes %s", (processes) => {
  let home: string;
  let socket: string;
  let server: TestServer;
  const metrics = () => scrape({ host: "127.0.0.1", port: metricsAddress(server).port });

  beforeAll(async () => {
    const owner = mailOwner();
    home = mkdtempSync(join(tmpdir(), "dewey-metrics-"));
    socket = join(home, "metrics.sock");
    layOutMaildir(home, owner, new Map([["new/1.one", Buffer.from("Subject: one\n\n1\n")]]));
    server = await startServer({
      accounts: [{ user: "mrose", password: "secret", uid: owner.uid, gid: owner.gid, home }],
      owner,
      settings: {
        server: {
          processes,
          login_processes: 2,
          mailbox_processes: 2,
          ...(runsAsRoot() ? { metrics_user: metricsUser } : {}),
        },
        metrics: { listen: ["127.0.0.1:0", { path: socket, mode: "0640" }] },
      },
    });
  });
  afterAll(async () => {
    await server.stop();
    rmSync(home, { recursive: true });
  });

  it("are summed over all processes, with what is open at the moment", async () => {
    const { connection } = await Pop3Connection.open(server.port);
    await connection.command("USER mrose");
    await connection.command("PASS wrong");
    const session = await Pop3Connection.login(server.port, "mrose", "secret");
    await session.multiLine("RETR 1");
    await session.command("RETR 2");
    await session.command("NONSENSE");
    const now = await metrics();
    expect(now.status).toBe(200);
    expect(now.values).toMatchObject({
      "dewey_pop3_connections_total{}": 2,
      "dewey_pop3_connections_open{}": 2,
      "dewey_pop3_sessions_open{}": 1,
      'dewey_pop3_logins_total{client="pop3",mechanism="PLAIN",result="ok"}': 1,
      'dewey_pop3_logins_total{client="pop3",mechanism="PLAIN",result="refused"}': 1,
      'dewey_pop3_commands_total{command="PASS",status="err"}': 1,
      'dewey_pop3_commands_total{command="PASS",status="ok"}': 1,
      'dewey_pop3_commands_total{command="RETR",status="ok"}': 1,
      'dewey_pop3_commands_total{command="RETR",status="err"}': 1,
      'dewey_pop3_commands_total{command="unknown",status="err"}': 1,
      'dewey_pop3_command_duration_seconds_bucket{command="RETR",le="+Inf"}': 2,
      'dewey_pop3_command_duration_seconds_count{command="RETR"}': 2,
      "dewey_pop3_messages_retrieved_total{}": 1,
      "dewey_pop3_octets_sent_total{}": 19,
      'dewey_pop3_maildrops_opened_total{sizes="unknown"}': 1,
      "dewey_pop3_processes_silent{}": 0,
      ...(processes === "separate"
        ? { 'dewey_pop3_processes{role="login"}': 2, 'dewey_pop3_processes{role="mailbox"}': 2 }
        : { 'dewey_pop3_processes{role="combined"}': 2 }),
      'dewey_pop3_processes{role="metrics"}': 1,
    });
    expect(now.values['dewey_pop3_resident_memory_bytes{role="master"}']).toBeGreaterThan(1e7);
    await session.command("DELE 1");
    await session.command("QUIT");
    await connection.command("QUIT");
    await eventually("nobody connected", async () => {
      const { values } = await metrics();
      return values["dewey_pop3_connections_open{}"] === 0 && values["dewey_pop3_sessions_open{}"] === 0;
    });
    expect((await metrics()).values).toMatchObject({
      'dewey_pop3_sessions_total{reason="quit"}': 1,
      "dewey_pop3_messages_deleted_total{}": 1,
    });
    // The password's time is that of the hash, not zero.
    const { values } = await metrics();
    expect(values['dewey_pop3_command_duration_seconds_sum{command="PASS"}']).toBeGreaterThan(0.001);
  });

  it("are what pop3-ctl stats tells", async () => {
    const { counters } = (await askServer(server, "stats")) as {
      counters: { name: string; labels: Record<string, string>; value: number }[];
    };
    const { values } = await metrics();
    const logins = counters.filter(({ name }) => name === "logins");
    expect(logins).not.toHaveLength(0);
    for (const { labels, value } of logins) {
      const text = Object.entries(labels).map(([label, of]) => `${label}="${of}"`);
      expect(values[`dewey_pop3_logins_total{${text.join(",")}}`]).toBe(value);
    }
  });

  it("are served on a UNIX socket with the mode that was asked for", async () => {
    const { values } = await scrape({ socketPath: socket });
    expect(values["dewey_pop3_connections_total{}"]).toBeGreaterThan(0);
    expect(statSync(socket).mode & 0o777).toBe(0o640);
  });

  it("are one page by GET and HEAD, and there is no other", async () => {
    const { port } = metricsAddress(server);
    expect(await scrape({ host: "127.0.0.1", port, method: "HEAD" })).toMatchObject({
      status: 200,
      text: "",
    });
    expect(await scrape({ host: "127.0.0.1", port, method: "POST" })).toMatchObject({ status: 405 });
    expect(await scrape({ host: "127.0.0.1", port, path: "/" })).toMatchObject({
      status: 404,
      text: "there is /metrics, and nothing else\n",
    });
  });

  it("come from a process of its own user, which can gain no rights and has no code for passwords", async () => {
    const { pid } = childrenOf(server.pid).find(({ role }) => role === "metrics")!;
    const uid = runsAsRoot() ? idOf(metricsUser) : process.getuid!();
    expect(statusOf(pid, "Uid").split("\t").map(Number)).toEqual([uid, uid, uid, uid]);
    expect(statusOf(pid, "NoNewPrivs")).toBe("1");
    await (await Pop3Connection.login(server.port, "mrose", "secret")).command("QUIT");
    const auth = childrenOf(server.pid).find(({ role }) => role === "auth")!;
    expect(readFileSync(`/proc/${auth.pid}/maps`, "utf8")).toMatch(/argon2/);
    expect(readFileSync(`/proc/${pid}/maps`, "utf8")).not.toMatch(/argon2/);
  });

  it("never go back when a process dies, and tell that it did", async () => {
    const before = (await metrics()).values;
    const role = processes === "separate" ? "mailbox" : "combined";
    for (const { pid } of childrenOf(server.pid).filter((child) => child.role === role))
      process.kill(pid, "SIGKILL");
    const running = `dewey_pop3_processes{role="${role}"}`;
    const ended = `dewey_pop3_processes_ended_total{role="${role}",reason="died"}`;
    const after = await eventually("both are back", async () => {
      const { values } = await metrics();
      return values[running] === 2 && values[ended] === 2 ? values : undefined;
    });
    for (const [name, value] of Object.entries(before)) {
      if (/_total\{|_(?:count|sum|bucket)\{/.test(name))
        expect(after[name], name).toBeGreaterThanOrEqual(value);
    }
  });

  it("are for metrics.allow_nets alone, as of the last reload", async () => {
    const config = join(server.folder, "config.toml");
    const text = readFileSync(config, "utf8");
    writeFileSync(config, `${text}\n`.replace("[metrics]\n", '[metrics]\nallow_nets = ["192.0.2.0/24"]\n'));
    await askServer(server, "reload");
    const refused = await eventually("refused", async () => {
      const answer = await metrics();
      return answer.status === 403 ? answer : undefined;
    });
    expect(refused.text).toBe("not for your address (metrics.allow_nets)\n");
    // Who may connect to the socket is said by its mode.
    expect((await scrape({ socketPath: socket })).status).toBe(200);
  });
});

function idOf(user: string): number {
  const line = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .find((each) => each.startsWith(`${user}:`));
  return Number(line?.split(":")[2]);
}
