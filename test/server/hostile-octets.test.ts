// Hostile lines and half-lines against the running server: each line is answered or the connection is closed with a
// reply, nothing is deleted, a normal session works afterwards, and memory is back to what it was. Short here; in full by
// npm run fuzz -- --server.
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { whenDrained } from "../../src/host/when-drained.ts";
import { layOutMaildir, readMaildir } from "../peers/support/maildir.ts";
import { Pop3Connection } from "../peers/support/pop3.ts";
import { eventually } from "../support/eventually.ts";
import { hostileOctets, randomFrom } from "../support/hostile-octets.ts";
import { mailOwner } from "../support/mail-owner.ts";
import { childrenOf, descriptorsAtRest, openDescriptors, proportionalKib } from "../support/processes.ts";
import { startServer, type TestServer } from "../support/server.ts";

const { FUZZ_SEED = "1", FUZZ_LINES = "4000", FUZZ_CONNECTIONS = "20" } = process.env;
const seed = Number(FUZZ_SEED);
const lines = Number(FUZZ_LINES);
const connections = Number(FUZZ_CONNECTIONS);

const messages = new Map([
  ["new/1.one", Buffer.from("A: 1\n\n.\n..\n")],
  ["cur/2.two:2,S", Buffer.from("A: 2\r\n\r\nno end")],
  ["cur/3.big:2,", Buffer.from(`A: 3\n\n${"0123456789\n".repeat(20_000)}`)],
]);

/** What the server said, taken apart by RFC 1939's framing alone. */
function repliesIn(said: string): readonly string[] {
  const replies: string[] = [];
  let isMultiLine = false;
  for (const line of said.split("\r\n").slice(0, -1)) {
    if (isMultiLine) {
      isMultiLine = line !== ".";
      continue;
    }
    if (!/^(?:\+OK|-ERR|\+)(?: |$)/.test(line))
      throw new Error(`no reply: ${JSON.stringify(line.slice(0, 300))}`);
    replies.push(line);
    isMultiLine = /^\+OK(?: Capabilities follow| [0-9]+ messages \([0-9]+ octets\)| [0-9]+ octets)?$/.test(
      line,
    );
  }
  return replies;
}

const WARM_UP_LINES = 10_000;

const LAST_REPLY = /signing off|too many useless commands/;

