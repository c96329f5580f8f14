import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, it } from "vitest";
import { inTurns } from "../../src/accounts/in-turns.ts";

it("inTurns visits every item in its order and lets others have their turn", async () => {
  const items = Array.from({ length: 10_001 }, (_, index) => index * 2);
  const seen: number[] = [];
  let others = 0;
  let isDone = false;
  const work = inTurns(items, (item, index) => {
    expect(item).toBe(index * 2);
    seen.push(item);
  }).then(() => {
    isDone = true;
  });
  while (!isDone) {
    others++;
    await nextTurn();
  }
  await work;
  expect(seen).toEqual(items);
  expect(others).toBeGreaterThanOrEqual(5);
});
