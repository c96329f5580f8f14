// npm run bench: our server, Dovecot and Courier, side by side. All servers run on copies of the same Maildirs with the
// same passwords; one driver process at a time drives them in turn, several rounds, so that a slow minute of the machine
// hits all of them alike. What counts is the ratio, not the figure.
//
//   npm run bench -- --help
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { makeCertificate } from "../../scripts/certificate.mjs";
import { argon2idField, type TestAccount } from "../support/accounts.ts";
import { atExit } from "../support/at-exit.ts";
import { type MailOwner, mailOwner, runsAsRoot } from "../support/mail-owner.ts";
import { runOrThrow, runProgram } from "../support/program.ts";
import { type BenchArguments, readArguments } from "./arguments.ts";
import type { Candidate } from "./candidates.ts";
import { chart } from "./chart.ts";
import { compare, type Expected, expectedFrom } from "./expected.ts";
import { emptied, idle, layOutMaildrop, type Maildrop, userName } from "./maildrops.ts";
import { type Contender, measure, password, sharesServer, warmUpAccounts } from "./measure.ts";
import { formatWorkload, type Measurement, type Report, summarize, type WorkloadReport } from "./results.ts";
import { accountsNeeded, type Workload } from "./workloads.ts";

/** The program runs as built, in .bench. */
const expectedFile = fileURLToPath(new URL("../../test/bench/expected.json", import.meta.url));
/** 10,000 sessions with several descriptors each, in one process; where this may not be raised, the driver says what failed. */
const openFiles = 100_000;

async function main(): Promise<void> {
  const options = readArguments();
  if (typeof options === "string") {
    console.log(options);
    return;
  }
  const report =
    options.from === undefined
      ? await runBench(options)
      : (JSON.parse(readFileSync(options.from, "utf8")) as Report);
  if (options.from !== undefined)
    for (const workload of report.workloads) console.log(formatWorkload(workload));
  if (options.json !== undefined) writeJson(options.json, report);
  if (options.svg !== undefined) writeFileSync(options.svg, chart(report));
  const expected = JSON.parse(readFileSync(expectedFile, "utf8")) as Expected;
  if (options.check && !isAsExpected(report, expected) && !options.warn) process.exitCode = 1;
  if (options.writeExpected) writeJson(expectedFile, expectedFrom(report, expected));
}

function isAsExpected(report: Report, expected: Expected): boolean {
  const { worse, better, compared } = compare(report, expected);
  for (const line of worse) console.log(`worse than expected: ${line}`);
  for (const line of better) console.log(`better than expected: ${line}`);
  console.log(
    `${compared} ratios compared with test/bench/expected.json, ${worse.length} worse than expected`,
  );
  return worse.length === 0;
}

async function runBench(options: BenchArguments): Promise<Report> {
  if (runsAsRoot()) await runProgram("prlimit", ["--pid", `${process.pid}`, `--nofile=${openFiles}`]);
  const folder = mkdtempSync(join(options.folder, "dewey-bench-"));
  const forgetAtExit = atExit(() => rmSync(folder, { recursive: true, force: true }));
  chmodSync(folder, 0o755);
  const contenders: Contender[] = [];
  try {
    await prepare(folder, options, contenders);
    await warmUp(contenders, options);
    const measured: WorkloadReport[] = [];
    for (const workload of options.chosen) {
      const report = await measureWorkload(workload, contenders, options);
      console.log(formatWorkload(report));
      measured.push(report);
    }
    const machine = { cpu: cpus()[0]?.model, cores: availableParallelism(), node: process.version };
    return { machine, rounds: options.rounds, measureMs: options.measureMs, workloads: measured };
  } finally {
    const ends = await Promise.allSettled(contenders.map(({ server }) => server.stop()));
    // Twice as fast as rmSync, which asks for each file first.
    await runOrThrow("rm", ["-rf", "--", folder]);
    forgetAtExit();
    for (const end of ends) if (end.status === "rejected") console.error(`bench: ${end.reason}`);
  }
}

async function prepare(
  folder: string,
  { chosen, servers }: BenchArguments,
  contenders: Contender[],
): Promise<void> {
  const owner = mailOwner();
  const certificate = await makeCertificate();
  const maildrops = neededMaildrops(chosen);
  const template = join(folder, "template");
  for (const [maildrop, clients] of maildrops) {
    say(`laying out ${maildrop.name}`);
    layOutMaildrop(template, owner, maildrop, clients);
  }
  const shared = neededMaildrops(chosen.filter(sharesServer));
  for (const [index, candidate] of servers.entries()) {
    say(`copying for ${candidate.name}`);
    const homes = join(folder, `${index}`);
    // Millions of links, where many large maildrops are measured: the last one needs none of its own.
    await handOut(template, homes, maildrops, index === servers.length - 1 ? ["mv"] : ["cp", "-al"]);
    const accounts = await makeAccounts(maildrops, homes, owner);
    const served = [...shared.keys()].flatMap((maildrop) => accounts.get(maildrop)!);
    const server = await candidate.start(served, owner, certificate);
    contenders.push({ candidate, accounts, owner, certificate, template, homes, server });
  }
}

/** A machine that others use, too, may never be level; and a short form ends, however slow it is. */
const mostWarmUps = { quick: 4, whole: 8 };
/** Level: two warm-ups on end that cost no less than this share of the cheapest before. */
const levelShare = 0.95;

