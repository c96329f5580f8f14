import { describe, expect, it } from "vitest";
import { WorkQueue } from "../../src/accounts/work-queue.ts";

describe("WorkQueue", () => {
  it("runs no more tasks at once than it may, in the order they came", async () => {
    const queue = new WorkQueue(2);
    const begun: number[] = [];
    const finish: (() => void)[] = [];
    const tasks = Array.from({ length: 5 }, (_, number) =>
      queue.run(async () => {
        begun.push(number);
        await new Promise<void>((resolve) => {
          finish[number] = resolve;
        });
        return number;
      }),
    );
    await Promise.resolve();
    expect(begun).toEqual([0, 1]);
    finish[1]!();
    expect(await tasks[1]).toBe(1);
    expect(begun).toEqual([0, 1, 2]);
    finish[2]!();
    finish[0]!();
    await Promise.all([tasks[0], tasks[2]]);
    expect(begun).toEqual([0, 1, 2, 3, 4]);
    finish[3]!();
    finish[4]!();
    expect(await Promise.all(tasks)).toEqual([0, 1, 2, 3, 4]);
  });

  it("gives a failed task's place to the next", async () => {
    const queue = new WorkQueue(1);
    const failed = queue.run(() => Promise.reject(new Error("no")));
    const next = queue.run(async () => "yes");
    await expect(failed).rejects.toThrow("no");
    expect(await next).toBe("yes");
    expect(await queue.run(async () => "again")).toBe("again");
  });

  it.each([0, -1, 1.5, Number.NaN])("wants room for at least one task, not %s", (maxParallel) => {
    expect(() => new WorkQueue(maxParallel)).toThrow(RangeError);
  });

  it("counts tasks by their weight, and lets none pass a heavy one that waits", async () => {
    const queue = new WorkQueue(10);
    const log: string[] = [];
    const ends = new Map<string, () => void>();
    const start = (name: string, weight: number) =>
      queue.run(() => {
        log.push(name);
        return new Promise<void>((end) => ends.set(name, end));
      }, weight);
    const finish = async (name: string) => {
      ends.get(name)?.();
      await new Promise(setImmediate);
    };
    const all = [start("a", 6), start("b", 4), start("heavy", 8), start("light", 1), start("all", 99)];
    expect(log).toEqual(["a", "b"]);
    await finish("b");
    expect(log).toEqual(["a", "b"]);
    await finish("a");
    expect(log).toEqual(["a", "b", "heavy", "light"]);
    await finish("heavy");
    await finish("light");
    expect(log).toEqual(["a", "b", "heavy", "light", "all"]);
    await finish("all");
    await Promise.all(all);
  });
});
