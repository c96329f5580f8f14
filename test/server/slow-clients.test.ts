// Clients that read or write too slowly, or ask for everything and read nothing: they hold no more memory than one session
// may, for no longer than the limits say, and everybody else is served.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { layOutMaildir, readMaildir } from "../peers/support/maildir.ts";
import { Pop3Connection } from "../peers/support/pop3.ts";
import { eventually } from "../support/eventually.ts";
import { mailOwner } from "../support/mail-owner.ts";
import { askServer } from "../support/pop3-ctl.ts";
import { childrenOf, proportionalKib } from "../support/processes.ts";
import { startServer, type TestServer } from "../support/server.ts";

const owner = mailOwner();
// More than the kernel's buffers hold.
const LARGE = 15_000_000;
const USERS = ["mrose", "other"];
let home: string;
let server: TestServer;

async function start(processes: string, limits: Record<string, string | number>): Promise<void> {
  home = mkdtempSync(join(tmpdir(), "dewey-slow-"));
  layOutMaildir(home, owner);
  for (const user of USERS) {
    const small = Array.from({ length: 20 }, (_, i): [string, Buffer] => [
      `cur/${i + 2}.small:2,`,
      Buffer.alloc(20_000, "0123456789\n"),
    ]);
    layOutMaildir(
      join(home, user),
      owner,
      new Map([["cur/1.large:2,", Buffer.alloc(LARGE, "0123456789\n")], ...small]),
    );
  }
  server = await startServer({
    accounts: USERS.map((user) => ({
      user,
      password: "secret",
      uid: owner.uid,
      gid: owner.gid,
      home: join(home, user),
    })),
    owner,
    settings: { server: { processes, login_processes: 1, mailbox_processes: 1 }, limits },
  });
}

afterEach(async () => {
  await server.stop();
  rmSync(home, { recursive: true });
});

const ends = () => server.log().filter(({ msg }) => msg === "session ended");
const memoryKib = (): number =>
  childrenOf(server.pid).reduce((sum, { pid }) => sum + proportionalKib(pid), 0);

function open(octets: string): Socket {
  const socket = connect({ host: "127.0.0.1", port: server.port });
  socket.on("error", () => {});
  socket.write(octets);
  return socket;
}

/**
 * Reads at most 64 KiB, then nothing for so long, as long as the session lasts.
 *
 * @returns octets that came until the connection was closed
 */
async function readSlowly(socket: Socket, pauseMs: number): Promise<number> {
  let octets = 0;
  socket.on("data", (chunk: Buffer) => {
    octets += chunk.length;
    socket.pause();
    // What the kernel holds when the session is over takes as long as it takes.
    setTimeout(() => socket.resume(), ends().length > 0 ? 0 : pauseMs);
  });
  await new Promise((resolve) => socket.once("close", resolve));
  return octets;
}

describe.each(["separate", "combined"] as const)("slow clients, processes %s", (processes) => {
  it("min_rate: one that always takes a little is ended as stalled, and keeps its mail", async () => {
    await start(processes, { stall_time: "1s", min_rate: 1_000_000 });
    const socket = open("USER mrose\r\nPASS secret\r\nDELE 2\r\nRETR 1\r\nQUIT\r\n");
    expect(await readSlowly(socket, 250)).toBeLessThan(LARGE);
    const end = await eventually("the session's end", () => ends()[0]);
    expect(end).toMatchObject({ reason: "stalled", deleted: 0 });
    expect(readMaildir(join(home, "mrose", "Maildir"))).toHaveLength(21);
  });

  it("min_rate: one that takes more than that gets all, however often it makes us wait", async () => {
    await start(processes, { stall_time: "4s", min_rate: 1_000 });
    const socket = open("USER mrose\r\nPASS secret\r\nRETR 1\r\nQUIT\r\n");
    expect(await readSlowly(socket, 5)).toBeGreaterThan(LARGE);
    expect(await eventually("the session's end", () => ends()[0])).toMatchObject({ reason: "quit" });
  });

  it("stall_time: a reload reaches clients that are being sent to", async () => {
    await start(processes, { stall_time: "1h" });
    const socket = open("USER mrose\r\nPASS secret\r\nRETR 1\r\nQUIT\r\n");
    // Reads what fits its own buffer, and no more.
    socket.on("readable", () => {});
    await eventually("the download", () => socket.bytesRead > 10_000);
    const configFile = join(server.folder, "config.toml");
    const config = readFileSync(configFile, "utf8");
    writeFileSync(configFile, config.replace('stall_time = "1h"', 'stall_time = "1s"'));
    await askServer(server, "reload");
    expect(await eventually("the session's end", () => ends()[0])).toMatchObject({ reason: "stalled" });
    socket.destroy();
  });

  it("idle_time: an octet now and then is no command", async () => {
    await start(processes, { idle_time: "1500ms" });
    const session = await Pop3Connection.login(server.port, "mrose", "secret");
    await session.command("DELE 2");
    const typing = setInterval(() => session.send("x"), 100);
    await session.closed;
    clearInterval(typing);
    expect(await eventually("the session's end", () => ends()[0])).toMatchObject({
      reason: "idle",
      deleted: 0,
    });
  });

  it("login_time: nor is it a login", async () => {
    await start(processes, { login_time: "1500ms" });
    const { connection } = await Pop3Connection.open(server.port);
    const typing = setInterval(() => connection.send("x"), 100);
    await connection.closed;
    clearInterval(typing);
  });

  it("10,000 pipelined RETR and nothing read: bounded memory, others served, the session ended as stalled", async () => {
    await start(processes, { stall_time: "3s" });
    const quick = await Pop3Connection.login(server.port, "other", "secret");
    for (let i = 0; i < 20; i++) expect((await quick.multiLine("RETR 2")).status).toBe("+OK");
    const before = memoryKib();
    // The large one last: nothing may be read ahead of the client.
    const asked = Array.from({ length: 10_000 }, (_, i) => `RETR ${(i % 20) + 2}\r\n`).join("");
    const socket = open(`USER mrose\r\nPASS secret\r\n${asked}RETR 1\r\nQUIT\r\n`);
    socket.pause();
    let most = 0;
    let served = 0;
    await eventually("the stalled session's end", async () => {
      most = Math.max(most, memoryKib());
      expect((await quick.multiLine("RETR 2")).status).toBe("+OK");
      served++;
      return ends().some(({ reason }) => reason === "stalled");
    });
    console.log(
      `10,000 RETR unread, ${processes}: ${most - before} KiB more, ${served} messages served meanwhile`,
    );
    expect(served).toBeGreaterThan(0);
    // Of 200 MB that were asked for.
    expect(most - before).toBeLessThan(16_384);
    expect((await quick.command("QUIT")).status).toBe("+OK");
    socket.destroy();
  });

  it("a client that has closed its side and reads slowly gets all that it asked for", async () => {
    await start(processes, {});
    const socket = connect({ host: "127.0.0.1", port: server.port, allowHalfOpen: true });
    socket.end("USER mrose\r\nPASS secret\r\nRETR 1\r\nQUIT\r\n");
    expect(await readSlowly(socket, 5)).toBeGreaterThan(LARGE);
    expect(await eventually("the session's end", () => ends()[0])).toMatchObject({ reason: "quit" });
  });
});