describe.each(["separate", "combined"] as const)(
  `hostile octets, seed ${seed}, processes %s`,
  (processes) => {
    let folder: string;
    let server: TestServer;
    let atRest = 0;
    const users = Array.from({ length: connections }, (_, index) => `user${index}`);

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), "dewey-hostile-"));
      chmodSync(folder, 0o755);
      const owner = mailOwner();
      for (const user of ["mrose", ...users]) layOutMaildir(join(folder, user), owner, messages);
      server = await startServer({
        accounts: ["mrose", ...users].map((user) => ({
          user,
          password: "secret",
          uid: owner.uid,
          gid: owner.gid,
          home: join(folder, user),
        })),
        owner,
        settings: {
          server: { processes, login_processes: 1, mailbox_processes: 1 },
          // So that a connection lives for hundreds of lines.
          limits: { useless_commands: 1_000_000, useless_commands_before_login: 1_000_000 },
          auth: { failure_delay: "1ms" },
        },
      });
      // The first login opens what stays open between the processes.
      const first = await Pop3Connection.login(server.port, "mrose", "secret");
      await first.command("QUIT");
      await first.closed;
      await eventually("its end", () => server.log().some(({ msg }) => msg === "session ended"));
      for (const { pid } of childrenOf(server.pid)) atRest += await descriptorsAtRest(pid);
    });
    afterAll(async () => {
      await server.stop();
      rmSync(folder, { recursive: true });
    });

    /** One client: hostile octets in pieces, before or behind a login. @returns what it sent and what it got */
    async function attack(index: number, random: () => number, count: number): Promise<void> {
      const behindLogin = random() < 0.5;
      const { octets, lines: sent } = hostileOctets(random, count);
      const login = behindLogin ? `USER ${users[index]}\r\nPASS secret\r\n` : "";
      const socket = connect({ host: "127.0.0.1", port: server.port, localAddress: `127.0.1.${index + 1}` });
      // Latin-1 pieces, joined once: a client may get megabytes.
      const said: string[] = [];
      let isOver = false;
      socket.setEncoding("latin1").on("data", (text: string) => said.push(text));
      const closed = new Promise<void>((resolve) => {
        socket.once("close", () => {
          isOver = true;
          resolve();
        });
      });
      socket.on("error", () => {});
      socket.write(login, "latin1");
      for (let at = 0; at < octets.length && !isOver; ) {
        const end = Math.min(octets.length, at + 1 + Math.floor(random() ** 4 * 20_000));
        await written(socket, octets.subarray(at, end));
        at = end;
      }
      const wayOut = random();
      // Some leave in the midst of it: nothing to say about what they got.
      if (wayOut < 0.3) {
        if (wayOut < 0.15) socket.resetAndDestroy();
        else socket.destroy();
        return;
      }
      socket.end("\n");
      await closed;
      const replies = repliesIn(said.join(""));
      // The greeting, and one for each line, unless the server had enough.
      const expected = 1 + (behindLogin ? 2 : 0) + sent + 1;
      if (replies.length !== expected) {
        expect(replies.length).toBeLessThan(expected);
        expect(replies.at(-1)).toMatch(LAST_REPLY);
      }
    }

    async function round(from: number, count: number): Promise<void> {
      await Promise.all(
        users.map((_, index) => attack(index, randomFrom(from + index), Math.ceil(count / connections))),
      );
      await eventually("all connections are gone", () => descriptors() <= atRest, 60_000);
    }

    const descriptors = (): number =>
      childrenOf(server.pid).reduce((sum, { pid }) => sum + openDescriptors(pid), 0);

    const memoryKib = (): number =>
      childrenOf(server.pid).reduce((sum, { pid }) => sum + proportionalKib(pid), 0);

    /**
     * What is free is collected while sessions come and go, not while nobody does anything: so before and after alike, the least
     * that is taken between some of them.
     */
    async function memoryAtRestKib(): Promise<number> {
      let least = Number.POSITIVE_INFINITY;
      for (let turn = 0; turn < 5; turn++) {
        const next = await Pop3Connection.login(server.port, "mrose", "secret");
        for (let i = 0; i < 50; i++) await next.multiLine("RETR 3");
        await next.command("QUIT");
        least = Math.min(least, memoryKib());
      }
      return least;
    }

    it("are answered line by line, and leave server, mail and memory as they were", async () => {
      // Code is compiled and buffers are pooled once: the same kind of traffic before counts for that.
      await round(seed + 1_000_000, Math.max(WARM_UP_LINES, lines / 2));
      const before = await memoryAtRestKib();
      const children = childrenOf(server.pid).map(({ pid }) => pid);
      await round(seed, lines);

      const session = await Pop3Connection.login(server.port, "mrose", "secret");
      expect((await session.multiLine("LIST")).body?.toString()).toMatch(
        /^1 [0-9]+\r\n2 [0-9]+\r\n3 [0-9]+\r\n$/,
      );
      expect((await session.multiLine("RETR 2")).body?.toString()).toBe("A: 2\r\n\r\nno end\r\n");
      expect((await session.command("QUIT")).status).toBe("+OK");

      // DELE without QUIT deletes nothing.
      for (const user of users)
        expect(readMaildir(join(folder, user, "Maildir"))).toHaveLength(messages.size);
      expect(childrenOf(server.pid).map(({ pid }) => pid)).toEqual(children);
      const faults = server
        .log()
        .filter(({ level, msg }) => ["error", "fatal"].includes(level) || msg === "session failed");
      expect(faults).toEqual([]);
      const after = await eventually(
        `memory is back within 20 % of ${before} KiB`,
        async () => {
          const kib = await memoryAtRestKib();
          if (kib <= before * 1.2) return kib;
          throw new Error(`it is ${kib} KiB`);
        },
        60_000,
      );
      console.log(`hostile octets, ${processes}: ${before} KiB before, ${after} KiB after ${lines} lines`);
    });
  },
);

/** Writes and waits until it may go on. */
async function written(socket: Socket, octets: Buffer): Promise<void> {
  // Others get their turn.
  if (socket.destroyed || socket.write(octets)) await new Promise(setImmediate);
  else await whenDrained(socket);
}