/**
 * A server that compiles its code while it runs, such as ours, costs thrice as much in its first seconds, and on a slow
 * machine for longer. What a host pays is what it costs after that, so each of them serves until a session becomes no cheaper,
 * and then only does it count; over TLS, too, where it is measured, since that is other code.
 */
async function warmUp(
  contenders: readonly Contender[],
  { chosen, warmUpMs, quick }: BenchArguments,
): Promise<void> {
  const most = quick ? mostWarmUps.quick : mostWarmUps.whole;
  const sessions = chosen.filter((workload) => workload.kind === "sessions");
  const overTls = sessions.find(({ tls }) => tls !== undefined);
  const plain = sessions.find(({ tls }) => tls === undefined);
  const workloads = [overTls, plain].filter((workload) => workload !== undefined);
  for (const workload of workloads) {
    for (const contender of contenders.filter((each) => serves(each, workload))) {
      let cheapest = Number.POSITIVE_INFINITY;
      for (let done = 0, level = 0; level < 2 && done < most; done++) {
        say(`warming up ${contender.candidate.name} on ${workload.name}, ${done + 1}`);
        const { cpuMsPerUnit } = await measure(workload, contender, warmUpMs);
        level = cpuMsPerUnit < levelShare * cheapest ? 0 : level + 1;
        cheapest = Math.min(cheapest, cpuMsPerUnit);
      }
    }
  }
}

function serves({ candidate }: Contender, { maildrop }: Workload): boolean {
  // Courier has no argon2.
  return candidate.maker !== "courier" || maildrop.argon2Kib === undefined;
}

async function measureWorkload(
  workload: Workload,
  contenders: readonly Contender[],
  { rounds: allRounds, measureMs, quick }: BenchArguments,
): Promise<WorkloadReport> {
  const able = contenders.filter((each) => serves(each, workload));
  const rounds = quick && takesItsTime(workload) ? 1 : allRounds;
  const measurements = new Map<Candidate, Measurement[]>(able.map(({ candidate }) => [candidate, []]));
  for (let round = 0; round < rounds; round++) {
    // Each round begins with another server: none is always the first after a pause.
    for (let turn = 0; turn < able.length; turn++) {
      const contender = able[(round + turn) % able.length]!;
      const { name } = contender.candidate;
      say(`${workload.name}, round ${round + 1} of ${rounds}: ${name}`);
      try {
        measurements.get(contender.candidate)?.push(await measure(workload, contender, measureMs));
      } catch (fault) {
        // The others, and the other workloads, are worth having all the same.
        console.error(`bench: ${name} is left out of ${workload.name}: ${(fault as Error).message}`);
        measurements.delete(contender.candidate);
        process.exitCode = 1;
      }
    }
  }
  const { title, unit, counts } = workload;
  return { name: workload.name, title, unit, counts, results: summarize(measurements) };
}

/** However short a measurement is to be: these end when all have logged in. */
function takesItsTime({ kind }: Workload): boolean {
  return kind === "burst" || kind === "idle";
}

/** Every maildrop with the greatest number of accounts that any workload has for it. */
function neededMaildrops(chosen: readonly Workload[]): ReadonlyMap<Maildrop, number> {
  const needed = new Map<Maildrop, number>();
  const need = (maildrop: Maildrop, count: number): void => {
    needed.set(maildrop, Math.max(count, needed.get(maildrop) ?? 0));
  };
  for (const workload of chosen) {
    need(workload.maildrop, accountsNeeded(workload));
    // What a fresh server warms up on.
    if (workload.kind === "opening") need(idle, warmUpAccounts);
  }
  return needed;
}

/** All but the messages that are deleted: those are copied before each measurement. */
async function handOut(
  template: string,
  homes: string,
  maildrops: ReadonlyMap<Maildrop, number>,
  [program, ...options]: readonly [string, ...string[]],
): Promise<void> {
  mkdirSync(homes);
  for (const [maildrop, clients] of maildrops) {
    if (maildrop === emptied) continue;
    const users = Array.from({ length: clients }, (_, client) => userName(maildrop, client));
    await runOrThrow(program, [...options, "--", ...users.map((user) => join(template, user)), homes]);
  }
}

async function makeAccounts(
  maildrops: ReadonlyMap<Maildrop, number>,
  homes: string,
  { uid, gid }: MailOwner,
): Promise<ReadonlyMap<Maildrop, readonly TestAccount[]>> {
  const accounts = new Map<Maildrop, readonly TestAccount[]>();
  for (const [maildrop, clients] of maildrops) {
    // One hash for all of them, since making it costs as much as verifying it.
    const field = await argon2idField(password, maildrop.argon2Kib);
    const users = Array.from({ length: clients }, (_, client) => userName(maildrop, client));
    accounts.set(
      maildrop,
      users.map((user) => ({ user, password, field, uid, gid, home: join(homes, user) })),
    );
  }
  return accounts;
}

function writeJson(file: string, value: unknown): void {
  writeFileSync(file, `${JSON.stringify(value, undefined, 2)}\n`);
}

/** Progress, apart from the results: standard error, one line that is written over. */
function say(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

main().catch((fault: Error) => {
  console.error(`\nbench: ${fault.message}`);
  process.exitCode = 1;
});
