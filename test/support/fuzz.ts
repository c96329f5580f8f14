// How long the property tests run, and from which seed: scripts/fuzz.mjs says so by environment variables; without them,
// as long as each test says. Loaded before every test file of the project "unit".
import fc from "fast-check";

const { FUZZ_SEED, FUZZ_RUNS } = process.env;

if (FUZZ_RUNS !== undefined) fc.configureGlobal({ numRuns: Number(FUZZ_RUNS), seed: Number(FUZZ_SEED) });

/** For a property that needs more runs than fast-check's own default. */
export function atLeast(numRuns: number): { readonly numRuns: number } {
  return { numRuns: Math.max(numRuns, fc.readConfigureGlobal().numRuns ?? 0) };
}
