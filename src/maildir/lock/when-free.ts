// Waits for a maildrop that a session has. For programs beside the server, which have time.
import { setTimeout as delay } from "node:timers/promises";

/** Tries again while the result's kind is "locked". @param waitMs 0: once */
export async function whenFree<R extends { readonly kind: string }>(
  attempt: () => Promise<R>,
  waitMs: number,
  now: () => number,
  signal?: AbortSignal,
): Promise<R> {
  const deadlineMs = now() + waitMs;
  for (;;) {
    const result = await attempt();
    if (result.kind !== "locked" || now() >= deadlineMs || signal?.aborted === true) return result;
    await delay(RETRY_MS, undefined, signal === undefined ? {} : { signal }).catch(() => {});
  }
}

const RETRY_MS = 200;
