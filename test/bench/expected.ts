// The regression guard: the ratios to Dovecot that this machine's like has shown, committed as expected.json, and which of
// a new report's are beyond the tolerance. Ratios, not times: they hold on other machines, about.
import { principalRatio, type Report } from "./results.ts";

export interface Expected {
  readonly [workload: string]: {
    /** 0.2: a ratio may be a fifth below. Set by hand, kept by `--write-expected`. */
    readonly tolerance: number;
    readonly ratios: Readonly<Record<string, number>>;
  };
}

/** What short rounds differ by on a quiet machine. */
const defaultTolerance = 0.2;

/** The table with this report's ratios in place of the old ones; workloads that it has not are kept. */
export function expectedFrom(report: Report, before: Expected): Expected {
  const measured = report.workloads.map((workload) => {
    const ratios = workload.results
      .filter(({ maker }) => maker === "dewey")
      .map((result) => [result.candidate, principalRatio(workload, result)] as const)
      .filter((entry): entry is [string, number] => entry[1] !== null);
    const rounded = ratios.map(([candidate, ratio]) => [candidate, Number(ratio.toPrecision(3))]);
    const tolerance = before[workload.name]?.tolerance ?? defaultTolerance;
    return [workload.name, { tolerance, ratios: Object.fromEntries(rounded) }] as const;
  });
  return { ...before, ...Object.fromEntries(measured) };
}

export interface Comparison {
  /** One line for each ratio below its tolerance. */
  readonly worse: readonly string[];
  /** And above: time to write the table anew. */
  readonly better: readonly string[];
  readonly compared: number;
}

export function compare(report: Report, expected: Expected): Comparison {
  const worse: string[] = [];
  const better: string[] = [];
  let compared = 0;
  for (const workload of report.workloads) {
    const { tolerance = 0, ratios = {} } = expected[workload.name] ?? {};
    for (const result of workload.results) {
      const before = ratios[result.candidate];
      const now = principalRatio(workload, result);
      if (before === undefined || now === null) continue;
      compared++;
      const line =
        `${workload.name}, ${result.candidate}: ${now.toFixed(2)} × Dovecot (${workload.counts}), expected ` +
        `${before.toFixed(2)} ± ${Math.round(tolerance * 100)} %`;
      if (now < before * (1 - tolerance)) worse.push(line);
      if (now > before * (1 + tolerance)) better.push(line);
    }
  }
  return { worse, better, compared };
}
