import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { checkCluster } from "../../src/doctor/check-cluster.ts";
import { freePort } from "../support/free-port.ts";
import { configOf } from "./config-of.ts";

const folder = mkdtempSync(join(tmpdir(), "dewey-doctor-"));
const servers: Server[] = [];
afterAll(() => {
  for (const server of servers) server.close();
  rmSync(folder, { recursive: true });
});

async function listens(at: number | string, greeting = ""): Promise<void> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.end(greeting);
  });
  servers.push(server);
  await new Promise<void>((resolve) => {
    if (typeof at === "string") server.listen(at, resolve);
    else server.listen(at, "127.0.0.1", resolve);
  });
}

async function check(toml: string, isRunning: boolean) {
  const findings = await checkCluster(configOf(toml), isRunning);
  return findings.map(({ level, message }) => `${level}: ${message}`);
}

describe("checkCluster", () => {
  it("says nothing of a host that stands alone", async () => {
    expect(await check("", true)).toEqual([]);
  });

  it("asks every back end for its greeting", async () => {
    const [serving, other, none] = [await freePort(), await freePort(), await freePort()];
    await listens(serving, "+OK dewey POP3 server ready\r\n");
    await listens(other, "220 mail ESMTP\r\n");
    const backends = [serving, other, none].map((port) => `"127.0.0.1:${port}"`).join(", ");
    expect(await check(`[cluster]\nbackends = [${backends}]\n`, true)).toEqual([
      `ok: back end 127.0.0.1:${serving} serves`,
      `error: back end 127.0.0.1:${other}: no POP3 server's greeting`,
      `error: back end 127.0.0.1:${none}: ECONNREFUSED`,
    ]);
  });

  it("tells whether nginx may ask: who may connect, and whether somebody answers", async () => {
    const path = join(folder, "nginx-auth");
    const toml = `[cluster]\nauth_http = "${path}"\n`;
    const noGroup = `warning: cluster.auth_http names no group: nobody but root and the auth process may ask at ${path}`;
    expect(await check(toml, false)).toEqual([noGroup, `ok: ${path} is free`]);
    expect(await check(toml, true)).toEqual([noGroup, `error: ${path} does not answer nginx (ENOENT)`]);
    await listens(path);
    expect(await check(toml, true)).toEqual([noGroup, `ok: ${path} answers nginx`]);
    const gid = process.getgid!();
    const own = `[cluster]\nauth_http = { path = "${path}", group = "${gid}" }\n`;
    expect(await check(own, true)).toEqual([`ok: ${path} answers nginx`]);
    expect(await check(own.replace(`"${gid}" }`, '"12345" }'), true)).toEqual([
      `error: ${path} belongs to gid ${gid}, not to group 12345 (12345): nginx may not connect`,
    ]);
  });

  it("says that the store for failures is away, and not its password", async () => {
    const port = await freePort();
    const found = await check(`[auth]\nthrottle_store = "redis://u:hush@127.0.0.1:${port}"\n`, true);
    expect(found).toEqual([
      expect.stringMatching(
        `^error: auth\\.throttle_store \\(redis://127\\.0\\.0\\.1:${port}\\) is not reached: .*ECONNREFUSED`,
      ),
    ]);
    expect(found.join()).not.toContain("hush");
  });
});
