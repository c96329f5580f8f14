// Every command counted, with how long it took: the one thing that is counted at each line of each client, and so into arrays
// that are made once a keyword. Read by counters.ts, and by metrics as a histogram.

/** Upper bounds in seconds; a message that is opened and sent takes 0.1 ms, a password some 30 ms, a throttled one 15 s. */
export const COMMAND_BUCKETS = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30] as const;

export interface CommandTimes {
  readonly command: string;
  /** That took no longer than the bound at the same place, and longer than the one before; the last ones took longer than all. */
  readonly buckets: readonly number[];
  /** Together. Whole numbers: sums over processes must not depend on their order, or they would seem to go back. */
  readonly microseconds: number;
}

interface Times {
  /** By bucket. */
  readonly numbers: Float64Array;
  microseconds: number;
  ok: number;
  err: number;
}

const bounds = Float64Array.from(COMMAND_BUCKETS, (seconds) => seconds * 1000);
const byCommand = new Map<string, Times>();

/**
 * @param command a keyword of POP3; what a client made up is "unknown"
 * @param ms from the line to the moment when all of its reply was on its way, which waits for a client that reads slowly
 */
export function countCommand(command: string, isRefused: boolean, ms: number): void {
  const times = byCommand.get(command) ?? begin(command);
  let bucket = 0;
  while (bucket < bounds.length && ms > bounds[bucket]!) bucket++;
  times.numbers[bucket]!++;
  times.microseconds += Math.round(ms * 1000);
  if (isRefused) times.err++;
  else times.ok++;
}

/** Goes on with what a process had counted that is no more. @param counts of the counter `commands` */
export function inheritCommands(
  all: readonly CommandTimes[],
  counts: readonly { readonly labels: readonly string[]; readonly value: number }[],
): void {
  for (const { command, buckets, microseconds } of all) {
    const times = byCommand.get(command) ?? begin(command);
    for (const [index, number] of buckets.entries()) times.numbers[index]! += number;
    times.microseconds += microseconds;
  }
  for (const { labels, value } of counts) {
    const [command = "", status] = labels;
    const times = byCommand.get(command) ?? begin(command);
    if (status === "err") times.err += value;
    else times.ok += value;
  }
}

export function readCommandTimes(): CommandTimes[] {
  return [...byCommand].map(([command, { numbers, microseconds }]) => ({
    command,
    buckets: [...numbers],
    microseconds,
  }));
}

/** As the counter `commands` has them. */
export function readCommandCounts(): {
  readonly labels: readonly [command: string, status: string];
  readonly value: number;
}[] {
  return [...byCommand].flatMap(([command, { ok, err }]) =>
    Object.entries({ ok, err })
      .filter(([, value]) => value > 0)
      .map(([status, value]) => ({ labels: [command, status] as const, value })),
  );
}

/** Adds up what several processes have counted. */
export function sumCommandTimes(all: readonly CommandTimes[]): CommandTimes[] {
  const sums = new Map<string, CommandTimes>();
  for (const each of all) {
    const sum = sums.get(each.command);
    sums.set(each.command, {
      command: each.command,
      buckets: each.buckets.map((number, index) => number + (sum?.buckets[index] ?? 0)),
      microseconds: each.microseconds + (sum?.microseconds ?? 0),
    });
  }
  return [...sums.values()];
}

function begin(command: string): Times {
  const times = { numbers: new Float64Array(COMMAND_BUCKETS.length + 1), microseconds: 0, ok: 0, err: 0 };
  byCommand.set(command, times);
  return times;
}
