// One child and its successors, with processes that do what the test says.
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Inquiries } from "../../../src/processes/master/inquiries.ts";
import type { ChildReports, RunningChild } from "../../../src/processes/master/running-child.ts";
import { type ChildDescription, SupervisedChild } from "../../../src/processes/master/supervision.ts";

class FakeProcess {
  readonly reports: ChildReports;
  readonly isSuccessor: boolean;
  readonly startedAtMs = Date.now();
  readonly pid: number;
  readonly isHung = false;
  readonly said: unknown[] = [];
  isAlive = true;
  openSessions = 0;
  #settleGone: () => void = () => {};
  readonly #gone = new Promise<void>((resolve) => {
    this.#settleGone = resolve;
  });

  constructor(pid: number, reports: ChildReports, isSuccessor: boolean) {
    this.pid = pid;
    this.reports = reports;
    this.isSuccessor = isSuccessor;
  }

  probe(): boolean {
    return this.isAlive;
  }

  reload(): void {
    this.said.push("reload");
  }

  retire(patienceMs: number): void {
    this.said.push({ retire: patienceMs });
  }

  takePart(part: unknown): void {
    this.said.push({ takePart: part });
  }

  partTaken(): void {
    this.said.push("part taken");
  }

  takeOver(handed: unknown): void {
    this.said.push({ takeOver: handed });
  }

  drain(): Promise<void> {
    this.said.push("drain");
    return this.#gone;
  }

  end(how = "exit 0"): void {
    this.reports.onEnded(how);
    this.#settleGone();
  }
}

const RETIRE_MS = 60_000;

let processes: FakeProcess[];
let lines: { readonly level: string; readonly msg: string }[];

beforeEach(() => {
  vi.useFakeTimers();
  processes = [];
  lines = [];
});
afterEach(() => void vi.useRealTimers());

function make(description: Partial<ChildDescription> = {}): SupervisedChild {
  return new SupervisedChild(
    {
      ...{ role: "mailbox", name: "mailbox 0", sockets: [], user: undefined, settings: () => ({}) },
      ...description,
    },
    {
      inquiries: new Inquiries(),
      retirePatienceMs: () => RETIRE_MS,
      log: pino(
        { formatters: { level: (level) => ({ level }) } },
        { write: (line) => lines.push(JSON.parse(line)) },
      ),
      launch: (_, reports, { isSuccessor }) => {
        const launched = new FakeProcess(1000 + processes.length, reports, isSuccessor);
        processes.push(launched);
        return launched as unknown as RunningChild;
      },
    },
  );
}

async function served(description: Partial<ChildDescription> = {}): Promise<SupervisedChild> {
  const child = make(description);
  const start = child.start();
  processes[0]!.reports.onReady();
  expect(await start).toEqual({ kind: "serves" });
  return child;
}

const running = (child: SupervisedChild): number[] => child.processes.map(({ pid }) => pid!);

