import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { LineWriter } from "../../src/log/line-writer.ts";

describe("LineWriter", () => {
  const written: string[] = [];
  let writer: LineWriter;
  beforeEach(() => {
    vi.useFakeTimers();
    written.length = 0;
    writer = new LineWriter((lines) => written.push(lines));
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("writes a line at once, and those together that follow within milliseconds", () => {
    writer.add("one\n", false);
    expect(written).toEqual(["one\n"]);
    writer.add("two\n", false);
    vi.advanceTimersByTime(15);
    writer.add("three\n", false);
    expect(written).toHaveLength(1);
    vi.advanceTimersByTime(5);
    expect(written.slice(1)).toEqual(["two\nthree\n"]);
    writer.add("four\n", false);
    expect(written).toHaveLength(2);
    vi.advanceTimersByTime(20);
    expect(written.slice(2)).toEqual(["four\n"]);
    vi.advanceTimersByTime(20);
    writer.add("five\n", false);
    expect(written.slice(3)).toEqual(["five\n"]);
  });

  it("writes an urgent line at once, and what was said before it before it", () => {
    writer.add("one\n", false);
    writer.add("two\n", false);
    writer.add("urgent\n", true);
    expect(written).toEqual(["one\n", "two\nurgent\n"]);
    vi.advanceTimersByTime(100);
    expect(written).toHaveLength(2);
  });

  it("writes no more bytes together than a pipe keeps together, and cuts no line", () => {
    writer.add("one\n", false);
    const line = `${"ä".repeat(999)}\n`;
    for (let i = 0; i < 5; i++) writer.add(line, false);
    expect(written.slice(1)).toEqual([line + line, line + line]);
    const long = `${"a".repeat(10_000)}\n`;
    writer.add(long, false);
    vi.advanceTimersByTime(20);
    expect(written.slice(3)).toEqual([line, long]);
  });

  it("writes what waits when the process exits", () => {
    writer.add("one\n", false);
    writer.add("last words\n", false);
    process.listeners("exit").at(-1)?.call(process, 0);
    expect(written).toEqual(["one\n", "last words\n"]);
  });
});
