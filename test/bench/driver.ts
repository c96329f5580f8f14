// The driver: a process of its own that runs one workload's sessions against one server and reports what it did and what
// it cost itself. Forked by the bench, spoken to by messages.
import { DriverConnection, type TlsMemory } from "./driver-connection.ts";
import {
  type EmptyingWorkload,
  retrieveAndDelete,
  type SessionWorkload,
  stat,
  type Workload,
  workloads,
} from "./workloads.ts";

export interface DriverTask {
  readonly workload: string;
  readonly port: number;
  /** One for each client, or each session where a maildrop serves only once. */
  readonly users: readonly string[];
  readonly password: string;
  readonly measureMs: number;
}

export type DriverReport =
  /** What is not to count is over: the measurement begins. */
  | { readonly kind: "measuring" }
  | {
      readonly kind: "measured";
      readonly units: number;
      readonly elapsedMs: number;
      /** The driver's own. */
      readonly cpuMs: number;
      /** From connecting to the end of the connection, one for each session; or to what the workload says. */
      readonly sessionMs: readonly number[];
      /** Sessions whose TLS was resumed, of all. */
      readonly resumedShare: number;
    }
  | { readonly kind: "failed"; readonly reason: string };

type Done = Omit<Extract<DriverReport, { kind: "measured" }>, "kind" | "elapsedMs" | "cpuMs">;

/** Plenty for one client; a thousand that only wait need less. */
const readBufferBytes = 256 * 1024;
const smallBufferBytes = 1024;
/** No server's backlog of connections is meant to be measured. */
const loginsAtOnce = 50;

process.once("message", (task: DriverTask) => {
  run(task).then(
    (report) => process.send?.(report),
    (fault: Error) => process.send?.({ kind: "failed", reason: fault.message } satisfies DriverReport),
  );
});
// The bench lets go of the driver when it has looked at the server, whose sessions stay open until then.
process.once("disconnect", () => process.exit());

async function run(task: DriverTask): Promise<DriverReport> {
  const workload = workloads.find(({ name }) => name === task.workload);
  if (workload === undefined) throw new Error(`no workload ${task.workload}`);
  const measured = await prepare(task, workload);
  process.send?.({ kind: "measuring" } satisfies DriverReport);
  const cpuAtStart = process.cpuUsage();
  const start = performance.now();
  const done = await measured();
  const elapsedMs = performance.now() - start;
  const { user, system } = process.cpuUsage(cpuAtStart);
  return { kind: "measured", elapsedMs, cpuMs: (user + system) / 1000, ...done };
}

/** Does what is not to count, and gives what is. */
async function prepare(task: DriverTask, workload: Workload): Promise<() => Promise<Done>> {
  switch (workload.kind) {
    case "sessions":
      return await prepareSessions(task, workload);
    case "emptying":
      return await prepareEmptying(task, workload);
    case "opening":
    case "sweep":
      return async () => {
        const buffer = Buffer.allocUnsafe(readBufferBytes);
        const sessionMs: number[] = [];
        for (const user of task.users) sessionMs.push(await openingMs(task, user, buffer));
        return { units: task.users.length, sessionMs, resumedShare: 0 };
      };
    case "idle":
      return async () => await holdSessions(task);
    case "burst":
      return await prepareBurst(task);
    default:
      return workload satisfies never;
  }
}

async function prepareSessions(task: DriverTask, workload: SessionWorkload): Promise<() => Promise<Done>> {
  const clients = task.users.map((user) => ({
    user,
    buffer: Buffer.allocUnsafe(readBufferBytes),
    memory: {} satisfies TlsMemory,
  }));
  let resumed = 0;
  const session = async ({ user, buffer, memory }: (typeof clients)[number]): Promise<number> => {
    const tls =
      workload.tls === undefined ? undefined : workload.tls === "resumed" ? memory : ({} satisfies TlsMemory);
    const connection = await DriverConnection.open(task.port, buffer, tls);
    if (connection.isResumed) resumed++;
    await connection.login(user, task.password);
    const units = await workload.session(connection, workload.maildrop);
    await connection.quit();
    return units;
  };
  await Promise.all(clients.map(session));
  resumed = 0;
  return async () => {
    const start = performance.now();
    const sessionMs: number[] = [];
    let units = 0;
    await Promise.all(
      clients.map(async (client) => {
        do {
          const begin = performance.now();
          // Not `units += await …`: the sum would be read before the wait and lose what other clients add meanwhile.
          const done = await session(client);
          units += done;
          sessionMs.push(performance.now() - begin);
        } while (performance.now() - start < task.measureMs);
      }),
    );
    return { units, sessionMs, resumedShare: resumed / sessionMs.length };
  };
}

async function prepareEmptying(
  task: DriverTask,
  { clients, maildrop, tls }: EmptyingWorkload,
): Promise<() => Promise<Done>> {
  const users = task.users[Symbol.iterator]();
  const each = Array.from({ length: clients }, () => ({
    buffer: Buffer.allocUnsafe(readBufferBytes),
    memory: {} satisfies TlsMemory,
  }));
  let resumed = 0;
  const session = async (user: string, { buffer, memory }: (typeof each)[number]): Promise<number> => {
    const connection = await DriverConnection.open(task.port, buffer, tls && memory);
    if (connection.isResumed) resumed++;
    await connection.login(user, task.password);
    const units = await retrieveAndDelete(connection, maildrop);
    await connection.quit();
    return units;
  };
  await Promise.all(each.map(async (client) => await session(users.next().value!, client)));
  resumed = 0;
  return async () => {
    const sessionMs: number[] = [];
    let units = 0;
    await Promise.all(
      each.map(async (client) => {
        for (const user of users) {
          const begin = performance.now();
          const done = await session(user, client);
          units += done;
          sessionMs.push(performance.now() - begin);
        }
      }),
    );
    return { units, sessionMs, resumedShare: resumed / sessionMs.length };
  };
}

/** A client waits until it knows what is there; QUIT is no part of it. */
async function openingMs({ port, password }: DriverTask, user: string, buffer: Buffer): Promise<number> {
  const begin = performance.now();
  const connection = await DriverConnection.open(port, buffer);
  await connection.login(user, password);
  await stat(connection);
  const ms = performance.now() - begin;
  await connection.quit();
  return ms;
}

async function holdSessions({ port, password, users }: DriverTask): Promise<Done> {
  const waiting = users[Symbol.iterator]();
  const sessionMs: number[] = [];
  await Promise.all(
    Array.from({ length: loginsAtOnce }, async () => {
      for (const user of waiting) {
        const begin = performance.now();
        const connection = await DriverConnection.open(port, Buffer.allocUnsafeSlow(smallBufferBytes));
        await connection.login(user, password);
        sessionMs.push(performance.now() - begin);
      }
    }),
  );
  return { units: users.length, sessionMs, resumedShare: 0 };
}

async function prepareBurst({ port, password, users }: DriverTask): Promise<() => Promise<Done>> {
  const connections: DriverConnection[] = [];
  for (const _ of users) {
    connections.push(await DriverConnection.open(port, Buffer.allocUnsafeSlow(smallBufferBytes)));
  }
  return async () => {
    const begin = performance.now();
    const sessionMs = await Promise.all(
      connections.map(async (connection, index) => {
        await connection.login(users[index]!, password);
        return performance.now() - begin;
      }),
    );
    return { units: users.length, sessionMs, resumedShare: 0 };
  };
}
