// Waits for a condition that another part of the process brings about.
import { vi } from "vitest";

/** Passes as soon as the assertion does; fails with its error after 10 s. */
export function eventually(assertion: () => void): Promise<void> {
  return vi.waitFor(assertion, { interval: 2, timeout: 10_000 });
}
