import { describe, expect, it } from "vitest";
import { BoundedMap } from "../../src/host/bounded-map.ts";

describe("BoundedMap", () => {
  it("forgets what was used the longest ago", () => {
    const map = new BoundedMap<string, number>(2);
    map.set("a", 1);
    map.set("b", 2);
    expect(map.get("a")).toBe(1);
    map.set("c", 3);
    expect(map.has("b")).toBe(false);
    expect([...map.values()]).toEqual([1, 3]);
  });

  it("keeps what must not be forgotten, beyond its bound if need be", () => {
    const map = new BoundedMap<string, { busy: boolean }>(1, ({ busy }) => !busy);
    map.set("a", { busy: true });
    map.set("b", { busy: true });
    expect(map.has("a") && map.has("b")).toBe(true);
    map.get("b")!.busy = false;
    map.set("c", { busy: false });
    expect(map.has("b")).toBe(false);
    expect(map.has("c")).toBe(true);
  });

  it("knows no keys by inheritance, and nothing after clear", () => {
    const map = new BoundedMap<string, number>(2);
    expect(map.has("constructor")).toBe(false);
    map.set("a", 1);
    map.clear();
    expect(map.has("a")).toBe(false);
  });
});
