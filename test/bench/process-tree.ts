// What a server costs: CPU time and memory of its first process and everything below it, from proc(5), and the kernel's
// own memory.
import { readdirSync, readFileSync } from "node:fs";
import { proportionalKib } from "../support/processes.ts";

/** Linux counts in ticks of 10 ms for user space on every architecture (USER_HZ, time(7)). */
const msPerTick = 10;

/**
 * User and system time in ms of the process, its descendants, and those of its descendants that have ended and were
 * waited for. A server that starts a process for each session is so counted in full.
 */
export function treeCpuMs(pid: number): number {
  return treeOf(pid).reduce((sum, { ticks }) => sum + ticks, 0) * msPerTick;
}

/** PSS in KiB of the process and its descendants: pages that they share count once. */
export function treeMemoryKib(pid: number): number {
  return treeOf(pid).reduce((sum, process) => {
    try {
      return sum + proportionalKib(process.pid);
    } catch {
      // It ended meanwhile.
      return sum;
    }
  }, 0);
}

/** What grows with processes and sockets in the kernel of the whole machine, in KiB: slabs, stacks, page tables. */
export function kernelMemoryKib(): number {
  const meminfo = readFileSync("/proc/meminfo", "latin1");
  return ["Slab", "KernelStack", "PageTables", "Percpu"].reduce(
    (sum, name) => sum + Number(new RegExp(`^${name}: +(\\d+)`, "m").exec(meminfo)?.[1] ?? 0),
    0,
  );
}

interface ProcessTicks {
  readonly pid: number;
  readonly parent: number;
  readonly ticks: number;
}

function treeOf(root: number): readonly ProcessTicks[] {
  const children = new Map<number, ProcessTicks[]>();
  let first: ProcessTicks | undefined;
  for (const entry of readdirSync("/proc")) {
    const stat = /^\d+$/.test(entry) ? readStat(Number(entry)) : undefined;
    if (stat === undefined) continue;
    if (stat.pid === root) first = stat;
    const siblings = children.get(stat.parent);
    if (siblings === undefined) children.set(stat.parent, [stat]);
    else siblings.push(stat);
  }
  const tree = first === undefined ? [] : [first];
  // It grows while it is walked.
  for (const { pid } of tree) tree.push(...(children.get(pid) ?? []));
  return tree;
}

function readStat(pid: number): ProcessTicks | undefined {
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
  return { pid, parent: Number(fields[1]), ticks: utime + stime + cutime + cstime };
}
