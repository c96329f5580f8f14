// What the server has counted, in Prometheus' text format. Names follow its conventions: dewey_pop3_…, _total for what only
// grows, seconds and bytes. Used by the metrics process.
import { type Aggregator, AggregatorRegistry } from "prom-client";
import { COMMAND_BUCKETS, type CommandTimes } from "../counters/command-times.ts";
import { type CounterName, counterHelp, isGauge } from "../counters/counters.ts";
import type { NamedProcess, Stats } from "./stats.ts";

export interface ExpositionFacts {
  readonly version: string;
  readonly nodeVersion: string;
  /** Processes that owe an answer: what they know is missing. */
  readonly silent: number;
  readonly nowMs: number;
}

export interface Exposition {
  readonly contentType: string;
  readonly text: string;
}

export async function exposition(stats: Stats, facts: ExpositionFacts): Promise<Exposition> {
  const registry = AggregatorRegistry.aggregate([metricsOf(stats, facts)]);
  return { contentType: registry.contentType, text: await registry.metrics() };
}

type Type = "counter" | "gauge" | "histogram";

/** As prom-client's registries exchange them, which its own types tell in part. */
interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: Type;
  readonly aggregator: Aggregator;
  readonly values: readonly Sample[];
}

interface Sample {
  /** Where it is not the metric's own. */
  readonly metricName?: string;
  readonly labels: Labels;
  readonly value: number;
}

function metricsOf(stats: Stats, facts: ExpositionFacts): Metric[] {
  const names = Object.keys(counterHelp) as CounterName[];
  return [
    ...names.map((name) => counterMetric(name, stats)),
    commandDurations(stats.commandTimes),
    ...processMetrics(stats.processes, facts),
  ];
}

function counterMetric(name: CounterName, { counters }: Stats): Metric {
  const { help, labels } = counterHelp[name];
  const { base, factor } = inBaseUnits(name);
  const values: Sample[] = counters
    .filter((each) => each.name === name)
    .map((each) => ({
      labels: Object.fromEntries(labels.map((label, index) => [label, each.labels[index] ?? ""])),
      value: each.value * factor,
    }));
  // What cannot be told apart by labels is there from the begin: a rate needs the 0 before the 1.
  if (values.length === 0 && labels.length === 0) values.push({ labels: {}, value: 0 });
  return isGauge(name)
    ? metric("gauge", base, help, values)
    : metric("counter", `${base}_total`, help, values);
}

/** Prometheus wants seconds of whatever is time. */
function inBaseUnits(name: CounterName): { readonly base: string; readonly factor: number } {
  if (name === "certificate_days_left") return { base: "certificate_left_seconds", factor: 86_400 };
  if (name === "cpu_milliseconds") return { base: "cpu_seconds", factor: 1 / 1000 };
  return { base: name, factor: 1 };
}

function commandDurations(all: readonly CommandTimes[]): Metric {
  const name = "command_duration_seconds";
  const values = all.flatMap(({ command, buckets, microseconds }) => {
    let number = 0;
    const cumulative = buckets.map((ofBucket, index) => {
      number += ofBucket;
      return sample(`${name}_bucket`, { command, le: COMMAND_BUCKETS[index] ?? "+Inf" }, number);
    });
    return [
      ...cumulative,
      sample(`${name}_sum`, { command }, microseconds / 1e6),
      sample(`${name}_count`, { command }, number),
    ];
  });
  const help =
    "From a command's line to the end of its reply, which waits for a client that reads slowly, and for the delay of a refused login";
  return metric("histogram", name, help, values);
}

function processMetrics(processes: readonly NamedProcess[], facts: ExpositionFacts): Metric[] {
  const roles = [...new Set(processes.map(({ role }) => role))];
  const byRole = (value: (ofRole: readonly NamedProcess[]) => number) =>
    roles.map((role) => ({ labels: { role }, value: value(processes.filter((each) => each.role === role)) }));
  const master = processes.find(({ role }) => role === "master");
  const { version, nodeVersion, silent, nowMs } = facts;
  return [
    metric(
      "gauge",
      "processes",
      "Processes that run, by role",
      byRole(({ length }) => length),
    ),
    metric("gauge", "processes_silent", "Processes that did not answer in time: what they count is missing", [
      { labels: {}, value: silent },
    ]),
    metric(
      "gauge",
      "resident_memory_bytes",
      "Memory of a role's processes together; what they share is counted in each",
      byRole((of) => sum(of.map(({ rssBytes }) => rssBytes))),
    ),
    metric(
      "gauge",
      "event_loop_lag_seconds",
      "The longest that one of a role's processes was late in the last minute",
      byRole((of) => Math.max(...of.map(({ loopLagMs }) => loopLagMs)) / 1000),
    ),
    metric(
      "gauge",
      "start_time_seconds",
      "When the server was started",
      master === undefined ? [] : [{ labels: {}, value: Math.round((nowMs - master.upMs) / 1000) }],
    ),
    metric("gauge", "build_info", "Versions; always 1", [
      { labels: { version, node: nodeVersion }, value: 1 },
    ]),
  ];
}

type Labels = Readonly<Record<string, string | number>>;

function metric(type: Type, name: string, help: string, values: readonly Sample[]): Metric {
  return { name: `${PREFIX}${name}`, help, type, aggregator: "sum", values };
}

function sample(name: string, labels: Labels, value: number): Sample {
  return { metricName: `${PREFIX}${name}`, labels, value };
}

const PREFIX = "dewey_pop3_";

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
