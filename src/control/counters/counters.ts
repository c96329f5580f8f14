// What this process has done since it started, counted, and what it measures at the moment. Every part of a process adds to
// it; pop3-ctl and metrics read it. Values of labels come from short fixed lists or the config, never from a client, so that
// what is counted stays small.
import { type CommandTimes, inheritCommands, readCommandCounts } from "./command-times.ts";

export interface CounterHelp {
  readonly help: string;
  readonly labels: readonly string[];
  /** Measured when it is read, and may go down; the others are counted, and only grow. */
  readonly isGauge?: true;
}

export const counterHelp = {
  connections: { help: "Connections accepted", labels: [] },
  connections_open: { help: "Connections at the moment, logged in or not", labels: [], isGauge: true },
  logins: {
    help: "Logins by who asked (pop3, mta, nginx), mechanism and result",
    labels: ["client", "mechanism", "result"],
  },
  sessions: { help: "Sessions that were logged in and have ended, by reason", labels: ["reason"] },
  sessions_open: { help: "Sessions that are logged in at the moment", labels: [], isGauge: true },
  commands: { help: "Commands by keyword and status of the reply", labels: ["command", "status"] },
  messages_retrieved: { help: "Messages sent whole by RETR", labels: [] },
  messages_deleted: { help: "Messages removed at UPDATE", labels: [] },
  octets_sent: { help: "Octets of messages as sent", labels: [] },
  maildrops_opened: {
    help: "Maildrops opened, by whether all sizes were known beforehand (index, snapshot or names)",
    labels: ["sizes"],
  },
  lock_waits: {
    help: "Logins that found the maildrop locked, by how that ended: free, taken-over, refused",
    labels: ["outcome"],
  },
  throttled: {
    help: "Accounts, addresses, and accounts from one address, whose next guess has to wait at the moment",
    labels: ["of"],
    isGauge: true,
  },
  limits_reached: {
    help: "Clients that were refused or whose sessions were ended at a limit, by its key in the config",
    labels: ["limit"],
  },
  proxies_refused: {
    help: "Connections to listeners for proxies that were dropped: not from a proxy's network, or without a sound PROXY header",
    labels: ["reason"],
  },
  processes_ended: {
    help: "Processes that ended while the server went on, by role and reason: died, hung, memory",
    labels: ["role", "reason"],
  },
  cpu_milliseconds: { help: "Processor time that was taken, by role", labels: ["role"] },
  user_processes: {
    help: "Mailbox processes of system users: started, ended-idle, evicted for another's, died, refused",
    labels: ["event"],
  },
  certificate_days_left: {
    help: "What a configured certificate has left until it expires, below 0 where it has, by its file",
    labels: ["certificate"],
    isGauge: true,
  },
} as const satisfies Readonly<Record<string, CounterHelp>>;

export type CounterName = keyof typeof counterHelp;

export interface Counted {
  readonly name: CounterName;
  /** In the order of `counterHelp`. */
  readonly labels: readonly string[];
  readonly value: number;
}

const counted = new Map<
  string,
  { readonly name: CounterName; readonly labels: readonly string[]; value: number }
>();

/** Counted by `countCommand`. */
type CommandsName = "commands";

/** @param labels in the order of `counterHelp` */
export function count(
  name: Exclude<CounterName, GaugeName | CommandsName>,
  labels: readonly string[] = [],
  by = 1,
): void {
  const key = labels.length === 0 ? name : `${name} ${labels.join(" ")}`;
  const found = counted.get(key);
  if (found !== undefined) found.value += by;
  else counted.set(key, { name, labels, value: by });
}

/**
 * Goes on with what a process had counted that is no more, so that sums over processes never go back.
 *
 * @param counters as `readCounters` gave them there
 */
export function inheritCounts(counters: readonly Counted[], times: readonly CommandTimes[]): void {
  const isCommands = ({ name }: Counted): boolean => name === "commands";
  inheritCommands(times, counters.filter(isCommands));
  for (const { name, labels, value } of counters) {
    // Whoever took a process over may have made its labels up.
    if (name === "commands" || isGauge(name) || counted.size > MAX_COUNTED) continue;
    count(name, labels, value);
  }
}

/** Far more than all labels have values. */
const MAX_COUNTED = 10_000;

export function isGauge(name: CounterName): name is GaugeName {
  return "isGauge" in counterHelp[name];
}

export interface Measured {
  /** In the order of `counterHelp`. */
  readonly labels: readonly string[];
  readonly value: number;
}

export type GaugeName = {
  [Name in CounterName]: (typeof counterHelp)[Name] extends { readonly isGauge: true } ? Name : never;
}[CounterName];

const gauges = new Map<GaugeName, () => readonly Measured[]>();

/** @param read asked each time; it replaces the one before it */
export function measure(name: GaugeName, read: () => readonly Measured[]): void {
  gauges.set(name, read);
}

export function readCounters(): readonly Counted[] {
  return [
    ...[...counted.values()].map((each) => ({ ...each })),
    ...readCommandCounts().map((each) => ({ name: "commands" as const, ...each })),
    ...[...gauges].flatMap(([name, read]) => read().map((each) => ({ name, ...each }))),
  ];
}

/** Adds up what several processes have counted. */
export function sumCounters(all: readonly Counted[]): Counted[] {
  const sums = new Map<string, Counted>();
  for (const each of all) {
    const key = `${each.name} ${each.labels.join(" ")}`;
    sums.set(key, { ...each, value: each.value + (sums.get(key)?.value ?? 0) });
  }
  return [...sums.values()];
}
