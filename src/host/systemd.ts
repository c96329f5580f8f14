// What a service says to systemd and gets from it: sd_listen_fds(3), sd_notify(3), sd_watchdog_enabled(3). Runs in master.
// Without systemd nothing is passed and nothing is told. The datagram goes out through the host's own libsystemd, which is
// there wherever systemd is, since Node has no UNIX datagrams.
import { fstatSync } from "node:fs";
import koffi from "koffi";

type Environment = Readonly<Record<string, string | undefined>>;

/** sd-daemon.h: the first descriptor that is passed. */
const SD_LISTEN_FDS_START = 3;

/** Descriptors of the sockets that a .socket unit opened for this process. */
export function passedDescriptors(
  environment: Environment = process.env,
  pid = process.pid,
): readonly number[] {
  const count = Number(environment["LISTEN_FDS"]);
  if (environment["LISTEN_PID"] !== `${pid}` || !Number.isInteger(count) || count < 1) return [];
  return Array.from({ length: count }, (_, index) => SD_LISTEN_FDS_START + index);
}

/** How long systemd waits for a sign of life before it ends the service; undefined: it does not watch. */
export function watchdogMs(environment: Environment = process.env, pid = process.pid): number | undefined {
  const microseconds = Number(environment["WATCHDOG_USEC"]);
  const isOurs = (environment["WATCHDOG_PID"] ?? `${pid}`) === `${pid}`;
  return isOurs && Number.isInteger(microseconds) && microseconds > 0 ? microseconds / 1000 : undefined;
}

/** Whether journald reads what is written to standard output (systemd.exec(5), JOURNAL_STREAM). */
export function writesToJournal(environment: Environment = process.env): boolean {
  const { dev, ino } = fstatSync(1);
  return environment["JOURNAL_STREAM"] === `${dev}:${ino}`;
}

export interface ServiceManager {
  ready(status: string): void;
  /** `ready` has to follow. */
  reloading(): void;
  stopping(): void;
  /** Within `watchdogMs` of the last. */
  alive(status: string): void;
}

/** @throws Error when there is a service manager to be told and no libsystemd to tell it with */
export function serviceManager(environment: Environment = process.env): ServiceManager {
  const notify = environment["NOTIFY_SOCKET"] === undefined ? () => {} : notifier();
  return {
    ready: (status) => notify(`READY=1\nSTATUS=${status}`),
    reloading: () => notify(`RELOADING=1\nMONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`),
    stopping: () => notify("STOPPING=1\nSTATUS=letting running commands finish"),
    alive: (status) => notify(`WATCHDOG=1\nSTATUS=${status}`),
  };
}

function notifier(): (state: string) => void {
  // It reads NOTIFY_SOCKET from the environment itself.
  const notify = koffi
    .load("libsystemd.so.0")
    .func("int sd_notify(int unset_environment, const char *state)");
  return (state) => {
    notify(0, state);
  };
}
