// One workload, one server, one round: lays out what the workload uses up, starts a server of its own where one must be
// fresh, lets a driver process run the sessions, and looks meanwhile at what they cost.
import { fork } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import argon2 from "argon2";
import type { MadeCertificate } from "../../scripts/certificate.mjs";
import type { TestAccount } from "../support/accounts.ts";
import type { MailOwner } from "../support/mail-owner.ts";
import { runOrThrow } from "../support/program.ts";
import type { Candidate, RunningCandidate } from "./candidates.ts";
import type { DriverReport, DriverTask } from "./driver.ts";
import { DriverConnection } from "./driver-connection.ts";
import { idle, type Maildrop } from "./maildrops.ts";
import { kernelMemoryKib, treeCpuMs, treeMemoryKib } from "./process-tree.ts";
import { type Measurement, median } from "./results.ts";
import { accountsNeeded, type OpeningState, stat, type Workload } from "./workloads.ts";

/** A candidate with its accounts and their mail. */
export interface Contender {
  readonly candidate: Candidate;
  readonly accounts: ReadonlyMap<Maildrop, readonly TestAccount[]>;
  readonly owner: MailOwner;
  readonly certificate: MadeCertificate;
  /** Where its accounts' mail comes from, and belongs. */
  readonly template: string;
  readonly homes: string;
  /** Serves all accounts for as long as the bench runs. */
  readonly server: RunningCandidate;
}

export const password = "secret";
/** Each account is one process's: with several accounts, every process has served some. */
export const warmUpAccounts = 8;
const warmUpSessions = 400;
/** Of openings one after the other, whose median counts. */
const openings = 5;
const memorySampleMs = 100;

/** The workloads that one server after the other may serve; the others begin with one that was just started. */
export function sharesServer({ kind }: Workload): boolean {
  return kind === "sessions" || kind === "emptying";
}

export async function measure(
  workload: Workload,
  contender: Contender,
  measureMs: number,
): Promise<Measurement> {
  const accounts = contender.accounts.get(workload.maildrop)!.slice(0, accountsNeeded(workload));
  const users = accounts.map(({ user }) => user);
  switch (workload.kind) {
    case "sessions":
    case "emptying": {
      if (workload.kind === "emptying") await layOutAnew(contender, users);
      const measured = await drive(workload, contender.server, users, measureMs, "midway");
      const resumed = Math.round(measured.resumedShare * 100);
      return workload.tls === undefined ? measured : { ...measured, note: `${resumed} % resumed` };
    }
    case "opening":
      return await measureOpening(workload, contender, accounts, workload.state);
    case "sweep":
      return await withFreshServer(contender, accounts, async (server) => {
        for (const user of users) await openOnce(server, user);
        return await drive(workload, server, users, measureMs, "end");
      });
    case "idle":
      return await withFreshServer(contender, accounts, async (server) => {
        await openOnce(server, users[0]!);
        const before = { pss: treeMemoryKib(server.pid), kernel: kernelMemoryKib() };
        let kernelKib = 0;
        const measured = await drive(workload, server, users, measureMs, "end", () => {
          kernelKib = kernelMemoryKib() - before.kernel;
        });
        const pssKib = measured.memoryMib * 1024 - before.pss;
        const each = (kib: number): string => `${(kib / users.length).toFixed(1)} KiB`;
        // Of the kernel's memory the client's end of the connection is part, the same for all servers.
        return {
          ...measured,
          memoryMib: (pssKib + kernelKib) / 1024,
          note: `${each(pssKib)} PSS + ${each(kernelKib)} kernel a session`,
        };
      });
    case "burst": {
      const boundMs = await verificationBoundMs(accounts[0]!, users.length);
      return await withFreshServer(contender, accounts, async (server) => {
        const beforeMib = treeMemoryKib(server.pid) / 1024;
        const measured = await drive(workload, server, users, measureMs, "peak");
        const lastMs = Math.max(...measured.sessionMs);
        return {
          ...measured,
          note: burstNote(workload, lastMs / boundMs, boundMs, measured.memoryMib - beforeMib),
        };
      });
    }
    default:
      return workload satisfies never;
  }
}

async function measureOpening(
  workload: Workload,
  contender: Contender,
  accounts: readonly TestAccount[],
  state: OpeningState,
): Promise<Measurement> {
  const [{ user, home }] = accounts as [TestAccount];
  const maildir = join(home, "Maildir");
  const others = contender.accounts.get(idle)!.slice(0, warmUpAccounts);
  if (state === "cold") {
    for (const name of notMail(maildir)) rmSync(join(maildir, name), { recursive: true });
  } else if (notMail(maildir).length === 0) {
    await withFreshServer(contender, accounts, async (server) => await openOnce(server, user));
  }
  return await withFreshServer(contender, [...accounts, ...others], async (server) => {
    // A server that has run for a while: its processes are there, its code is compiled, but for this maildrop.
    for (let i = 0; i < warmUpSessions; i++) await openOnce(server, others[i % others.length]!.user);
    if (state === "again") await openOnce(server, user);
    const users = state === "again" ? Array<string>(openings).fill(user) : [user];
    const measured = await drive(workload, server, users, 0, "end");
    // Without QUIT, and whatever follows it.
    return { ...measured, unitsPerSecond: 1000 / median(measured.sessionMs) };
  });
}

