// From single measurements to what is printed: medians over the rounds, ratios to Dovecot's better mode. Pure.
import type { Candidate } from "./candidates.ts";
import type { Workload } from "./workloads.ts";

/** One candidate, one workload, one round. */
export interface Measurement {
  readonly unitsPerSecond: number;
  readonly cpuMsPerUnit: number;
  /** PSS of the server's processes together; where sessions are held, what these have added, the kernel's part with it. */
  readonly memoryMib: number;
  /** Of one core. */
  readonly driverCpuShare: number;
  readonly sessionMs: readonly number[];
  /** What else there is to say. */
  readonly note?: string;
}

export interface Result {
  readonly candidate: string;
  readonly maker: Candidate["maker"];
  readonly unitsPerSecond: number;
  readonly unitsPerSecondByRound: readonly number[];
  readonly cpuMsPerUnit: number;
  readonly memoryMib: number;
  readonly driverCpuShare: number;
  readonly sessionMs: { readonly p50: number; readonly p95: number; readonly p99: number };
  /**
   * Above 1 is better than Dovecot: how many times its units per second. Null, as the others, where one side is below what can
   * be measured, or no Dovecot has got through.
   */
  readonly rateRatio: number | null;
  /** Above 1 is better than Dovecot: how many units for the CPU time that it takes for one. */
  readonly cpuRatio: number | null;
  /** Above 1 is better than Dovecot: how often this fits into its memory. */
  readonly memoryRatio: number | null;
  readonly note?: string;
}

/** What `--json` writes. */
export interface Report {
  readonly machine: { readonly cpu: string | undefined; readonly cores: number; readonly node: string };
  readonly rounds: number;
  readonly measureMs: number;
  readonly workloads: readonly WorkloadReport[];
}

export interface WorkloadReport {
  readonly name: string;
  readonly title: string;
  readonly unit: Workload["unit"];
  readonly counts: Workload["counts"];
  readonly results: readonly Result[];
}

export function summarize(rounds: ReadonlyMap<Candidate, readonly Measurement[]>): readonly Result[] {
  const medians = [...rounds].map(([{ name, maker }, measurements]) => {
    const of = (figure: (measurement: Measurement) => number): number => median(measurements.map(figure));
    const note = measurements.at(-1)?.note;
    return {
      candidate: name,
      maker,
      unitsPerSecond: of(({ unitsPerSecond }) => unitsPerSecond),
      unitsPerSecondByRound: measurements.map(({ unitsPerSecond }) => unitsPerSecond),
      cpuMsPerUnit: of(({ cpuMsPerUnit }) => cpuMsPerUnit),
      memoryMib: of(({ memoryMib }) => memoryMib),
      driverCpuShare: of(({ driverCpuShare }) => driverCpuShare),
      sessionMs: percentiles(measurements.flatMap(({ sessionMs }) => sessionMs)),
      ...(note === undefined ? {} : { note }),
    };
  });
  const theirs = medians.filter(({ maker }) => maker === "dovecot");
  const theirRate = Math.max(0, ...theirs.map(({ unitsPerSecond }) => unitsPerSecond));
  const theirCpu = Math.min(...theirs.map(({ cpuMsPerUnit }) => cpuMsPerUnit));
  const theirMemory = Math.min(...theirs.map(({ memoryMib }) => memoryMib));
  return medians.map((result) => ({
    ...result,
    rateRatio: ratio(result.unitsPerSecond, theirRate),
    cpuRatio: ratio(theirCpu, result.cpuMsPerUnit),
    memoryRatio: ratio(theirMemory, result.memoryMib),
  }));
}

/** The ratio that the workload is there for. */
export function principalRatio({ counts }: WorkloadReport, result: Result): number | null {
  switch (counts) {
    case "rate":
      return result.rateRatio;
    case "cpu":
      return result.cpuRatio;
    case "memory":
      return result.memoryRatio;
    default:
      return counts satisfies never;
  }
}

/** A workload's part of the table, with its heading; the ratio that counts has a star. */
export function formatWorkload({ name, title, unit, counts, results }: WorkloadReport): string {
  const times = (of: WorkloadReport["counts"]): string => (of === counts ? "× Dovecot*" : "× Dovecot");
  const header = [
    "",
    `${unit}s/s`.replace("MBs", "MB"),
    times("rate"),
    unit === "MB" ? "CPU-s/GB" : `CPU-µs/${unit}`,
    times("cpu"),
    "memory MiB",
    times("memory"),
    "p50 ms",
    "p95 ms",
    "p99 ms",
    "driver CPU",
    "",
  ];
  const rows = results.map((result) => [
    result.candidate,
    number(result.unitsPerSecond),
    result.rateRatio?.toFixed(2) ?? "–",
    // A GB in seconds is an MB in milliseconds.
    number(unit === "MB" ? result.cpuMsPerUnit : result.cpuMsPerUnit * 1000),
    result.cpuRatio?.toFixed(2) ?? "–",
    number(result.memoryMib),
    result.memoryRatio?.toFixed(2) ?? "–",
    number(result.sessionMs.p50),
    number(result.sessionMs.p95),
    number(result.sessionMs.p99),
    `${Math.round(result.driverCpuShare * 100)} %`,
    result.note ?? "",
  ]);
  const widths = header.map((heading, column) =>
    Math.max(heading.length, ...rows.map((row) => row[column]!.length)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) =>
        column === 0 || column === cells.length - 1
          ? cell.padEnd(widths[column]!)
          : cell.padStart(widths[column]!),
      )
      .join("  ")
      .trimEnd();
  return [`${name}: ${title}`, line(header), ...rows.map(line), ""].join("\n");
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function percentiles(values: readonly number[]): Result["sessionMs"] {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}

function ratio(above: number, below: number): number | null {
  return above > 0 && below > 0 && Number.isFinite(above) ? above / below : null;
}

/** Three figures that mean something, with commas. */
function number(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString("en-US") : value.toPrecision(3);
}