describe("SupervisedChild", () => {
  it("has a successor take over what one that is too large hands on, and lets that one end by itself", async () => {
    const child = await served();
    const [first] = processes as [FakeProcess];
    first.reports.onOverMemory(2e9);
    first.reports.onOverMemory(2e9);
    expect(processes).toHaveLength(2);
    const successor = processes[1]!;
    expect(successor.isSuccessor).toBe(true);
    expect(first.said).toEqual([]);
    successor.reports.onReady();
    expect(first.said).toEqual([{ retire: RETIRE_MS }]);
    // Between the two nobody accepts: who comes waits in the backlog.
    expect(successor.said).toEqual([]);
    first.reports.onHandOn("part 1");
    expect(successor.said).toEqual([{ takePart: "part 1" }]);
    expect(first.said).toHaveLength(1);
    successor.reports.onPartTaken();
    expect(first.said.at(-1)).toBe("part taken");
    first.reports.onRetired({ used: [] });
    expect(successor.said.at(-1)).toEqual({ takeOver: { used: [] } });
    expect(running(child)).toEqual([1001, 1000]);
    child.reload();
    for (const each of processes) expect(each.said.at(-1)).toBe("reload");
    first.end();
    expect(running(child)).toEqual([1001]);
    expect(lines.filter(({ level }) => level === "error")).toEqual([]);
  });

  it("does not wait for ever for what one that retires hands on", async () => {
    await served();
    processes[0]!.reports.onOverMemory(2e9);
    processes[1]!.reports.onReady();
    vi.advanceTimersByTime(5_000);
    expect(processes[1]!.said).toEqual([{ takeOver: undefined }]);
    processes[0]!.reports.onHandOn("late");
    expect(processes[0]!.said.at(-1)).toBe("part taken");
    processes[0]!.reports.onRetired("late");
    expect(processes[1]!.said).toHaveLength(1);
  });

  it.each(["before", "after"])("goes on when the old one dies %s its successor is ready", async (when) => {
    const child = await served();
    processes[0]!.reports.onOverMemory(2e9);
    if (when === "after") processes[1]!.reports.onReady();
    processes[0]!.end("SIGKILL");
    if (when === "before") processes[1]!.reports.onReady();
    expect(processes[1]!.said).toEqual([{ takeOver: undefined }]);
    vi.advanceTimersByTime(60_000);
    expect(running(child)).toEqual([1001]);
  });

  it("keeps the old one when its successor cannot start, and tries again later", async () => {
    const child = await served();
    processes[0]!.reports.onOverMemory(2e9);
    processes[1]!.end("exit 1");
    expect(running(child)).toEqual([1000]);
    processes[0]!.reports.onOverMemory(2e9);
    expect(processes).toHaveLength(2);
    vi.advanceTimersByTime(30_000);
    processes[0]!.reports.onOverMemory(2e9);
    expect(processes).toHaveLength(3);
  });

  it("restarts a successor that died while the old one retires, as any other child", async () => {
    const child = await served();
    processes[0]!.reports.onOverMemory(2e9);
    processes[1]!.reports.onReady();
    processes[1]!.end("SIGSEGV");
    vi.advanceTimersByTime(100);
    expect(running(child)).toEqual([1002, 1000]);
    expect(processes[2]!.isSuccessor).toBe(false);
    processes[0]!.reports.onRetired(undefined);
    expect(processes[2]!.said).toEqual([]);
  });

  it("replaces none in vain: a successor that is as large at once shows that the limit is too low", async () => {
    await served();
    processes[0]!.reports.onOverMemory(2e9);
    processes[1]!.reports.onReady();
    processes[0]!.end();
    for (let second = 0; second < 300; second++) {
      processes[1]!.reports.onOverMemory(2e9);
      vi.advanceTimersByTime(1_000);
    }
    expect(processes).toHaveLength(2);
    expect(lines.filter(({ msg }) => msg.endsWith("raise the limit"))).toHaveLength(1);
  });

  it("replaces one again that has grown anew", async () => {
    await served();
    processes[0]!.reports.onOverMemory(2e9);
    processes[1]!.reports.onReady();
    processes[0]!.end();
    vi.advanceTimersByTime(40_000);
    processes[1]!.reports.onOverMemory(2e9);
    expect(processes).toHaveLength(3);
  });

  it("is alive as long as the one that serves is", async () => {
    const child = await served();
    processes[0]!.reports.onOverMemory(2e9);
    processes[1]!.isAlive = false;
    expect(child.probe(3)).toBe(true);
    processes[1]!.reports.onReady();
    expect(child.probe(3)).toBe(false);
    processes[1]!.isAlive = true;
    processes[0]!.isAlive = false;
    expect(child.probe(3)).toBe(true);
  });

  it("tells the sessions of both, so that none is taken for idle", async () => {
    const told: unknown[] = [];
    await served({ onSessions: (...sessions) => told.push(sessions) });
    const [first] = processes as [FakeProcess];
    first.openSessions = 1;
    first.reports.onSessions(1);
    first.reports.onOverMemory(2e9);
    const successor = processes[1]!;
    successor.reports.onReady();
    successor.openSessions = 2;
    successor.reports.onSessions(2);
    successor.openSessions = 0;
    successor.reports.onSessions(0);
    first.openSessions = 0;
    first.end();
    expect(told).toEqual([
      [1, 1],
      [3, 2],
      [1, 0],
      [0, 0],
    ]);
  });

  it("drains all of them", async () => {
    const child = await served();
    processes[0]!.reports.onOverMemory(2e9);
    processes[1]!.reports.onReady();
    processes[0]!.reports.onRetired(undefined);
    let isDrained = false;
    void child.drain(1_000).then(() => {
      isDrained = true;
    });
    for (const each of processes) {
      expect(isDrained).toBe(false);
      expect(each.said.at(-1)).toBe("drain");
      each.end();
      await vi.advanceTimersByTimeAsync(0);
    }
    expect(isDrained).toBe(true);
    vi.advanceTimersByTime(60_000);
    expect(processes).toHaveLength(2);
  });
});
