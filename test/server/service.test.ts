// The server as a service manager starts and watches it: sockets passed as systemd passes them, children that hang.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { bindTcp } from "../../src/net/listen.ts";
import { layOutMaildir } from "../peers/support/maildir.ts";
import { Pop3Connection } from "../peers/support/pop3.ts";
import { eventually } from "../support/eventually.ts";
import { mailOwner, runsAsRoot } from "../support/mail-owner.ts";
import { childrenOf, descriptorLinks, listeningSocket, statusOf } from "../support/processes.ts";
import { runProgram } from "../support/program.ts";
import { type ServerOptions, startServer } from "../support/server.ts";

let home: string;
let options: ServerOptions;

beforeEach(() => {
  const owner = mailOwner();
  home = mkdtempSync(join(tmpdir(), "dewey-service-"));
  layOutMaildir(home, owner, new Map([["new/1.one", Buffer.from("A: 1\n\n")]]));
  options = {
    accounts: [{ user: "mrose", password: "secret", uid: owner.uid, gid: owner.gid, home }],
    owner,
  };
});

afterEach(() => rmSync(home, { recursive: true }));

function openSocket(host: string) {
  const result = bindTcp({ host, port: 0 }, 60_000);
  if (result.kind === "failed") throw new Error(`${result.name}: ${result.code}`);
  return { ...result.socket, port: Number(result.socket.name.replace(/.*:/, "")) };
}

describe("sockets passed by systemd", () => {
  it("are served instead of opened, and are still there when the server is gone", async () => {
    const socket = openSocket("127.0.0.1");
    const listen = [`127.0.0.1:${socket.port}`];
    for (let run = 0; run < 2; run++) {
      const server = await startServer({
        ...options,
        settings: { server: { listen } },
        passedFds: [socket.fd],
      });
      const session = await Pop3Connection.login(socket.port, "mrose", "secret");
      expect((await session.command("STAT")).text).toBe("1 8");
      await session.command("QUIT");
      await server.stop();
    }
    // Who connects in between waits in the backlog instead of being refused.
    const waiting = Pop3Connection.open(socket.port);
    const server = await startServer({
      ...options,
      settings: { server: { listen } },
      passedFds: [socket.fd],
    });
    const { connection, greeting } = await waiting;
    expect(greeting.status).toBe("+OK");
    connection.drop();
    await server.stop();
    socket.close();
  });

  it("are found by their address, whatever their order", async () => {
    const [first, second] = [openSocket("127.0.0.1"), openSocket("127.0.0.1")];
    const listen = [`127.0.0.1:${second.port}`, `127.0.0.1:${first.port}`];
    const server = await startServer({
      ...options,
      settings: { server: { listen } },
      passedFds: [first.fd, second.fd],
    });
    for (const { port } of [first, second])
      await Pop3Connection.login(port, "mrose", "secret").then((session) => session.command("QUIT"));
    await server.stop();
    first.close();
    second.close();
  });

  it("that no key names stop the start with a clear line", async () => {
    const socket = openSocket("127.0.0.1");
    await expect(startServer({ ...options, passedFds: [socket.fd] })).rejects.toThrow(
      `systemd passed a socket on 127.0.0.1:${socket.port} that no key of [server] names`,
    );
    socket.close();
  });

  it("are open in master and login, and in no other process", async () => {
    const socket = openSocket("127.0.0.1");
    const server = await startServer({
      ...options,
      settings: { server: { listen: [`127.0.0.1:${socket.port}`], login_processes: 1 } },
      passedFds: [socket.fd],
    });
    const holders = [{ pid: server.pid, role: "master" }, ...childrenOf(server.pid)]
      .filter(({ pid }) => descriptorLinks(pid).includes(listeningSocket(socket.port)))
      .map(({ role }) => role);
    expect(holders.sort()).toEqual(["login", "master"]);
    await server.stop();
    socket.close();
  });
});

describe("a child that hangs", () => {
  it.each(["auth", "login", "mailbox"])(
    "%s is ended after limits.hang_time, and started again",
    async (role) => {
      const server = await startServer({
        ...options,
        settings: {
          limits: { hang_time: "3s" },
          server: { login_processes: 1, mailbox_processes: 1 },
        },
      });
      const { pid } = childrenOf(server.pid).find((child) => child.role === role)!;
      process.kill(pid, "SIGSTOP");
      const line = await eventually("master's word", () =>
        server.log().find(({ msg }) => msg === "child gives no sign of life, ending it"),
      );
      expect(line).toMatchObject({ level: "error", childPid: pid });
      const session = await eventually("a login", () =>
        Pop3Connection.login(server.port, "mrose", "secret").catch(() => undefined),
      );
      expect((await session.command("QUIT")).status).toBe("+OK");
      await server.stop();
    },
  );
});

describe("every process", () => {
  it("has given up what set-uid programs could give it; one with a user of its own shows its memory to nobody", async () => {
    const server = await startServer(options);
    const children = childrenOf(server.pid);
    expect(children.length).toBeGreaterThanOrEqual(3);
    for (const { pid, role } of children) {
      expect(statusOf(pid, "NoNewPrivs"), role).toBe("1");
      if (!runsAsRoot()) continue;
      const { stdout, exitCode } = await runAs(pid, ["cat", `/proc/${pid}/environ`]);
      expect([exitCode === 0, stdout.length], role).toEqual([false, 0]);
    }
    await server.stop();
  });
});

function runAs(pid: number, [program, ...args]: readonly string[]) {
  const [uid] = statusOf(pid, "Uid").split("\t").map(Number);
  const [gid] = statusOf(pid, "Gid").split("\t").map(Number);
  return runProgram(program!, args, { cwd: "/", uid: uid!, gid: gid! });
}
