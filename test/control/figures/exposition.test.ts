import { describe, expect, it } from "vitest";
import { COMMAND_BUCKETS } from "../../../src/control/counters/command-times.ts";
import { exposition } from "../../../src/control/figures/exposition.ts";
import { type NamedProcess, type Stats, statsOf } from "../../../src/control/figures/stats.ts";

const facts = { version: "1.2.3", nodeVersion: "20.19.0", silent: 1, nowMs: 1_000_000 };
const empty: Stats = { counters: [], commandTimes: [], processes: [] };

const process = (name: string, role: NamedProcess["role"], more: Partial<NamedProcess> = {}) => ({
  from: name,
  answer: {
    counters: [],
    commandTimes: [],
    process: { role, pid: 1, uid: 1, upMs: 400_000, cpuMs: 1, rssBytes: 100, loopLagMs: 2, ...more },
  },
});

const linesOf = async (stats: Stats, name: string): Promise<string[]> =>
  (await exposition(stats, facts)).text.split("\n").filter((line) => line.includes(name));

describe("exposition", () => {
  it("names counters by Prometheus' conventions, and has those without labels from the begin", async () => {
    expect(await linesOf(empty, "dewey_pop3_connections_total")).toEqual([
      "# HELP dewey_pop3_connections_total Connections accepted",
      "# TYPE dewey_pop3_connections_total counter",
      "dewey_pop3_connections_total 0",
    ]);
    const counters = [{ name: "sessions", labels: ["quit"], value: 3 }] as const;
    expect((await linesOf({ ...empty, counters }, "dewey_pop3_sessions_total{"))[0]).toBe(
      'dewey_pop3_sessions_total{reason="quit"} 3',
    );
  });

  it("escapes what a path may hold", async () => {
    const counters = [{ name: "certificate_days_left", labels: ['/etc/a"b\\c\nd.pem'], value: -2 }] as const;
    expect((await linesOf({ ...empty, counters }, "left_seconds{"))[0]).toBe(
      'dewey_pop3_certificate_left_seconds{certificate="/etc/a\\"b\\\\c\\nd.pem"} -172800',
    );
  });

  it("makes a cumulative histogram of the buckets", async () => {
    const buckets = Array.from({ length: COMMAND_BUCKETS.length + 1 }, () => 0);
    buckets[0] = 2;
    buckets[2] = 3;
    buckets[COMMAND_BUCKETS.length] = 1;
    const lines = await linesOf(
      { ...empty, commandTimes: [{ command: "RETR", buckets, microseconds: 40_500_000 }] },
      'command="RETR"',
    );
    expect(lines.slice(0, 4)).toEqual([
      'dewey_pop3_command_duration_seconds_bucket{command="RETR",le="0.0001"} 2',
      'dewey_pop3_command_duration_seconds_bucket{command="RETR",le="0.0005"} 2',
      'dewey_pop3_command_duration_seconds_bucket{command="RETR",le="0.001"} 5',
      'dewey_pop3_command_duration_seconds_bucket{command="RETR",le="0.005"} 5',
    ]);
    expect(lines.slice(-3)).toEqual([
      'dewey_pop3_command_duration_seconds_bucket{command="RETR",le="+Inf"} 6',
      'dewey_pop3_command_duration_seconds_sum{command="RETR"} 40.5',
      'dewey_pop3_command_duration_seconds_count{command="RETR"} 6',
    ]);
  });

  it("sums memory and takes the longest lag of a role's processes", async () => {
    const stats = statsOf([
      process("master", "master"),
      process("login 0", "login", { rssBytes: 100, loopLagMs: 7 }),
      process("login 1", "login", { rssBytes: 200, loopLagMs: 3 }),
    ]);
    const { text } = await exposition(stats, facts);
    for (const line of [
      'dewey_pop3_processes{role="login"} 2',
      'dewey_pop3_resident_memory_bytes{role="login"} 300',
      'dewey_pop3_event_loop_lag_seconds{role="login"} 0.007',
      "dewey_pop3_processes_silent 1",
      "dewey_pop3_start_time_seconds 600",
      'dewey_pop3_build_info{version="1.2.3",node="20.19.0"} 1',
    ]) {
      expect(text.split("\n")).toContain(line);
    }
  });
});
