// `pop3-ctl top`: what the server does at the moment, on one screen, until Ctrl-C.
import { setTimeout as delay } from "node:timers/promises";
import type { Stats } from "../figures/stats.ts";
import type { AnswerOf } from "../link/questions.ts";
import type { ServerLink } from "../link/server-link.ts";
import type { Printer } from "../terminal/printer.ts";
import { table } from "../terminal/table.ts";
import { amount, duration } from "../terminal/units.ts";
import { readStats, total } from "./stats.ts";

type Session = AnswerOf<"sessions">;

export interface Moment {
  readonly atMs: number;
  readonly stats: Stats;
  readonly sessions: readonly Session[];
}

export interface TopOptions {
  /** Seconds between two looks. */
  readonly interval: number;
  /** How many looks; undefined: until Ctrl-C. */
  readonly count?: number;
}

export async function top(server: ServerLink, printer: Printer, options: TopOptions): Promise<void> {
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort());
  let before = await look(server);
  for (let shown = 0; shown < (options.count ?? Number.POSITIVE_INFINITY); shown++) {
    await delay(options.interval * 1000, undefined, { signal: stop.signal }).catch(() => {});
    if (stop.signal.aborted) return;
    const now = await look(server);
    const rates = ratesBetween(before, now);
    // Home, and clear what is below: no flicker.
    if (printer.isTerminal && !printer.json) process.stdout.write("\x1b[H\x1b[J");
    const lines = screen(rates, printer);
    // What does not fit would push the top away.
    printer.result(rates, printer.isTerminal ? lines.slice(0, printer.rows - 1) : lines);
    before = now;
  }
}

async function look(server: ServerLink): Promise<Moment> {
  const stats = await readStats(server);
  const sessions = (await server.ask({ kind: "sessions" })).map(({ answer }) => answer);
  return { atMs: performance.now(), stats, sessions };
}

export interface Rates {
  readonly sessions: { readonly total: number; readonly beforeLogin: number };
  readonly perSecond: {
    readonly logins: number;
    readonly refused: number;
    readonly commands: number;
    readonly octets: number;
  };
  readonly accounts: readonly {
    readonly account: string;
    readonly octetsPerSecond: number;
    readonly octets: number;
  }[];
  readonly processes: readonly {
    readonly name: string;
    readonly pid: number;
    readonly upMs: number;
    /** Of one core. */
    readonly cpuPercent: number;
    readonly rssBytes: number;
    readonly loopLagMs: number;
  }[];
}

/** What happened between two looks. A process that was restarted in between starts counting anew. */
export function ratesBetween(before: Moment, now: Moment): Rates {
  const seconds = Math.max(0.001, (now.atMs - before.atMs) / 1000);
  const rate = (...of: [Parameters<typeof total>[1], Parameters<typeof total>[2]?]): number =>
    Math.max(0, total(now.stats.counters, ...of) - total(before.stats.counters, ...of)) / seconds;
  const octetsBefore = new Map(before.sessions.map(({ session, octets }) => [session, octets]));
  const accounts = new Map<string, { octetsPerSecond: number; octets: number }>();
  for (const { session, account, octets } of now.sessions) {
    if (account === null) continue;
    const sum = accounts.get(account) ?? { octetsPerSecond: 0, octets: 0 };
    sum.octetsPerSecond += (octets - (octetsBefore.get(session) ?? 0)) / seconds;
    sum.octets += octets;
    accounts.set(account, sum);
  }
  const cpuBefore = new Map(before.stats.processes.map(({ pid, cpuMs }) => [pid, cpuMs]));
  return {
    sessions: {
      total: now.sessions.length,
      beforeLogin: now.sessions.filter(({ account }) => account === null).length,
    },
    perSecond: {
      logins: rate("logins", (labels) => labels[2] === "ok"),
      refused: rate("logins", (labels) => labels[2] !== "ok"),
      commands: rate("commands"),
      octets: rate("octets_sent"),
    },
    accounts: [...accounts]
      .map(([account, sums]) => ({ account, ...sums }))
      .sort((a, b) => b.octetsPerSecond - a.octetsPerSecond || b.octets - a.octets)
      .slice(0, BUSIEST),
    processes: now.stats.processes.map(({ name, pid, upMs, cpuMs, rssBytes, loopLagMs }) => ({
      name,
      pid,
      upMs,
      cpuPercent: (Math.max(0, cpuMs - (cpuBefore.get(pid) ?? cpuMs)) / seconds / 1000) * 100,
      rssBytes,
      loopLagMs,
    })),
  };
}

const BUSIEST = 10;

function screen({ sessions, perSecond, accounts, processes }: Rates, printer: Printer): string[] {
  const { logins, refused, commands, octets } = perSecond;
  const refusals = `${refused.toFixed(1)} refused/s`;
  return [
    `${sessions.total} sessions, ${sessions.beforeLogin} of them before login`,
    `${logins.toFixed(1)} logins/s   ${refused > 0 ? printer.paint("red", refusals) : refusals}   ` +
      `${amount(commands)} commands/s   ${(octets / 1e6).toFixed(1)} MB/s`,
    "",
    ...table(
      [
        { title: "PROCESS" },
        { title: "PID", align: "right" },
        { title: "UP", align: "right" },
        { title: "CPU", align: "right" },
        { title: "MEMORY", align: "right" },
        { title: "LAG", align: "right" },
      ],
      processes.map(({ name, pid, upMs, cpuPercent, rssBytes, loopLagMs }) => [
        name,
        pid,
        duration(upMs),
        `${Math.round(cpuPercent)}%`,
        `${amount(rssBytes)}B`,
        `${loopLagMs}ms`,
      ]),
      printer.columns,
    ),
    "",
    ...(accounts.length === 0
      ? ["nobody is logged in"]
      : table(
          [
            { title: "BUSIEST ACCOUNTS", least: 16 },
            { title: "MB/S", align: "right" },
            { title: "OCTETS", align: "right" },
          ],
          accounts.map((each) => [
            each.account,
            (each.octetsPerSecond / 1e6).toFixed(1),
            amount(each.octets),
          ]),
          printer.columns,
        )),
  ];
}
