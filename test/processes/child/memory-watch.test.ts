import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { EVERY_MS, type Memory, watchMemory } from "../../../src/processes/child/memory-watch.ts";

const MIB = 1024 ** 2;
const small: Memory = { rssBytes: 80 * MIB, heapBytes: 20 * MIB, heapLimitBytes: 500 * MIB };

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** @returns what was told after each look */
function look(memories: readonly Memory[]): number[] {
  const told: number[] = [];
  const left = [...memories];
  const stop = watchMemory({
    maxBytes: () => 100 * MIB,
    onOver: (rssBytes) => told.push(rssBytes / MIB),
    read: () => left.shift() ?? small,
  });
  vi.advanceTimersByTime(memories.length * EVERY_MS);
  stop();
  return told;
}

describe("watchMemory", () => {
  it("tells as long as it is too much, but not of a peak", () => {
    const large = { ...small, rssBytes: 101 * MIB };
    expect(look([small, small, small])).toEqual([]);
    expect(look([large, small, large, small])).toEqual([]);
    expect(look([large, large, large, small, large])).toEqual([101, 101]);
  });

  it("tells before V8 ends the process on a host with little memory", () => {
    const full = { ...small, heapBytes: 450 * MIB };
    expect(look([full, full])).toEqual([80]);
  });

  it("goes on where the kernel cannot be asked: with no descriptor left, a look was the process's end", () => {
    const noDescriptor = Object.assign(new Error("EMFILE: too many open files"), { code: "EMFILE" });
    const rss = vi.spyOn(process.memoryUsage, "rss").mockImplementation(() => {
      throw noDescriptor;
    });
    const told: number[] = [];
    const stop = watchMemory({ maxBytes: () => 1, onOver: (rssBytes) => told.push(rssBytes) });
    vi.advanceTimersByTime(3 * EVERY_MS);
    expect(told).toEqual([]);
    rss.mockReturnValue(2);
    vi.advanceTimersByTime(2 * EVERY_MS);
    expect(told).toEqual([2]);
    stop();
    rss.mockRestore();
  });
});
