// Waits for a condition instead of for a time. For tests that watch other processes: a file that appears, a port that
// opens, a process that is gone.

const intervalMs = 10;

/**
 * Asks again until `probe` gives something other than `undefined`, `false` or `null`, and returns that.
 *
 * @param what the condition in words, for the error: "3 messages in /…/Maildir"
 * @param deadlineMs how long to go on asking
 * @throws Error naming the condition when the deadline passes, with the probe's last fault as its cause
 */
export async function eventually<T>(
  what: string,
  probe: () => T | Promise<T>,
  deadlineMs = 20_000,
): Promise<NonNullable<Exclude<T, false>>> {
  const deadline = performance.now() + deadlineMs;
  let fault: unknown;
  for (;;) {
    try {
      const result = await probe();
      if (result !== undefined && result !== null && result !== false) {
        return result as NonNullable<Exclude<T, false>>;
      }
      fault = undefined;
    } catch (error) {
      fault = error;
    }
    if (performance.now() > deadline) {
      throw new Error(`still not so after ${deadlineMs} ms: ${what}`, { cause: fault });
    }
    await new Promise((resolve) => setTimeout(resolve, intervalMs));
  }
}
