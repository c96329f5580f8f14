// CPU time of a server: its master process and everything below it, from proc(5).
import { readdirSync, readFileSync } from "node:fs";

/** Linux counts in ticks of 10 ms for user space on every architecture (USER_HZ, time(7)). */
const msPerTick = 10;

/**
 * User and system time in ms of the process, its descendants, and those of its descendants that have ended and were
 * waited for. A server that starts a process for each session is so counted in full.
 */
export function treeCpuMs(pid: number): number {
  const processes = new Map<number, { readonly parent: number; readonly ticks: number }>();
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const stat = readStat(Number(entry));
    if (stat !== undefined) processes.set(Number(entry), stat);
  }
  const belongs = (candidate: number): boolean => {
    for (let current = candidate; current > 1; ) {
      if (current === pid) return true;
      const parent = processes.get(current)?.parent;
      if (parent === undefined) return false;
      current = parent;
    }
    return false;
  };
  let ticks = 0;
  for (const [candidate, stat] of processes) if (belongs(candidate)) ticks += stat.ticks;
  return ticks * msPerTick;
}

function readStat(pid: number): { parent: number; ticks: number } | undefined {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    // It ended between the listing and now.
    return undefined;
  }
  // The program's name stands in brackets and may hold spaces and brackets: fields are counted from behind it.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const [utime, stime, cutime, cstime] = fields.slice(11, 15).map(Number) as [number, number, number, number];
  return { parent: Number(fields[1]), ticks: utime + stime + cutime + cstime };
}
