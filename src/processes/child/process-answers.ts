// What every process can tell pop3-ctl of itself: what it has counted, what it takes, what it logs.
import { monitorEventLoopDelay } from "node:perf_hooks";
import { readCommandTimes } from "../../control/counters/command-times.ts";
import { readCounters } from "../../control/counters/counters.ts";
import type { AnswerOf, Handler, Handlers } from "../../control/link/questions.ts";
import { residentBytes } from "../../host/resident-memory.ts";
import { onLogLine } from "../../log/log.ts";

/** What every process answers. */
export function processAnswers(role: ProcessRole): Handlers {
  return { stats: (_, reply) => reply(ownStats(role)), log };
}

export function ownStats(role: ProcessRole): AnswerOf<"stats"> {
  const { user, system } = process.cpuUsage();
  const cpuMs = Math.round((user + system) / 1000);
  return {
    counters: [
      ...readCounters().map(({ name, labels, value }) => ({ name, labels: [...labels], value })),
      { name: "cpu_milliseconds", labels: [role], value: cpuMs },
    ],
    commandTimes: readCommandTimes().map((times) => ({ ...times, buckets: [...times.buckets] })),
    process: {
      role,
      pid: process.pid,
      uid: process.getuid?.() ?? 0,
      upMs: Math.round(process.uptime() * 1000),
      cpuMs,
      rssBytes: residentBytes() ?? 0,
      loopLagMs: loopLagMs(),
    },
  };
}

type ProcessRole = AnswerOf<"stats">["process"]["role"];

/** Node counts its own interval into each delay; coarse, so that an idle process stays idle. */
const RESOLUTION_MS = 100;
const loopDelay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
loopDelay.enable();

/** Two who ask in turn, as Prometheus and pop3-ctl do, must not take the longest away from each other. */
const WINDOW_MS = 30_000;
let windowBeganMs = performance.now();
let longestBeforeMs = 0;

function loopLagMs(): number {
  const longestMs = Math.max(0, Math.round(loopDelay.max / NS_PER_MS - RESOLUTION_MS));
  const answer = Math.max(longestMs, longestBeforeMs);
  if (performance.now() - windowBeganMs > WINDOW_MS) {
    windowBeganMs = performance.now();
    longestBeforeMs = longestMs;
    loopDelay.reset();
  }
  return answer;
}

const NS_PER_MS = 1e6;

const log: Handler<"log"> = ({ account }, reply, signal) =>
  new Promise((resolve) => {
    const forget = onLogLine((line) => {
      if (account === undefined || isAbout(line, account)) reply({ line: line.trimEnd() });
    });
    signal.addEventListener("abort", () => {
      forget();
      resolve();
    });
  });

function isAbout(line: string, account: string): boolean {
  // Most lines are told apart without being parsed.
  if (!line.includes(JSON.stringify(account))) return false;
  const fields = JSON.parse(line) as { readonly account?: unknown; readonly user?: unknown };
  return fields.account === account || fields.user === account;
}
