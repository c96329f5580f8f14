// Which stored hashes are worth replacing, and replacing one whose password was just found right: under the file's lock, and only if
// it is still the one that was verified. Called by the auth process (auth.rehash_on_login) and by pop3-passwd audit and rehash.
import type { Account } from "../account.ts";
import { hashCost } from "../passwords/hash-cost.ts";
import type { HashPolicy, WritableScheme } from "../passwords/hash-policy.ts";
import { SCRAM_ITERATIONS } from "../passwords/make-scram.ts";
import { CRYPT_METHODS } from "../passwords/password.ts";
import { type PasswordField, readPasswordField, schemeName } from "../passwords/password-field.ts";
import { REHASH_FIELD, scramHashesFor, storePassword } from "../passwords/stored-password.ts";
import { findAccount, setPassword } from "./account-edits.ts";
import { type EditOutcome, editPasswdFile } from "./edit.ts";
import type { PasswdLine } from "./passwd-lines.ts";

/**
 * Why the hash should be replaced, or undefined if it is good as it is: weak, of the configured scheme but cheaper than that is now,
 * or marked by pop3-passwd rehash. A strong hash of another scheme stays: an MTA may read the file itself.
 */
export function rehashReason(
  { password, extra }: Pick<Account, "password" | "extra">,
  policy: HashPolicy,
): string | undefined {
  const field = readPasswordField(password);
  if (field.kind !== "scheme") return undefined;
  if (extra.has(REHASH_FIELD)) return "marked for it";
  return weakness(field) ?? costBelow(field, policy);
}

/** What makes a stolen file's hash cheap to guess against, or undefined. */
export function weakness(field: PasswordField & { kind: "scheme" }): string | undefined {
  const name = schemeName(field);
  const { work, text } = hashCost(field);
  if (field.scheme === "PLAIN" || field.scheme === "PLAIN-TRUNC") return `${name} is the password itself`;
  const minimum = MINIMUM_WORK.get(name);
  if (minimum === undefined) return `${name} is too fast`;
  return work < minimum ? `${name} with ${text} is too fast` : undefined;
}

/** Whether a hash of the configured scheme would cost more than this one. */
export function costBelow(field: PasswordField & { kind: "scheme" }, policy: HashPolicy): string | undefined {
  if (schemeName(field) !== SCHEME_OF_POLICY[policy.scheme]) return undefined;
  const { work, text } = hashCost(field);
  return work < workOf(policy) ? `${schemeName(field)} with ${text} is below the configured cost` : undefined;
}

/**
 * Stores the password as the policy says, if the account still has the hash that it was verified against; SCRAM goes on for
 * whom it went before.
 *
 * @returns kept when somebody changed the account meanwhile; refused and failed leave the file as it was
 */
export async function replaceHash(
  path: string,
  account: Account,
  password: Uint8Array,
  policy: HashPolicy,
): Promise<EditOutcome> {
  const outcome = await storePassword(password, { policy, scram: scramHashesFor(account) });
  if (outcome.kind === "refused") return outcome;
  return editPasswdFile(path, (lines: readonly PasswdLine[]) => {
    const found = findAccount(lines, account.user);
    if (found.kind === "missing" || found.account.password !== account.password) return { kind: "keep" };
    // The password is the old one: the date of its last change stays.
    const { date: _, ...stored } = outcome.stored;
    return setPassword(lines, account.user, stored);
  });
}

// In hashCost()'s measure. argon2: 7 MiB with five iterations is OWASP's least; bcrypt 10 and SHA-2 crypt's default of 5,000 rounds
// are what hosts have lived with; yescrypt in KiB. What is not here is a digest, DES or MD5.
const MINIMUM_WORK: ReadonlyMap<string, number> = new Map([
  ["ARGON2ID", 7168 * 2],
  ["ARGON2I", 7168 * 3],
  ["YESCRYPT", 4096],
  ["GOST-YESCRYPT", 4096],
  ["SCRYPT", 4096],
  ["BCRYPT", 2 ** 10],
  ["SHA512-CRYPT", 5000],
  ["SHA256-CRYPT", 5000],
  ["PBKDF2", 100_000],
  ["SCRAM-SHA-256", 4096],
  ["SCRAM-SHA-1", 4096],
]);

const SCHEME_OF_POLICY: Readonly<Record<WritableScheme, string>> = {
  argon2id: "ARGON2ID",
  yescrypt: "YESCRYPT",
  "sha512-crypt": "SHA512-CRYPT",
  "sha256-crypt": "SHA256-CRYPT",
  bcrypt: "BCRYPT",
  "scram-sha-256": "SCRAM-SHA-256",
  "scram-sha-1": "SCRAM-SHA-1",
};

function workOf({ scheme, argon2 }: HashPolicy): number {
  switch (scheme) {
    case "argon2id":
      return argon2.memoryKib * argon2.iterations;
    case "bcrypt":
      return 2 ** CRYPT_METHODS.bcrypt.cost;
    case "sha512-crypt":
    case "sha256-crypt":
      return CRYPT_METHODS[scheme].cost;
    case "yescrypt":
      // crypt(5)'s cost 5 is N=4096, r=32.
      return 16_384;
    case "scram-sha-256":
    case "scram-sha-1":
      return SCRAM_ITERATIONS;
    default:
      return scheme satisfies never;
  }
}
