// `pop3-ctl stats`: what the server has done since its processes started, summed over them, and what they take.
import { type Counted, type CounterName, counterHelp } from "../counters/counters.ts";
import { type NamedProcess, type Stats, statsOf } from "../figures/stats.ts";
import type { ServerLink } from "../link/server-link.ts";
import type { Printer } from "../terminal/printer.ts";
import { table } from "../terminal/table.ts";
import { amount, duration } from "../terminal/units.ts";

export async function readStats(server: ServerLink): Promise<Stats> {
  return statsOf(await server.ask({ kind: "stats" }));
}

/** The sum of a counter, of all its labels or of those that fit. */
export function total(
  counters: readonly Counted[],
  name: CounterName,
  fits: (labels: readonly string[]) => boolean = () => true,
): number {
  return counters
    .filter((each) => each.name === name && fits(each.labels))
    .reduce((sum, { value }) => sum + value, 0);
}

export async function stats(server: ServerLink, printer: Printer): Promise<void> {
  const all = await readStats(server);
  const counters = all.counters.map(({ name, labels, value }) => ({
    name,
    labels: Object.fromEntries(counterHelp[name].labels.map((label, index) => [label, labels[index] ?? ""])),
    value,
  }));
  printer.result({ counters, processes: all.processes }, [
    ...counterTable(all.counters, printer.columns),
    "",
    ...processTable(all.processes, printer.columns),
  ]);
}

function counterTable(counters: readonly Counted[], columns: number): string[] {
  const names = Object.keys(counterHelp) as CounterName[];
  const rows = names.flatMap((name) => {
    const ofName = counters.filter((each) => each.name === name);
    if (ofName.length === 0) return [[name, "", "0"]];
    return ofName
      .sort((a, b) => b.value - a.value)
      .map(({ labels, value }, index) => [index === 0 ? name : "", labels.join(" "), `${value}`]);
  });
  return table(
    [{ title: "COUNTED" }, { title: "OF", least: 12 }, { title: "NUMBER", align: "right" }],
    rows,
    columns,
  );
}

function processTable(processes: readonly NamedProcess[], columns: number): string[] {
  return table(
    [
      { title: "PROCESS" },
      { title: "PID", align: "right" },
      { title: "UID", align: "right" },
      { title: "UP", align: "right" },
      { title: "CPU", align: "right" },
      { title: "MEMORY", align: "right" },
      { title: "LAG", align: "right" },
    ],
    processes.map(({ name, pid, uid, upMs, cpuMs, rssBytes, loopLagMs }) => [
      name,
      pid,
      uid,
      duration(upMs),
      `${(cpuMs / 1000).toFixed(1)}s`,
      `${amount(rssBytes)}B`,
      `${loopLagMs}ms`,
    ]),
    columns,
  );
}
