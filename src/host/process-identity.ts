// Which process this is, told so that another one, perhaps on another host, can find out whether it still runs. Written
// into dotlocks by the mailbox process.
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

export interface ProcessIdentity {
  readonly host: string;
  /** Of the kernel's run: a process of another boot is gone. */
  readonly bootId: string;
  /** Where the pid means something: containers of one host share its kernel. */
  readonly pidNamespace: string;
  readonly pid: number;
  /** Clock ticks since boot: a pid is used again, but not with this. */
  readonly startTicks: string;
}

let own: ProcessIdentity | undefined;

export function ownProcess(): ProcessIdentity {
  own ??= {
    host: hostname(),
    bootId: readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim(),
    pidNamespace: readlinkSync("/proc/self/ns/pid").replace(/[^0-9]/g, ""),
    pid: process.pid,
    startTicks: startTicksOf(process.pid) ?? "0",
  };
  return own;
}

/** "unknown" where the pid is another kernel's or another container's. */
export function stateOf(identity: ProcessIdentity): "running" | "gone" | "unknown" {
  const here = ownProcess();
  if (identity.host !== here.host || identity.bootId !== here.bootId) return "unknown";
  if (identity.pidNamespace !== here.pidNamespace) return "unknown";
  try {
    process.kill(identity.pid, 0);
  } catch (error) {
    // EPERM: somebody else's, but there.
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return "gone";
  }
  const startTicks = startTicksOf(identity.pid);
  return startTicks === undefined || startTicks === identity.startTicks ? "running" : "gone";
}

/** Undefined where it cannot be read: the process is gone, or /proc hides it. */
function startTicksOf(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    // proc(5): the name in brackets may hold anything; field 22 is the 20th behind it.
    return text.slice(text.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}
