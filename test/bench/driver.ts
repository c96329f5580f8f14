// The driver: a process of its own that runs one workload's sessions against one server for a given time and reports
// what it did and what it cost itself. Forked by the bench, spoken to by messages.
import { DriverConnection } from "./driver-connection.ts";
import { type Workload, workloads } from "./workloads.ts";

export interface DriverTask {
  readonly workload: string;
  readonly port: number;
  /** One for each client. */
  readonly users: readonly string[];
  readonly password: string;
  readonly measureMs: number;
}

export type DriverReport =
  /** Every client has had a session that does not count: the measurement begins. */
  | { readonly kind: "measuring" }
  | {
      readonly kind: "measured";
      readonly units: number;
      readonly sessions: number;
      readonly elapsedMs: number;
      /** The driver's own. */
      readonly cpuMs: number;
      /** From connecting to the end of the connection, one for each session. */
      readonly sessionMs: readonly number[];
    }
  | { readonly kind: "failed"; readonly reason: string };

const readBufferBytes = 256 * 1024;

process.once("message", (task: DriverTask) => {
  run(task).then(
    (report) => process.send?.(report, () => process.disconnect()),
    (fault: Error) =>
      process.send?.({ kind: "failed", reason: fault.message } satisfies DriverReport, () =>
        process.disconnect(),
      ),
  );
});

async function run(task: DriverTask): Promise<DriverReport> {
  const workload = workloads.find(({ name }) => name === task.workload);
  if (workload === undefined) throw new Error(`no workload ${task.workload}`);
  const clients = task.users.map((user) => ({ user, buffer: Buffer.allocUnsafe(readBufferBytes) }));

  await Promise.all(clients.map(async (client) => await session(task, workload, client)));
  process.send?.({ kind: "measuring" } satisfies DriverReport);

  const cpuAtStart = process.cpuUsage();
  const start = performance.now();
  const sessionMs: number[] = [];
  let units = 0;
  await Promise.all(
    clients.map(async (client) => {
      do {
        const begin = performance.now();
        // Not `units += await …`: the sum would be read before the wait and lose what other clients add meanwhile.
        const done = await session(task, workload, client);
        units += done;
        sessionMs.push(performance.now() - begin);
      } while (performance.now() - start < task.measureMs);
    }),
  );
  const elapsedMs = performance.now() - start;
  const { user, system } = process.cpuUsage(cpuAtStart);
  return {
    kind: "measured",
    units,
    sessions: sessionMs.length,
    elapsedMs,
    cpuMs: (user + system) / 1000,
    sessionMs,
  };
}

async function session(
  { port, password }: DriverTask,
  workload: Workload,
  { user, buffer }: { readonly user: string; readonly buffer: Buffer },
): Promise<number> {
  const connection = await DriverConnection.open(port, buffer);
  connection.send(`USER ${user}\r\n`);
  await connection.lines(1);
  connection.send(`PASS ${password}\r\n`);
  await connection.lines(1);
  const units = await workload.session(connection, workload.maildrop);
  await connection.quit();
  return units;
}
