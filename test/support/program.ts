// Runs other programs for tests: once to their end (`runProgram`), or beside the test until it stops them
// (`startProgram`). Each started program leads a process group, so that nothing of it outlives the test.
import { type ChildProcess, spawn } from "node:child_process";
import { atExit } from "./at-exit.ts";

export interface ProgramOptions {
  readonly cwd?: string;
  /** Replaces single variables of this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Written to standard input, which is then closed. */
  readonly input?: string | Buffer;
  /** Become descriptors 3, 4 … of the program. */
  readonly passedFds?: readonly number[];
  readonly uid?: number;
  readonly gid?: number;
}

export interface ProgramResult {
  /** Null when a signal ended it. */
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export interface RunningProgram {
  readonly pid: number;
  /** Everything it has written so far, standard output and standard error in the order of arrival. */
  output(): string;
  /** The lines of standard output so far; a line that has not ended yet is left out. */
  lines(): readonly string[];
  /** Resolves with the first line of standard output that fits; rejects when the program ends or the deadline passes before. */
  lineWhere(fits: (line: string) => boolean, what: string, deadlineMs?: number): Promise<string>;
  /** Resolves when the program has ended. */
  readonly ended: Promise<{ readonly exitCode: number | null; readonly signal: NodeJS.Signals | null }>;
  /** Sends the signal, waits for the end; after the deadline kills the whole process group and throws. */
  stop(signal?: NodeJS.Signals, deadlineMs?: number): Promise<void>;
}

/**
 * Runs a program to its end.
 *
 * @param deadlineMs after that its process group is killed and the call rejects
 */
export async function runProgram(
  program: string,
  args: readonly string[],
  options: ProgramOptions = {},
  deadlineMs = 60_000,
): Promise<ProgramResult> {
  const child = spawnGroup(program, args, options);
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout?.on("data", (octets: Buffer) => stdout.push(octets));
  child.stderr?.on("data", (octets: Buffer) => stderr.push(octets));
  return await new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      killGroup(child);
      const said = Buffer.concat([...stdout, ...stderr]).toString();
      reject(new Error(`${program} still ran after ${deadlineMs} ms; it had said: ${said.slice(-2000)}`));
    }, deadlineMs);
    child.once("error", (error) => {
      clearTimeout(timer);
      reject(new Error(`cannot run ${program}: ${error.message}`));
    });
    child.once("close", (exitCode, signal) => {
      clearTimeout(timer);
      resolve({
        exitCode,
        signal,
        stdout: Buffer.concat(stdout),
        stderr: Buffer.concat(stderr).toString(),
      });
    });
    // A program that ends without reading its input is no fault of the test.
    child.stdin?.on("error", () => {});
    child.stdin?.end(options.input ?? "");
  });
}

/** Like `runProgram`, and throws with what the program said unless it exits with 0. */
export async function runOrThrow(
  program: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<ProgramResult> {
  const result = await runProgram(program, args, options);
  if (result.exitCode !== 0) {
    throw new Error(
      `${program} ${args.join(" ")} ended with ${result.exitCode ?? result.signal}: ${result.stderr}${result.stdout}`,
    );
  }
  return result;
}

/** Starts a program that runs until it is stopped. */
export async function startProgram(
  program: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<RunningProgram> {
  const child = spawnGroup(program, args, options);
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (error) => reject(new Error(`cannot start ${program}: ${error.message}`)));
  });
  // It leads a group of its own, which no signal to ours reaches.
  const forgetAtExit = atExit(() => killGroup(child));

  let said = "";
  let incomplete = "";
  const lines: string[] = [];
  const watchers = new Set<() => void>();
  const notify = (): void => {
    for (const watcher of [...watchers]) watcher();
  };
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    said += text;
    const parts = (incomplete + text).split("\n");
    incomplete = parts.pop() ?? "";
    lines.push(...parts);
    notify();
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  child.stdin?.on("error", () => {});
  child.stdin?.end(options.input ?? "");

  let hasEnded = false;
  const ended = new Promise<{ exitCode: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once("exit", (exitCode, signal) => {
      hasEnded = true;
      forgetAtExit();
      resolve({ exitCode, signal });
      notify();
    });
  });

  return {
    pid: child.pid as number,
    output: () => said,
    lines: () => lines,
    ended,
    lineWhere(fits, what, deadlineMs = 30_000) {
      return new Promise((resolve, reject) => {
        let seen = 0;
        const settle = (act: () => void): void => {
          clearTimeout(timer);
          watchers.delete(look);
          act();
        };
        const refuse = (why: string): void =>
          settle(() => reject(new Error(`${program}: ${why} before it said ${what}; it had said:\n${said}`)));
        const look = (): void => {
          for (; seen < lines.length; seen++) {
            const line = lines[seen] as string;
            if (fits(line)) {
              settle(() => resolve(line));
              return;
            }
          }
          if (hasEnded) refuse("ended");
        };
        const timer = setTimeout(() => refuse(`${deadlineMs} ms passed`), deadlineMs);
        watchers.add(look);
        look();
      });
    },
    async stop(signal = "SIGTERM", deadlineMs = 20_000) {
      if (!hasEnded) child.kill(signal);
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<"late">((resolve) => {
        timer = setTimeout(() => resolve("late"), deadlineMs);
      });
      const outcome = await Promise.race([ended, late]);
      clearTimeout(timer);
      killGroup(child);
      if (outcome === "late") {
        throw new Error(`${program} still ran ${deadlineMs} ms after ${signal}; it had said:\n${said}`);
      }
    },
  };
}

function spawnGroup(program: string, args: readonly string[], options: ProgramOptions): ChildProcess {
  return spawn(program, args, {
    detached: true,
    stdio: ["pipe", "pipe", "pipe", ...(options.passedFds ?? [])],
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.uid === undefined ? {} : { uid: options.uid }),
    ...(options.gid === undefined ? {} : { gid: options.gid }),
  });
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch (error) {
    // ESRCH: the group is gone, as it should be.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
