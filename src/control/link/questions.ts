// What pop3-ctl may ask a running server, and what comes back: the one table that its client, master and every child
// check messages against. Each process answers the questions that it has a handler for and says nothing to the others.
// A new question takes an entry here and a handler in the process that knows the answer. Pure.
import { z } from "zod";
import { COMMAND_BUCKETS } from "../counters/command-times.ts";
import { type CounterName, counterHelp } from "../counters/counters.ts";

const sessionId = z.string().min(1).max(64);
const text = z.string().max(4096);
const account = z.string().min(1).max(255);
const count = z.int().nonnegative();

const session = z.strictObject({
  session: sessionId,
  /** Null before login. */
  account: account.nullable(),
  address: z.string().max(64),
  secured: z.boolean(),
  state: z.enum(["AUTHORIZATION", "TRANSACTION", "UPDATE"]),
  startedAtMs: count,
  idleMs: count,
  /** Retrieved so far, and their octets as sent. */
  messages: count,
  octets: count,
});

const counted = z.strictObject({
  name: z.enum(Object.keys(counterHelp) as [CounterName, ...CounterName[]]),
  labels: z.array(text),
  value: z.number(),
});

const commandTimes = z.strictObject({
  command: z.string().max(16),
  buckets: z.array(count).length(COMMAND_BUCKETS.length + 1),
  microseconds: count,
});

/** What a process does: one of master's children, or master. */
const role = z.enum(["master", "auth", "login", "mailbox", "combined", "metrics"]);

const address = z.string().max(64);
const mechanism = z.string().max(32);

/** What happened to an account. */
const happened = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("login"),
    atMs: count,
    address,
    /** "pop3", or what the MTA calls itself. */
    service: z.string().max(64),
    mechanism,
    /** Undefined: it was accepted. */
    refusal: text.optional(),
  }),
  /** The password was right, and the maildrop could not be opened. */
  z.strictObject({ kind: z.literal("not-opened"), atMs: count, address, reason: text }),
  z.strictObject({
    kind: z.literal("session"),
    atMs: count,
    durationMs: count,
    address,
    mechanism,
    /** Which of the account's device passwords it was; undefined: none. */
    device: text.optional(),
    secured: z.boolean(),
    messages: count,
    retrieved: count,
    deleted: count,
    octets: count,
    reason: z.string().max(64),
  }),
]);

export const questions = {
  /** Everybody who is connected. */
  sessions: { asks: z.strictObject({ kind: z.literal("sessions") }), answers: session },
  /** Ends sessions without UPDATE; each one ended is an answer. */
  kick: {
    asks: z.strictObject({ kind: z.literal("kick"), sessions: z.array(sessionId).max(1000) }),
    answers: z.strictObject({ session: sessionId }),
  },
  /** What each process has counted, and what it takes. */
  stats: {
    asks: z.strictObject({ kind: z.literal("stats") }),
    answers: z.strictObject({
      counters: z.array(counted),
      commandTimes: z.array(commandTimes),
      process: z.strictObject({
        role,
        pid: count,
        uid: count,
        upMs: count,
        /** Since its start. */
        cpuMs: count,
        rssBytes: count,
        /** The longest that the event loop was late in the last minute, or since it was asked last if that is longer ago. */
        loopLagMs: count,
      }),
    }),
  },
  /** Log lines as they are written; of one account, or all. */
  log: {
    asks: z.strictObject({ kind: z.literal("log"), account: account.optional() }),
    answers: z.strictObject({ line: z.string().max(262_144) }),
  },
  /** Lines of the sessions that begin from now on, of an account or from an address. */
  trace: {
    asks: z.strictObject({ kind: z.literal("trace"), target: account }),
    answers: z.strictObject({
      session: sessionId,
      address,
      account: account.nullable(),
      atMs: count,
      /** "-" is a remark; the session's last line is one. */
      speaker: z.enum(["C", "S", "-"]),
      text,
      isEnd: z.boolean(),
    }),
  },
  /** What happened to an account lately, oldest first. */
  history: {
    asks: z.strictObject({ kind: z.literal("history"), account }),
    answers: happened,
  },
  /** Reads the config again, as SIGHUP does; answered by master. */
  reload: {
    asks: z.strictObject({ kind: z.literal("reload") }),
    answers: z.strictObject({
      /** Why nothing was changed; empty when all went well. */
      faults: z.array(text),
      /** Keys that take effect at the next start. */
      later: z.array(text),
      /** What is wrong with files of [tls]: all else was taken, and in their place what was read before is served. */
      kept: z.array(text),
    }),
  },
  /** Whom wrong passwords are counted against, an answer each: an account, an address, or one from the other. */
  throttle: {
    asks: z.strictObject({ kind: z.literal("throttle") }),
    answers: z.strictObject({
      /** Null: whichever. */
      account: account.nullable(),
      /** An IPv4 address or the /64 of an IPv6 one; null: wherever from. */
      network: z.string().max(64).nullable(),
      failures: count,
      /** Until the next attempt is looked at; 0: at once. */
      nextInMs: count,
    }),
  },
  /** Forgives an account or an address, or everybody. */
  "throttle-clear": {
    asks: z.strictObject({ kind: z.literal("throttle-clear"), whom: account.optional() }),
    answers: z.strictObject({ cleared: count }),
  },
} as const;

export type Kind = keyof typeof questions;
type Asks = (typeof questions)[Kind]["asks"];
export type Question = z.infer<Asks>;
export type QuestionOf<K extends Kind> = Extract<Question, { kind: K }>;
export type AnswerOf<K extends Kind> = z.infer<(typeof questions)[K]["answers"]>;

export const question = z.discriminatedUnion(
  "kind",
  Object.values(questions).map(({ asks }) => asks) as unknown as [Asks, ...Asks[]],
);

/** Answered until nobody listens any more: no time-out, and processes that start later are asked as well. */
const STREAMING: ReadonlySet<Kind> = new Set<Kind>(["log", "trace"]);

export function isStreaming(kind: Kind): boolean {
  return STREAMING.has(kind);
}

/** @param signal aborted when nobody waits for answers any more */
export type Handler<K extends Kind> = (
  question: QuestionOf<K>,
  reply: (answer: AnswerOf<K>) => void,
  signal: AbortSignal,
) => void | Promise<void>;

/** What one part of a process can answer. */
export type Handlers = { readonly [K in Kind]?: Handler<K> };

/** Asks every part of a process; resolves when all of them are done. */
export async function answerBy(
  parts: readonly Handlers[],
  asked: Question,
  reply: (answer: unknown) => void,
  signal: AbortSignal,
): Promise<void> {
  await Promise.all(
    parts.map((handlers) => (handlers[asked.kind] as Handler<Kind> | undefined)?.(asked, reply, signal)),
  );
}
