// npm run bench: our server and Dovecot, side by side. All servers run on copies of the same Maildirs with the same
// passwords; one driver process at a time drives them in turn, several rounds, so that a slow minute of the machine
// hits all of them alike. What counts is the ratio, not the figure.
//
//   npm run bench -- [--quick] [--json FILE] [--only TEXT] [--server TEXT] [--rounds N] [--seconds N] [--folder DIR]
import { fork } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { TestAccount } from "../support/accounts.ts";
import { type MailOwner, mailOwner } from "../support/mail-owner.ts";
import { type Candidate, candidates, type RunningCandidate } from "./candidates.ts";
import type { DriverReport, DriverTask } from "./driver.ts";
import { copyMaildrops, layOutMaildrop, userName } from "./maildirs.ts";
import { treeCpuMs } from "./process-cpu.ts";
import { formatResults, type Measurement, type Result, summarize } from "./results.ts";
import { type Maildrop, type Workload, workloads } from "./workloads.ts";

const password = "secret";

interface Options {
  readonly chosen: readonly Workload[];
  readonly servers: readonly Candidate[];
  readonly rounds: number;
  readonly measureMs: number;
  readonly folder: string;
  readonly json: string | undefined;
}

async function main(): Promise<void> {
  const options = readArguments();
  const owner = mailOwner();
  const folder = mkdtempSync(join(options.folder, "dewey-bench-"));
  chmodSync(folder, 0o755);
  const running: { readonly candidate: Candidate; readonly server: RunningCandidate }[] = [];
  try {
    const maildrops = neededMaildrops(options.chosen);
    say(`laying out ${maildrops.size} kinds of maildrop in ${folder}`);
    const template = join(folder, "template");
    for (const [maildrop, clients] of maildrops) layOutMaildrop(template, owner, maildrop, clients);
    for (const [index, candidate] of options.servers.entries()) {
      const homes = join(folder, `${index}`);
      await copyMaildrops(template, homes);
      running.push({ candidate, server: await candidate.start(accountsOf(maildrops, homes, owner), owner) });
    }
    rmSync(template, { recursive: true });

    const report: { workload: string; title: string; unit: string; results: readonly Result[] }[] = [];
    for (const workload of options.chosen) {
      const results = await measureWorkload(workload, running, options);
      console.log(formatResults(workload, results));
      report.push({ workload: workload.name, title: workload.title, unit: workload.unit, results });
    }
    if (options.json !== undefined) {
      const { rounds, measureMs } = options;
      const machine = { cpu: cpus()[0]?.model, cores: availableParallelism(), node: process.version };
      writeFileSync(
        options.json,
        `${JSON.stringify({ machine, rounds, measureMs, report }, undefined, 2)}\n`,
      );
    }
  } finally {
    const ends = await Promise.allSettled(running.map(({ server }) => server.stop()));
    rmSync(folder, { recursive: true, force: true });
    for (const end of ends) if (end.status === "rejected") console.error(`bench: ${end.reason}`);
  }
}

async function measureWorkload(
  workload: Workload,
  running: readonly { readonly candidate: Candidate; readonly server: RunningCandidate }[],
  { rounds, measureMs }: Options,
): Promise<readonly Result[]> {
  const byCandidate = new Map<string, Measurement[]>(running.map(({ candidate }) => [candidate.name, []]));
  for (let round = 0; round < rounds; round++) {
    // Each round begins with another server: none is always the first after a pause.
    for (let turn = 0; turn < running.length; turn++) {
      const { candidate, server } = running[(round + turn) % running.length]!;
      say(`${workload.name}, round ${round + 1} of ${rounds}: ${candidate.name}`);
      byCandidate.get(candidate.name)?.push(await measure(workload, server, measureMs, candidate.name));
    }
  }
  const dovecots = candidates.filter(({ isDovecot }) => isDovecot).map(({ name }) => name);
  return summarize(byCandidate, new Set(dovecots));
}

/** One driver process, one server, one workload. Its CPU time is taken from the driver's start signal to its end. */
function measure(
  workload: Workload,
  server: RunningCandidate,
  measureMs: number,
  candidateName: string,
): Promise<Measurement> {
  const driver = fork(fileURLToPath(new URL("./driver.js", import.meta.url)));
  const users = Array.from({ length: workload.clients }, (_, client) => userName(workload.maildrop, client));
  driver.send({
    workload: workload.name,
    port: server.port,
    users,
    password,
    measureMs,
  } satisfies DriverTask);
  return new Promise((resolve, reject) => {
    const fail = (reason: string): void =>
      reject(new Error(`${workload.name} with ${candidateName}: ${reason}`));
    let cpuAtStart = 0;
    driver.on("message", (report: DriverReport) => {
      switch (report.kind) {
        case "measuring":
          cpuAtStart = treeCpuMs(server.pid);
          break;
        case "measured":
          resolve({
            unitsPerSecond: report.units / (report.elapsedMs / 1000),
            cpuMsPerUnit: (treeCpuMs(server.pid) - cpuAtStart) / report.units,
            driverCpuShare: report.cpuMs / report.elapsedMs,
            sessionMs: report.sessionMs,
          });
          break;
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

/** Every maildrop with the greatest number of clients that any workload has for it. */
function neededMaildrops(chosen: readonly Workload[]): ReadonlyMap<Maildrop, number> {
  const needed = new Map<Maildrop, number>();
  for (const { maildrop, clients } of chosen) {
    needed.set(maildrop, Math.max(clients, needed.get(maildrop) ?? 0));
  }
  return needed;
}

function accountsOf(
  maildrops: ReadonlyMap<Maildrop, number>,
  homes: string,
  owner: MailOwner,
): readonly TestAccount[] {
  return [...maildrops].flatMap(([maildrop, clients]) =>
    Array.from({ length: clients }, (_, client) => {
      const user = userName(maildrop, client);
      return { user, password, uid: owner.uid, gid: owner.gid, home: join(homes, user) };
    }),
  );
}

function readArguments(): Options {
  const { values } = parseArgs({
    options: {
      quick: { type: "boolean", default: false },
      json: { type: "string" },
      only: { type: "string", default: "" },
      server: { type: "string", default: "" },
      rounds: { type: "string" },
      seconds: { type: "string" },
      folder: { type: "string", default: tmpdir() },
    },
  });
  const chosen = workloads.filter(({ name }) => name.includes(values.only));
  if (chosen.length === 0) {
    throw new Error(
      `no workload is named like "${values.only}"; there are ${workloads.map(({ name }) => name).join(", ")}`,
    );
  }
  const servers = candidates.filter(({ name, isDovecot }) => name.includes(values.server) || isDovecot);
  return {
    chosen,
    servers,
    rounds: positive("--rounds", values.rounds ?? (values.quick ? "3" : "5")),
    measureMs: 1000 * positive("--seconds", values.seconds ?? (values.quick ? "0.5" : "3")),
    folder: values.folder,
    json: values.json,
  };
}

function positive(option: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`${option} takes a number above 0, not "${text}"`);
  return value;
}

/** Progress, apart from the results: standard error, one line that is written over. */
function say(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

main().catch((fault: Error) => {
  console.error(`\nbench: ${fault.message}`);
  process.exitCode = 1;
});
