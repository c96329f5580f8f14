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
});
