// The workloads: what clients do, on what maildrop. A new one is one more object in `workloads`; everything else (accounts,
// Maildirs, rounds, table) follows from it. Read by the bench and by its driver process, which runs the sessions.
import type { DriverConnection } from "./driver-connection.ts";
import {
  emptied,
  hundred,
  hundredThousand,
  hundredThousandTold,
  idle,
  large,
  type Maildrop,
  mix,
  remembered,
  sealed,
  swept,
  tenThousand,
  tenThousandTold,
  thousand,
} from "./maildrops.ts";

export type OpeningState = "cold" | "index" | "again";

interface Common {
  readonly name: string;
  readonly title: string;
  readonly maildrop: Maildrop;
  readonly unit: "session" | "message" | "MB" | "login";
  /** Which ratio to Dovecot is the one to look at: "cpu" where the machine is saturated, the driver with it. */
  readonly counts: "rate" | "cpu" | "memory";
  /** Part of `--quick`. */
  readonly quick: boolean;
}

export type Workload = Common &
  (
    | {
        /** Sessions one after the other, on an account for each client, for a given time. */
        readonly kind: "sessions";
        readonly clients: number;
        readonly tls?: "full" | "resumed";
        /** One session after login, up to and without QUIT. Resolves with the units it did. */
        readonly session: (connection: DriverConnection, maildrop: Maildrop) => Promise<number>;
      }
    /** Every maildrop is retrieved and deleted once; they are laid out anew before each measurement. */
    | {
        readonly kind: "emptying";
        readonly clients: number;
        readonly maildrops: number;
        readonly tls?: "resumed";
      }
    /** From connecting to the answer to STAT. */
    | { readonly kind: "opening"; readonly state: OpeningState }
    /** Every maildrop is opened once, for the second time, by one client: what does a server remember of them? */
    | { readonly kind: "sweep"; readonly maildrops: number }
    /** Logged in and silent; memory counts, and how many logins a second it took. */
    | { readonly kind: "idle"; readonly sessions: number }
    /** Connections that are there send USER and PASS at one moment; to the answer to the last one. */
    | { readonly kind: "burst"; readonly logins: number }
  );

export type SessionWorkload = Extract<Workload, { kind: "sessions" }>;
export type EmptyingWorkload = Extract<Workload, { kind: "emptying" }>;

export const workloads: readonly Workload[] = [
  poll("poll-100", "unchanged maildrop of 100 messages", hundred, 8, { quick: true }),
  poll("poll-100-argon2id", "100 messages, argon2id of 19 MiB, seen before", remembered, 8, { quick: true }),
  poll("poll-10000", "unchanged maildrop of 10,000 messages", tenThousand, 2, { quick: true }),
  poll("poll-100-tls-full", "100 messages, TLS 1.3, full handshakes", hundred, 8, {
    tls: "full",
  }),
  poll("poll-100-tls-resumed", "100 messages, TLS 1.3, session resumed", hundred, 8, {
    quick: true,
    tls: "resumed",
  }),
  ...opening("open-10000", "10,000 messages", tenThousand, false),
  ...opening("open-100000", "100,000 messages", hundredThousand, false),
  ...opening("open-10000-told", "10,000 messages whose names tell their sizes", tenThousandTold, false),
  ...opening("open-100000-told", "100,000 messages whose names tell their sizes", hundredThousandTold, false),
  fetch("fetch-mix", "the realistic mix, 4 KB to 5 MB", mix, 1, { quick: true }),
  fetch("fetch-mix-tls", "the realistic mix, TLS 1.3", mix, 1, { quick: true, tls: "resumed" }),
  fetch("fetch-5m", "messages of 5 MB", large, 1, { quick: true }),
  fetch("fetch-5m-tls", "messages of 5 MB, TLS 1.3", large, 1, { tls: "resumed" }),
  fetch("fetch-5k-1", "1,000 messages of 5 KB one by one", thousand, 1, { quick: true }),
  fetch("fetch-5k-4", "1,000 messages of 5 KB one by one", thousand, 4, { quick: true }),
  fetch("fetch-5k-4-tls", "1,000 messages of 5 KB one by one, TLS 1.3", thousand, 4, { tls: "resumed" }),
  fetch("fetch-5k-pipelined-1", "1,000 messages of 5 KB, 50 commands at a time", thousand, 1, {
    pipelined: true,
  }),
  fetch("fetch-5k-pipelined-4", "1,000 messages of 5 KB, 50 commands at a time", thousand, 4, {
    pipelined: true,
    quick: true,
  }),
  emptying("empty-100", "QUIT", { quick: true }),
  emptying("empty-100-tls", "QUIT, TLS 1.3", { tls: "resumed" }),
  {
    kind: "sweep",
    name: "sweep-50",
    title: "log in, STAT, QUIT on each of 50 maildrops of 10,000 messages, the second time; memory after it",
    maildrop: swept,
    maildrops: 50,
    unit: "session",
    counts: "rate",
    quick: false,
  },
  idling(1_000, false),
  idling(10_000, false),
  {
    kind: "burst",
    name: "burst-200",
    title: "200 logins at one moment, argon2id of 64 MiB, not seen before",
    maildrop: sealed,
    logins: 200,
    unit: "login",
    counts: "rate",
    quick: false,
  },
];

