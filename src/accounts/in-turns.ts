// Goes through a long list in turns, so that answers to others don't wait for its end: 100,000 accounts take a quarter of a
// second and more. Used where the auth process works on the whole passwd file.
import { setImmediate as nextTurn } from "node:timers/promises";

/** Calls `visit` for each item in its order. What the list holds must not change meanwhile. */
export async function inTurns<T>(items: Iterable<T>, visit: (item: T, index: number) => void): Promise<void> {
  let index = 0;
  for (const item of items) {
    visit(item, index++);
    if (index % ITEMS_PER_TURN === 0) await nextTurn();
  }
}

const ITEMS_PER_TURN = 2000;