/** Whatever a server has left beside the mail. */
function notMail(maildir: string): readonly string[] {
  return readdirSync(maildir).filter((name) => !["new", "cur", "tmp"].includes(name));
}

async function layOutAnew({ template, homes }: Contender, users: readonly string[]): Promise<void> {
  for (const user of users) rmSync(join(homes, user), { recursive: true, force: true });
  await runOrThrow("cp", ["-a", "--", ...users.map((user) => join(template, user)), homes]);
}

async function withFreshServer<T>(
  { candidate, owner, certificate }: Contender,
  accounts: readonly TestAccount[],
  act: (server: RunningCandidate) => Promise<T>,
): Promise<T> {
  const server = await candidate.start(accounts, owner, certificate);
  try {
    return await act(server);
  } finally {
    await server.stop();
  }
}

const buffer = Buffer.allocUnsafe(64 * 1024);

async function openOnce({ port }: RunningCandidate, user: string): Promise<void> {
  const connection = await DriverConnection.open(port, buffer);
  await connection.login(user, password);
  await stat(connection);
  await connection.quit();
}

/** How long so many verifications take on all cores, by what they cost: other programs may keep the cores from them. */
async function verificationBoundMs({ field }: TestAccount, count: number): Promise<number> {
  const hash = field!.replace("{ARGON2ID}", "");
  const cores = availableParallelism();
  const sample = 4 * cores;
  let left = sample;
  const before = process.cpuUsage();
  await Promise.all(
    Array.from({ length: cores }, async () => {
      while (left-- > 0) await argon2.verify(hash, password);
    }),
  );
  const { user, system } = process.cpuUsage(before);
  return ((user + system) / 1000 / sample) * (count / cores);
}

/** No login later than this many times what the hashes alone cost; and as many hashes in memory as there are cores. */
const burstTolerance = 1.2;
/** What a login may take beside its hash. */
const burstLoginMib = 0.25;

function burstNote(
  { maildrop, logins }: Extract<Workload, { kind: "burst" }>,
  ratio: number,
  boundMs: number,
  addedMib: number,
): string {
  const boundMib = (availableParallelism() * (maildrop.argon2Kib ?? 0)) / 1024 + logins * burstLoginMib;
  const held = (isHeld: boolean): string => (isHeld ? "held" : "NOT HELD");
  const time = `the last after ${ratio.toFixed(2)} × the CPU bound of ${(boundMs / 1000).toFixed(1)} s`;
  const memory = `${Math.round(addedMib)} MiB more at most, of ${Math.round(boundMib)}`;
  return `${time} (${burstTolerance} × ${held(ratio <= burstTolerance)}); ${memory} (${held(addedMib <= boundMib)})`;
}

type Driven = Measurement & { readonly resumedShare: number };

/**
 * Forks a driver. The server's CPU time is taken from the driver's start signal to its end, its memory when `memory` says.
 *
 * @param atEnd called when all is done and sessions that are held are still open
 */
function drive(
  { name, maildrop, ...workload }: Workload,
  server: RunningCandidate,
  users: readonly string[],
  measureMs: number,
  memory: "midway" | "end" | "peak",
  atEnd: () => void = () => {},
): Promise<Driven> {
  const driver = fork(fileURLToPath(new URL("./driver.js", import.meta.url)));
  const withTls = "tls" in workload && workload.tls !== undefined;
  const port = withTls ? server.tlsPort : server.port;
  driver.send({ workload: name, port, users, password, measureMs } satisfies DriverTask);
  return new Promise((resolve, reject) => {
    let cpuAtStart = 0;
    let memoryKib = 0;
    const sample = (): void => {
      memoryKib = Math.max(memoryKib, treeMemoryKib(server.pid));
    };
    let sampling: NodeJS.Timeout | undefined;
    const end = (act: () => void): void => {
      clearInterval(sampling);
      act();
      if (driver.connected) driver.disconnect();
    };
    const fail = (reason: string): void => end(() => reject(new Error(`${name}: ${reason}`)));
    driver.on("message", (report: DriverReport) => {
      switch (report.kind) {
        case "measuring":
          cpuAtStart = treeCpuMs(server.pid);
          if (memory === "midway") sampling = setTimeout(sample, measureMs / 2);
          if (memory === "peak") sampling = setInterval(sample, memorySampleMs);
          break;
        case "measured": {
          const cpuMs = treeCpuMs(server.pid) - cpuAtStart;
          // Also where the middle had not come.
          if (memory === "end" || memoryKib === 0) sample();
          atEnd();
          end(() =>
            resolve({
              unitsPerSecond: report.units / (report.elapsedMs / 1000),
              cpuMsPerUnit: cpuMs / report.units,
              memoryMib: memoryKib / 1024,
              driverCpuShare: report.cpuMs / report.elapsedMs,
              sessionMs: report.sessionMs,
              resumedShare: report.resumedShare,
            }),
          );
          break;
        }
        case "failed":
          fail(report.reason);
          break;
        default:
          report satisfies never;
      }
    });
    driver.once("error", (error) => fail(error.message));
    driver.once("exit", (code) => fail(`the driver ended with ${code} and without a report`));
  });
}
