// Which back end an account belongs to, by rendezvous hashing: each pair of account and back end has a weight, and the
// heaviest back end wins. Whoever knows the same list comes to the same answer; taking one back end out moves its accounts
// alone, to all the others alike, and adding one moves to it what it is due and nothing else. Pure.
import { createHash } from "node:crypto";

/** All of `backEnds`, the account's own first, then in the order in which they stand in for it. */
export function byPreference(account: string, backEnds: readonly string[]): readonly string[] {
  return backEnds
    .map((name) => ({ name, weight: weightOf(account, name) }))
    .sort((a, b) => (a.weight < b.weight ? 1 : a.weight > b.weight ? -1 : 0))
    .map(({ name }) => name);
}

function weightOf(account: string, backEnd: string): bigint {
  return createHash("sha256").update(`${backEnd}\0${account}`).digest().readBigUInt64BE(0);
}
