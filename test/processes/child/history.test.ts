import { describe, expect, it } from "vitest";
import { type Happened, History } from "../../../src/processes/child/history.ts";

const event = (atMs: number): Happened => ({
  kind: "not-opened",
  atMs,
  address: "192.0.2.7",
  reason: "locked",
});

describe("History", () => {
  async function of(history: History, account: string): Promise<number[]> {
    const times: number[] = [];
    const { signal } = new AbortController();
    await history.answers.history!({ kind: "history", account }, ({ atMs }) => times.push(atMs), signal);
    return times;
  }

  it("keeps the last ten events of an account", async () => {
    const history = new History();
    for (let atMs = 1; atMs <= 12; atMs++) history.add("mrose", event(atMs));
    expect(await of(history, "mrose")).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    expect(await of(history, "constructor")).toEqual([]);
  });

  it("forgets the accounts that nothing happened to for the longest time", async () => {
    const history = new History(2);
    history.add("a", event(1));
    history.add("b", event(2));
    history.add("a", event(3));
    history.add("c", event(4));
    expect(await Promise.all(["a", "b", "c"].map((account) => of(history, account)))).toEqual([
      [1, 3],
      [],
      [4],
    ]);
  });
});
