// Looks at the server's processes from outside, through /proc.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { eventually } from "./eventually.ts";

export interface ChildProcessInfo {
  readonly pid: number;
  /** "auth", "login", "mailbox" or "combined". */
  readonly role: string;
}

/** The running children of a master process. */
export function childrenOf(masterPid: number): ChildProcessInfo[] {
  return readdirSync("/proc")
    .filter((name) => /^[0-9]+$/.test(name))
    .flatMap((name) => {
      try {
        const [, state, parent] =
          /^\d+ \(.*\) (\S) (\d+)/s.exec(readFileSync(`/proc/${name}/stat`, "utf8")) ?? [];
        if (Number(parent) !== masterPid || state === "Z") return [];
        const commandLine = readFileSync(`/proc/${name}/cmdline`, "utf8");
        const role = /\/processes\/([a-z]+)\.js\0/.exec(commandLine)?.[1];
        return role === undefined ? [] : [{ pid: Number(name), role }];
      } catch {
        return []; // It ended while we looked.
      }
    });
}

/** A field of /proc/PID/status, such as "Uid", "Groups" or "VmRSS". */
export function statusOf(pid: number, field: string): string {
  const match = new RegExp(`^${field}:[ \\t]*(.*)$`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return match?.[1]?.trim() ?? "";
}

/** Resident memory in KiB. */
export function residentKib(pid: number): number {
  return Number.parseInt(statusOf(pid, "VmRSS"), 10);
}

/** Memory in KiB, pages shared with others counted by share (PSS): the sum over processes is what they take together. */
export function proportionalKib(pid: number): number {
  const [, kib] = /^Pss: +(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8")) ?? [];
  return Number(kib);
}

/** What a process's descriptors stand for: paths, and sockets as "socket:[inode]". */
export function descriptorLinks(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${fd}`)];
    } catch {
      return []; // Closed while we looked.
    }
  });
}

/** The IPv4 socket that listens on a port, as `descriptorLinks` names it. @throws Error when there is not just one */
export function listeningSocket(port: number): string {
  const found = readFileSync("/proc/net/tcp", "utf8")
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local, , state]) => {
      return state === TCP_LISTEN && Number.parseInt(local?.split(":")[1] ?? "", 16) === port;
    });
  if (found.length !== 1) throw new Error(`${found.length} sockets listen on port ${port}`);
  return `socket:[${found[0]?.[9]}]`;
}

/** When the kernel's timer ends for the server's side of a client's connection: its next probe, while nothing is sent. In ms. */
export function kernelTimerMs(port: number, clientPort: number): number {
  const portOf = (address: string | undefined): number => Number.parseInt(address?.split(":")[1] ?? "", 16);
  const [, , , , , timer] =
    readFileSync("/proc/net/tcp", "utf8")
      .split("\n")
      .map((line) => line.trim().split(/\s+/))
      .find(([, local, remote]) => portOf(local) === port && portOf(remote) === clientPort) ?? [];
  const [kind, ticks] = timer?.split(":") ?? [];
  if (kind !== TIMER_KEEPALIVE) throw new Error(`no probe is to come, but timer ${timer}`);
  // USER_HZ, which is 100 on every Linux that Node runs on.
  return Number.parseInt(ticks ?? "", 16) * 10;
}

const TCP_LISTEN = "0A";
const TIMER_KEEPALIVE = "02";

/** How many descriptors a process has open. */
export function openDescriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Octets that a process has read from files and sockets since it started. */
export function octetsRead(pid: number): number {
  const [, octets] = /^rchar: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, "utf8")) ?? [];
  return Number(octets);
}

/** Open descriptors when the last session's end has closed what it had. */
export async function descriptorsAtRest(pid: number): Promise<number> {
  return await atRest(`process ${pid} opens and closes nothing`, () => openDescriptors(pid));
}

/** `octetsRead` when a process has read all that it means to, for now. */
export async function octetsReadAtRest(pid: number): Promise<number> {
  return await atRest(`process ${pid} reads nothing`, () => octetsRead(pid));
}

/** A number that stays the same, look after look. */
async function atRest(what: string, look: () => number): Promise<number> {
  let last = -1;
  let looks = 0;
  return await eventually(what, () => {
    const now = look();
    looks = now === last ? looks + 1 : 0;
    last = now;
    return looks === 20 && now;
  });
}
