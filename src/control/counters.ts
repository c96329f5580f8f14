// What this process has done since it started, counted. Every part of a process adds to it; pop3-ctl and metrics read it.
// Values of labels come from short fixed lists, never from a client, so that what is counted stays small.

export interface CounterHelp {
  readonly help: string;
  readonly labels: readonly string[];
}

export const counterHelp = {
  connections: { help: "Connections accepted", labels: [] },
  logins: {
    help: "Logins by who asked (pop3, mta), mechanism and result",
    labels: ["client", "mechanism", "result"],
  },
  sessions: { help: "Sessions that were logged in and have ended, by reason", labels: ["reason"] },
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

/** @param labels in the order of `counterHelp` */
export function count(name: CounterName, labels: readonly string[] = [], by = 1): void {
  const key = labels.length === 0 ? name : `${name} ${labels.join(" ")}`;
  const found = counted.get(key);
  if (found !== undefined) found.value += by;
  else counted.set(key, { name, labels, value: by });
}

export function readCounters(): readonly Counted[] {
  return [...counted.values()];
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