/** How many accounts, each with its maildrop, a workload needs. */
export function accountsNeeded(workload: Workload): number {
  switch (workload.kind) {
    case "sessions":
      return workload.clients;
    case "emptying":
      // Each client begins with one that does not count.
      return workload.clients + workload.maildrops;
    case "opening":
      return 1;
    case "sweep":
      return workload.maildrops;
    case "idle":
      return workload.sessions;
    case "burst":
      return workload.logins;
    default:
      return workload satisfies never;
  }
}

interface Further {
  readonly quick?: boolean;
  readonly tls?: "full" | "resumed";
  readonly pipelined?: boolean;
}

interface EmptyingFurther {
  readonly quick?: boolean;
  readonly tls?: "resumed";
}

function poll(name: string, what: string, maildrop: Maildrop, clients: number, further: Further): Workload {
  const { quick = false, tls } = further;
  const title = `log in, STAT, QUIT; ${what}; ${count(clients)}`;
  const common = { name, title, maildrop, clients, quick, session: stat } as const;
  return { kind: "sessions", unit: "session", counts: "cpu", ...common, ...(tls && { tls }) };
}

function fetch(name: string, what: string, maildrop: Maildrop, clients: number, further: Further): Workload {
  const { quick = false, tls, pipelined } = further;
  const isSmall = maildrop === thousand;
  const session = pipelined ? retrievePipelined : isSmall ? retrieveOneByOne : retrieveBytes;
  return {
    kind: "sessions",
    name,
    title: `RETR ${what}; ${count(clients)}`,
    maildrop,
    clients,
    quick,
    session,
    unit: isSmall ? "message" : "MB",
    counts: clients > 1 ? "cpu" : "rate",
    ...(tls && { tls }),
  };
}

function opening(name: string, what: string, maildrop: Maildrop, quick: boolean): readonly Workload[] {
  const states = {
    cold: "no index, files in the page cache",
    index: "index on disk, server started anew",
    again: "the session before was just now",
  } satisfies Record<OpeningState, string>;
  // What names tell counts when there is no index.
  const measured = maildrop.told ? (["cold"] as const) : (Object.keys(states) as OpeningState[]);
  return measured.map((state) => ({
    kind: "opening",
    name: `${name}-${state}`,
    title: `from connecting to the answer to STAT, ${what}; ${states[state]}`,
    maildrop,
    state,
    unit: "session",
    counts: "rate",
    quick,
  }));
}

function emptying(name: string, end: string, { quick = false, tls }: EmptyingFurther): Workload {
  return {
    kind: "emptying",
    name,
    title: `RETR and DELE of all 100 new messages of 5 KB, ${end}; 4 clients`,
    maildrop: emptied,
    clients: 4,
    maildrops: 100,
    unit: "message",
    counts: "cpu",
    quick,
    ...(tls && { tls }),
  };
}

function idling(sessions: number, quick: boolean): Workload {
  return {
    kind: "idle",
    name: `idle-${sessions}`,
    title: `${sessions.toLocaleString("en-US")} sessions, logged in and silent`,
    maildrop: idle,
    sessions,
    unit: "login",
    counts: "memory",
    quick,
  };
}

function count(clients: number): string {
  return clients === 1 ? "1 client" : `${clients} clients`;
}

export async function stat(connection: DriverConnection): Promise<number> {
  connection.send("STAT\r\n");
  await connection.lines(1);
  return 1;
}

async function retrieveOneByOne(connection: DriverConnection, { messages }: Maildrop): Promise<number> {
  for (let number = 1; number <= messages; number++) {
    connection.send(`RETR ${number}\r\n`);
    await connection.messages(1);
  }
  return messages;
}

async function retrievePipelined(connection: DriverConnection, { messages }: Maildrop): Promise<number> {
  const atOnce = 50;
  for (let first = 1; first <= messages; first += atOnce) {
    const commands = Math.min(atOnce, messages - first + 1);
    connection.send(Array.from({ length: commands }, (_, index) => `RETR ${first + index}\r\n`).join(""));
    await connection.messages(commands);
  }
  return messages;
}

async function retrieveBytes(connection: DriverConnection, maildrop: Maildrop): Promise<number> {
  await retrieveOneByOne(connection, maildrop);
  return maildrop.bytes / 1e6;
}

export async function retrieveAndDelete(
  connection: DriverConnection,
  { messages }: Maildrop,
): Promise<number> {
  for (let number = 1; number <= messages; number++) {
    connection.send(`RETR ${number}\r\n`);
    await connection.messages(1);
    connection.send(`DELE ${number}\r\n`);
    await connection.lines(1);
  }
  return messages;
}
