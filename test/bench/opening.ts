// npm run bench:opening: how long a client waits from its connection to the answer to STAT, on one and the same Maildir
// for all servers: cold (nothing is known of it), warm from the index, and warm from the session before; and what a
// mailbox process holds in memory for many maildrops. What counts is the ratio to Dovecot.
//
//   npm run bench:opening -- [--messages 10000,100000] [--rounds N] [--server TEXT] [--maildrops 50] [--folder DIR]
import { chmodSync, linkSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { layOutMaildir } from "../peers/support/maildir.ts";
import { plainMessage } from "../peers/support/messages.ts";
import type { TestAccount } from "../support/accounts.ts";
import { type MailOwner, mailOwner } from "../support/mail-owner.ts";
import { childrenOf, residentKib } from "../support/processes.ts";
import { type Candidate, candidates, type RunningCandidate } from "./candidates.ts";
import { DriverConnection } from "./driver-connection.ts";
import { baseName, layOutMaildrop, userName } from "./maildirs.ts";
import { median } from "./results.ts";

const password = "secret";
const warmUpSessions = 50;
/** Of sessions one after the other, whose median counts. */
const repeats = 5;
const messageBytes = 1_000;
/** Of the maildrops whose memory is told. */
const messagesEach = 10_000;
/** No server trusts a folder's time that is younger. */
const trustedMs = 3_000;

const states = [
  { name: "cold", what: "no index" },
  { name: "index", what: "index on disk, server started anew" },
  { name: "again", what: "the session before was just now" },
] as const;
type State = (typeof states)[number]["name"];

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      messages: { type: "string", default: "10000,100000" },
      rounds: { type: "string", default: "3" },
      server: { type: "string", default: "" },
      maildrops: { type: "string", default: "50" },
      folder: { type: "string", default: tmpdir() },
    },
  });
  const owner = mailOwner();
  const servers = candidates.filter(({ name, isDovecot }) => name.includes(values.server) || isDovecot);
  const folder = mkdtempSync(join(values.folder, "dewey-opening-"));
  chmodSync(folder, 0o755);
  try {
    for (const messages of values.messages.split(",").map(Number)) {
      await measureOpening(folder, owner, servers, messages, Number(values.rounds));
    }
    if (Number(values.maildrops) > 0) await measureMemory(folder, owner, Number(values.maildrops));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measureOpening(
  folder: string,
  owner: MailOwner,
  servers: readonly Candidate[],
  messages: number,
  rounds: number,
): Promise<void> {
  const maildrop = { name: `messages-${messages}`, messages, messageBytes };
  layOutMaildrop(folder, owner, maildrop, 1);
  const user = userName(maildrop, 0);
  const home = join(folder, user);
  const account = { user, password, uid: owner.uid, gid: owner.gid, home };
  const small = { name: `small-${messages}`, messages: 100, messageBytes };
  layOutMaildrop(folder, owner, small, 1);
  const other = { ...account, user: userName(small, 0), home: join(folder, userName(small, 0)) };
  await delay(trustedMs);
  const times = new Map<string, number[]>();
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < servers.length; turn++) {
      const candidate = servers[(round + turn) % servers.length]!;
      for (const { name } of states) {
        const ms = await measureState(candidate, [account, other], owner, name);
        const key = `${candidate.name} ${name}`;
        times.set(key, [...(times.get(key) ?? []), ms]);
      }
    }
  }
  rmSync(home, { recursive: true });
  console.log(
    `\nopening ${messages.toLocaleString("en-US")} messages: ms to the answer to STAT, × Dovecot's better mode`,
  );
  for (const { name, what } of states) {
    const of = (candidate: Candidate): number => median(times.get(`${candidate.name} ${name}`)!);
    const dovecot = Math.min(...servers.filter(({ isDovecot }) => isDovecot).map(of));
    console.log(`  ${name}: ${what}`);
    for (const candidate of servers) {
      const ms = of(candidate);
      console.log(
        `    ${candidate.name.padEnd(20)} ${ms.toFixed(1).padStart(9)}  ${(dovecot / ms).toFixed(2).padStart(6)}`,
      );
    }
  }
}

/** Each state is what the one before has left; a server that was just started has nothing in its memory. */
async function measureState(
  candidate: Candidate,
  [account, other]: readonly [TestAccount, TestAccount],
  owner: MailOwner,
  state: State,
): Promise<number> {
  if (state === "cold") forget(join(account.home, "Maildir"));
  const server = await candidate.start([account, other], owner);
  try {
    // A server that has run for a while: its processes are there, its code is compiled, but for this maildrop.
    for (let i = 0; i < warmUpSessions; i++) await session(server, other.user);
    if (state !== "again") return await session(server, account.user);
    const times: number[] = [];
    for (let i = 0; i < 1 + repeats; i++) times.push(await session(server, account.user));
    return median(times.slice(1));
  } finally {
    await server.stop();
  }
}

/** Removes whatever a server has left beside the mail. */
function forget(maildir: string): void {
  for (const name of readdirSync(maildir)) {
    if (!["new", "cur", "tmp"].includes(name)) rmSync(join(maildir, name), { recursive: true });
  }
}

async function session({ port }: RunningCandidate, user: string): Promise<number> {
  const begin = performance.now();
  const connection = await DriverConnection.open(port, buffer);
  connection.send(`USER ${user}\r\n`);
  await connection.lines(1);
  connection.send(`PASS ${password}\r\n`);
  await connection.lines(1);
  connection.send("STAT\r\n");
  await connection.lines(1);
  const ms = performance.now() - begin;
  await connection.quit();
  return ms;
}

const buffer = Buffer.allocUnsafe(64 * 1024);

/** One mailbox process, and what it holds after a session on each of so many maildrops. */
async function measureMemory(folder: string, owner: MailOwner, maildrops: number): Promise<void> {
  const [ours] = candidates;
  const accounts: TestAccount[] = [];
  // All names of a maildrop are those of one file: what is measured is what a process remembers of the names.
  for (let i = 0; i < maildrops; i++) {
    const user = `memory-${i}`;
    const home = join(folder, user);
    const first = `cur/${baseName(0)}:2,S`;
    const maildir = layOutMaildir(home, owner, new Map([[first, plainMessage(1, messageBytes)]]));
    for (let serial = 1; serial < messagesEach; serial++)
      linkSync(join(maildir, first), join(maildir, `cur/${baseName(serial)}:2,S`));
    accounts.push({ user, password, uid: owner.uid, gid: owner.gid, home });
  }
  await delay(trustedMs);
  const server = await ours!.start(accounts, owner, { mailbox_processes: 1 });
  try {
    const { pid } = childrenOf(server.pid).find(({ role }) => role === "mailbox")!;
    const before = residentKib(pid);
    for (const { user } of accounts) await session(server, user);
    for (const { user } of accounts) await session(server, user);
    const after = residentKib(pid);
    const perMessage = ((after - before) * 1024) / (maildrops * messagesEach);
    console.log(
      `\nmemory of a mailbox process: ${mib(before)} MiB at its start, ${mib(after)} MiB with ${maildrops} maildrops of ` +
        `${messagesEach.toLocaleString("en-US")} messages, ${perMessage.toFixed(0)} bytes a message`,
    );
  } finally {
    await server.stop();
  }
}

function mib(kib: number): string {
  return (kib / 1024).toFixed(0);
}

main().catch((fault: Error) => {
  console.error(`\nbench: ${fault.message}`);
  process.exitCode = 1;
});
