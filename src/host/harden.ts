// What a process gives up for good before it meets anybody's octets (prctl(2), signal(7)). Runs in every child of master, and
// `refuseDebugger` in master as well.
import { close as closeInspector } from "node:inspector";
import koffi from "koffi";

const PR_SET_DUMPABLE = 4;
const PR_SET_NO_NEW_PRIVS = 38;

/**
 * No set-uid program gives it other rights any more. `isPrivate`: its memory, which may hold passwords and keys, is closed
 * to other processes of its uid (ptrace, /proc/PID/mem), and never written to a core file.
 *
 * @throws Error when the kernel refuses
 */
export function harden(isPrivate: boolean): void {
  refuseDebugger();
  // One that was opened while this process started.
  closeInspector();
  set(PR_SET_NO_NEW_PRIVS, 1, "PR_SET_NO_NEW_PRIVS");
  if (isPrivate) set(PR_SET_DUMPABLE, 0, "PR_SET_DUMPABLE");
}

/**
 * At SIGUSR1, which each process of the same uid may send, Node opens a debugger on a TCP port for whoever comes: unless the
 * signal has a listener.
 */
export function refuseDebugger(): void {
  process.on("SIGUSR1", () => {});
}

const prctl = koffi
  .load(null)
  .func(
    "int prctl(int option, unsigned long arg2, unsigned long arg3, unsigned long arg4, unsigned long arg5)",
  );

function set(option: number, value: number, name: string): void {
  if (prctl(option, value, 0, 0, 0) !== 0) throw new Error(`prctl ${name}: errno ${koffi.errno()}`);
}
