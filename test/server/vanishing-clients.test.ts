// Clients that go away at the worst moment: nothing is left behind, and nobody else notices.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { layOutMaildir, readMaildir } from "../peers/support/maildir.ts";
import { Pop3Connection } from "../peers/support/pop3.ts";
import { eventually } from "../support/eventually.ts";
import { mailOwner } from "../support/mail-owner.ts";
import { askServer } from "../support/pop3-ctl.ts";
import { childrenOf, kernelTimerMs, openDescriptors } from "../support/processes.ts";
import { startServer, type TestServer } from "../support/server.ts";

describe.each(["separate", "combined"] as const)("clients that vanish, processes %s", (processes) => {
  let home: string;
  let maildir: string;
  let server: TestServer;
  const count = 3000;

  beforeAll(async () => {
    const owner = mailOwner();
    home = mkdtempSync(join(tmpdir(), "dewey-vanishing-"));
    const messages = Array.from({ length: count }, (_, i): [string, Buffer] => [
      `new/${i}.m`,
      Buffer.from("A: 1\n\n"),
    ]);
    maildir = layOutMaildir(home, owner, new Map(messages));
    layOutMaildir(
      join(home, "other"),
      owner,
      new Map([["new/1.big", Buffer.alloc(20_000_000, "0123456789\n")]]),
    );
    const account = (user: string, at: string) => ({
      user,
      password: "secret",
      uid: owner.uid,
      gid: owner.gid,
      home: at,
    });
    server = await startServer({
      accounts: [account("mrose", home), account("other", join(home, "other"))],
      owner,
      settings: {
        server: { processes, login_processes: 1, mailbox_processes: 1 },
        limits: { stall_time: "1s" },
        mta: { sasl_socket: join(home, "sasl") },
      },
    });
  });
  afterAll(async () => {
    await server.stop();
    rmSync(home, { recursive: true });
  });

  const descriptors = (): number[] => childrenOf(server.pid).map(({ pid }) => openDescriptors(pid));
  const open = (octets: string): Socket => {
    const socket = connect({ host: "127.0.0.1", port: server.port });
    socket.on("error", () => {});
    socket.write(octets);
    return socket;
  };
  const serves = () =>
    eventually("other clients are served", async () => {
      const session = await Pop3Connection.login(server.port, "other", "secret").catch(() => undefined);
      return (await session?.command("QUIT"))?.status === "+OK";
    });

  it("during STAT of an unknown maildrop: the process goes on", async () => {
    const socket = open("USER mrose\r\nPASS secret\r\nSTAT\r\n");
    let said = "";
    socket.on("data", (octets: Buffer) => {
      said += octets.toString("latin1");
    });
    await eventually("the login", () => said.includes("Pass accepted"));
    socket.resetAndDestroy();
    await serves();
    await eventually("the session's end", () =>
      server.log().some(({ msg, account }) => msg === "session ended" && account === "mrose"),
    );
  });

  it("during UPDATE: every marked message is removed, under the lock", async () => {
    const marks = Array.from({ length: count }, (_, i) => `DELE ${i + 1}\r\n`).join("");
    const socket = open(`USER mrose\r\nPASS secret\r\n${marks}`);
    let said = "";
    socket.on("data", (octets: Buffer) => {
      said += octets.toString("latin1");
    });
    await eventually("the last mark", () => said.includes(`message ${count} deleted`));
    const ends = () =>
      server.log().filter(({ msg, account }) => msg === "session ended" && account === "mrose");
    const before = ends().length;
    socket.write("QUIT\r\n", () => socket.resetAndDestroy());
    await eventually("the session's end", () => ends().length > before);
    // Either QUIT arrived, and all is done when the log says so; or the reset overtook it, and nothing is.
    const left = readMaildir(maildir).length;
    expect(left).toBe(count - Number(ends().at(-1)?.["deleted"]));
    expect([0, count]).toContain(left);
  });

  it("without reading what they asked for: login lets go of them, too", async () => {
    await serves();
    const before = descriptors();
    const socket = open(`USER other\r\nPASS secret\r\n${"RETR 1\r\n".repeat(5)}`);
    socket.pause();
    await eventually("the stalled session's end", () =>
      server.log().some((line) => line["reason"] === "stalled"),
    );
    await eventually("its descriptors closed", () => descriptors().every((now, i) => now <= before[i]!));
    socket.destroy();
  });

  it("without a word: the kernel asks those who come after a reload as stall_time has it then", async () => {
    const probeMs = async (): Promise<number> => {
      const socket = open("");
      await new Promise((resolve) => socket.once("data", resolve));
      const ms = kernelTimerMs(server.port, socket.localPort!);
      socket.destroy();
      return ms;
    };
    // Half of stall_time and five seconds.
    expect(await probeMs()).toBeLessThanOrEqual(3_000);
    const configFile = join(server.folder, "config.toml");
    const config = readFileSync(configFile, "utf8");
    writeFileSync(configFile, config.replace('stall_time = "1s"', 'stall_time = "55s"'));
    await askServer(server, "reload");
    expect(await probeMs()).toBeGreaterThan(20_000);
    writeFileSync(configFile, config);
    await askServer(server, "reload");
    expect(await probeMs()).toBeLessThanOrEqual(3_000);
  });

  it("from the MTA's socket: auth keeps no descriptor", async () => {
    const auth = childrenOf(server.pid).find(({ role }) => role === "auth")!;
    const before = openDescriptors(auth.pid);
    for (let i = 0; i < 20; i++) {
      const socket = connect({ path: join(home, "sasl") });
      await new Promise((resolve) => socket.once("data", resolve));
      socket.end();
    }
    await eventually("their descriptors closed", () => openDescriptors(auth.pid) <= before);
  });

  it("leave nobody waiting: thousands of pipelined commands are all answered", async () => {
    const socket = open(`USER other\r\nPASS secret\r\n${"STAT\r\n".repeat(20_000)}QUIT\r\n`);
    let said = "";
    socket.on("data", (octets: Buffer) => {
      said += octets.toString("latin1");
    });
    await new Promise((resolve) => socket.once("close", resolve));
    expect(said.match(/^\+OK 1 /gm)).toHaveLength(20_000);
    expect(said).toMatch(/signing off \(1 messages left\)\r\n$/);
  });

  it("is not what an auth process that dies makes of a client: its failure answers the client's next line", async () => {
    const { connection } = await Pop3Connection.open(server.port);
    connection.send("AUTH LOGIN\r\n");
    expect(await connection.line()).toBe("+ VXNlcm5hbWU6");
    const auth = childrenOf(server.pid).find(({ role }) => role === "auth")!;
    process.kill(auth.pid, "SIGKILL");
    await eventually("auth is gone", () => server.log().some(({ msg }) => msg === "connection to auth lost"));
    expect((await connection.command("bXJvc2U=")).text).toMatch(/^\[SYS\/TEMP\] /);
    connection.send("CAPA\r\n");
    expect(await connection.line()).toBe("+OK Capabilities follow");
    connection.drop();
    await serves();
  });
});
