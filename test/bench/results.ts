// From single measurements to what is printed: medians over the rounds, ratios to Dovecot's better mode. Pure.
import type { Workload } from "./workloads.ts";

/** One candidate, one workload, one round. */
export interface Measurement {
  readonly unitsPerSecond: number;
  readonly cpuMsPerUnit: number;
  /** Of one core. */
  readonly driverCpuShare: number;
  readonly sessionMs: readonly number[];
}

export interface Result {
  readonly candidate: string;
  readonly unitsPerSecond: number;
  readonly unitsPerSecondByRound: readonly number[];
  readonly cpuMsPerUnit: number;
  readonly driverCpuShare: number;
  readonly sessionMs: { readonly p50: number; readonly p95: number; readonly p99: number };
  /** Above 1 is better than Dovecot: how many times its units per second. */
  readonly rateRatio: number;
  /** Above 1 is better than Dovecot: how many units for the CPU time that it takes for one. */
  readonly cpuRatio: number;
}

/** @param byCandidate rounds of each candidate; at least one of those named in `dovecots` */
export function summarize(
  byCandidate: ReadonlyMap<string, readonly Measurement[]>,
  dovecots: ReadonlySet<string>,
): readonly Result[] {
  const medians = [...byCandidate].map(([candidate, rounds]) => ({
    candidate,
    unitsPerSecond: median(rounds.map((round) => round.unitsPerSecond)),
    unitsPerSecondByRound: rounds.map((round) => round.unitsPerSecond),
    cpuMsPerUnit: median(rounds.map((round) => round.cpuMsPerUnit)),
    driverCpuShare: median(rounds.map((round) => round.driverCpuShare)),
    sessionMs: percentiles(rounds.flatMap((round) => round.sessionMs)),
  }));
  const theirs = medians.filter(({ candidate }) => dovecots.has(candidate));
  const theirRate = Math.max(...theirs.map(({ unitsPerSecond }) => unitsPerSecond));
  const theirCpu = Math.min(...theirs.map(({ cpuMsPerUnit }) => cpuMsPerUnit));
  return medians.map((result) => ({
    ...result,
    rateRatio: result.unitsPerSecond / theirRate,
    cpuRatio: theirCpu / result.cpuMsPerUnit,
  }));
}

/** A workload's part of the table, with its heading. */
export function formatResults({ name, title, unit }: Workload, results: readonly Result[]): string {
  const header = [
    "",
    `${unit}s/s`.replace("MBs", "MB"),
    "× Dovecot",
    `CPU-µs/${unit}`,
    "× Dovecot",
    "p50 ms",
    "p95 ms",
    "p99 ms",
    "driver CPU",
  ];
  const rows = results.map((result) => [
    result.candidate,
    number(result.unitsPerSecond),
    result.rateRatio.toFixed(2),
    number(result.cpuMsPerUnit * 1000),
    result.cpuRatio.toFixed(2),
    number(result.sessionMs.p50),
    number(result.sessionMs.p95),
    number(result.sessionMs.p99),
    `${Math.round(result.driverCpuShare * 100)} %`,
  ]);
  const widths = header.map((heading, column) =>
    Math.max(heading.length, ...rows.map((row) => (row[column] as string).length)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0] as number) : cell.padStart(widths[column] as number),
      )
      .join("  ")
      .trimEnd();
  return [`${name}: ${title}`, line(header), ...rows.map(line), ""].join("\n");
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

function percentiles(values: readonly number[]): Result["sessionMs"] {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] as number;
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}

/** Three figures that mean something, with commas. */
function number(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString("en-US") : value.toPrecision(3);
}
