// What a password is stored as: the hash in the password field, and what else in the line is made from it, the second hash for
// SCRAM. Called by pop3-passwd, and by the auth process when it replaces a hash after a login.
import type { ScramHash } from "../../sasl/mechanism.ts";
import type { Account } from "../account.ts";
import { DEFAULT_HASH_POLICY, type HashPolicy } from "./hash-policy.ts";
import { hashForScram, hashPasswordAs } from "./password.ts";
import { passwordForms } from "./saslprep.ts";
import { SCRAM_FIELDS, SCRAM_HASHES } from "./scram-verifier.ts";

export interface StoredPassword {
  /** The whole password field. */
  readonly field: string;
  /** Extra fields that belong to this password. */
  readonly extra?: ReadonlyMap<string, string>;
  /** Today, written where the line has the date of the last change already. */
  readonly date?: string;
}

/** "password_changed=2026-11-25": when the password was set, for pop3-passwd audit. Only where somebody asked for it once. */
export const CHANGED_FIELD = "password_changed";

/** "rehash": the hash is replaced at the next login, if auth.rehash_on_login is set. */
export const REHASH_FIELD = "rehash";

/** Extra fields that say something about the password, and nothing about the next one. A stale SCRAM hash would let the old one in. */
export const DEPENDENT_FIELDS: readonly string[] = [...Object.values(SCRAM_FIELDS), REHASH_FIELD];

export type StoreOutcome =
  | { readonly kind: "stored"; readonly stored: StoredPassword }
  | { readonly kind: "refused"; readonly reason: string };

export async function storePassword(
  entered: Uint8Array,
  {
    policy = DEFAULT_HASH_POLICY,
    scram = [],
    date = isoDate(new Date()),
  }: { readonly policy?: HashPolicy; readonly scram?: readonly ScramHash[]; readonly date?: string } = {},
): Promise<StoreOutcome> {
  // RFC 4616, RFC 6856 §2.2: what a client sends may be written otherwise, and is the same when prepared.
  const [password] = passwordForms(entered);
  if (password === undefined)
    return { kind: "refused", reason: "the password holds a character that SASLprep (RFC 4013) forbids" };
  const hashed = await hashPasswordAs(policy.scheme, password, policy.argon2);
  if (hashed.kind === "refused") return hashed;
  const extra = new Map<string, string>();
  for (const hash of scram) {
    // The password field is that already.
    if (policy.scheme === `scram-${hash.toLowerCase()}`) continue;
    const second = await hashForScram(hash, password);
    if (second.kind === "refused") return second;
    extra.set(SCRAM_FIELDS[hash], second.field);
  }
  return { kind: "stored", stored: { field: hashed.field, extra, date } };
}

/** The hashes by which the account can be verified with SCRAM now, and should be after its password changed. */
export function scramHashesFor({ password, extra }: Pick<Account, "password" | "extra">): ScramHash[] {
  const own = /^[!*]*\{SCRAM-(SHA-1|SHA-256)[.}]/i.exec(password)?.[1]?.toUpperCase();
  return SCRAM_HASHES.filter((hash) => hash === own || extra.has(SCRAM_FIELDS[hash]));
}

/** 2026-11-25, in UTC. */
export function isoDate(date: Date): string {
  return date.toISOString().slice(0, 10);
}
