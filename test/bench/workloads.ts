// The workloads: what a client does in one session, on what maildrop, with how many clients. A new one is one more
// object in `workloads`; everything else (accounts, Maildirs, rounds, table) follows from it. Read by the bench, which
// lays out the Maildirs, and by its driver process, which runs the sessions.
import type { DriverConnection } from "./driver-connection.ts";

/** Shape of a Maildir; workloads that name the same maildrop share its files. */
export interface Maildrop {
  readonly name: string;
  readonly messages: number;
  /** Of each message as stored, LF line ends. */
  readonly messageBytes: number;
}

export interface Workload {
  readonly name: string;
  readonly title: string;
  readonly maildrop: Maildrop;
  /** Sessions at one time, each on an account of its own. */
  readonly clients: number;
  readonly unit: "session" | "message" | "MB";
  /** One session after login, up to and without QUIT. Resolves with the units it did. */
  readonly session: (connection: DriverConnection, maildrop: Maildrop) => Promise<number>;
}

const hundred: Maildrop = { name: "hundred", messages: 100, messageBytes: 5_000 };
const thousand: Maildrop = { name: "thousand", messages: 1_000, messageBytes: 5_000 };
const tenThousand: Maildrop = { name: "ten-thousand", messages: 10_000, messageBytes: 1_000 };
const large: Maildrop = { name: "large", messages: 8, messageBytes: 5_000_000 };

export const workloads: readonly Workload[] = [
  {
    name: "poll-100",
    title: "log in, STAT, QUIT; unchanged maildrop of 100 messages; 8 clients",
    maildrop: hundred,
    clients: 8,
    unit: "session",
    session: poll,
  },
  {
    name: "poll-10000",
    title: "log in, STAT, QUIT; unchanged maildrop of 10,000 messages; 2 clients",
    maildrop: tenThousand,
    clients: 2,
    unit: "session",
    session: poll,
  },
  {
    name: "fetch-5k-1",
    title: "RETR 1,000 messages of 5 KB one by one; 1 client",
    maildrop: thousand,
    clients: 1,
    unit: "message",
    session: fetchOneByOne,
  },
  {
    name: "fetch-5k-4",
    title: "RETR 1,000 messages of 5 KB one by one; 4 clients",
    maildrop: thousand,
    clients: 4,
    unit: "message",
    session: fetchOneByOne,
  },
  {
    name: "fetch-5k-pipelined-1",
    title: "RETR 1,000 messages of 5 KB, 50 commands at a time; 1 client",
    maildrop: thousand,
    clients: 1,
    unit: "message",
    session: fetchPipelined,
  },
  {
    name: "fetch-5k-pipelined-4",
    title: "RETR 1,000 messages of 5 KB, 50 commands at a time; 4 clients",
    maildrop: thousand,
    clients: 4,
    unit: "message",
    session: fetchPipelined,
  },
  {
    name: "fetch-5m",
    title: "RETR messages of 5 MB; 1 client",
    maildrop: large,
    clients: 1,
    unit: "MB",
    session: fetchBytes,
  },
];

async function poll(connection: DriverConnection): Promise<number> {
  connection.send("STAT\r\n");
  await connection.lines(1);
  return 1;
}

async function fetchOneByOne(connection: DriverConnection, { messages }: Maildrop): Promise<number> {
  for (let number = 1; number <= messages; number++) {
    connection.send(`RETR ${number}\r\n`);
    await connection.messages(1);
  }
  return messages;
}

async function fetchPipelined(connection: DriverConnection, { messages }: Maildrop): Promise<number> {
  const atOnce = 50;
  for (let first = 1; first <= messages; first += atOnce) {
    const count = Math.min(atOnce, messages - first + 1);
    connection.send(Array.from({ length: count }, (_, index) => `RETR ${first + index}\r\n`).join(""));
    await connection.messages(count);
  }
  return messages;
}

async function fetchBytes(connection: DriverConnection, maildrop: Maildrop): Promise<number> {
  await fetchOneByOne(connection, maildrop);
  return (maildrop.messages * maildrop.messageBytes) / 1e6;
}
