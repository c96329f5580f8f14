// What an account's line stores for SCRAM: iterations, salt, StoredKey and ServerKey, as Dovecot's {SCRAM-SHA-1} and
// {SCRAM-SHA-256} write them; in the password field, or in an extra field behind a hash that Dovecot and Exim read (pop3-passwd set
// --scram). Pure; used by the auth process and by pop3-passwd. Source: Dovecot src/auth/password-scheme-scram.c.
import type { ScramHash, ScramVerifier } from "../../sasl/mechanism.ts";
import type { Account } from "../account.ts";
import { readPasswordField } from "./password-field.ts";

export const SCRAM_HASHES: readonly ScramHash[] = ["SHA-256", "SHA-1"];

/** The extra field of each: scram_sha_256=iterations,base64(salt),base64(StoredKey),base64(ServerKey). */
export const SCRAM_FIELDS = {
  "SHA-256": "scram_sha_256",
  "SHA-1": "scram_sha_1",
} as const satisfies Record<ScramHash, string>;

/**
 * @returns undefined when the account has none for this hash, no password, or one that cannot be used; a locked account still has
 *   its own
 */
export function scramVerifierOf(
  { password, extra }: Pick<Account, "password" | "extra">,
  hash: ScramHash,
): ScramVerifier | undefined {
  const text = extra.get(SCRAM_FIELDS[hash]);
  // Most have none, and a long file is looked through for those who have.
  if (text === undefined && !/scram/i.test(password)) return undefined;
  const field = readPasswordField(password);
  if (field.kind === "locked") return scramVerifierOf({ password: field.hidden, extra }, hash);
  if (field.kind !== "scheme") return undefined;
  if (field.scheme === `SCRAM-${hash}`) return parseScramVerifier(field.data, hash);
  return typeof text === "string" ? parseScramVerifier(Buffer.from(text), hash) : undefined;
}

/** The hashes whose verifier stands in the extra fields, sound or not: a changed password has to change it as well. */
export function scramFieldsOf({ extra }: Pick<Account, "extra">): ScramHash[] {
  return SCRAM_HASHES.filter((hash) => extra.has(SCRAM_FIELDS[hash]));
}

/** @param data iterations,base64(salt),base64(StoredKey),base64(ServerKey) */
export function parseScramVerifier(data: Uint8Array, hash: ScramHash): ScramVerifier | undefined {
  const [count = "", ...texts] = Buffer.from(data).toString("latin1").split(",");
  const iterations = /^[0-9]{1,8}$/.test(count) ? Number.parseInt(count, 10) : 0;
  const [salt, storedKey, serverKey, ...more] = texts.map((text) => Buffer.from(text, "base64"));
  if (salt === undefined || storedKey === undefined || serverKey === undefined || more.length > 0)
    return undefined;
  const keyBytes = KEY_BYTES[hash];
  const isSound =
    iterations >= MIN_ITERATIONS &&
    iterations <= MAX_PBKDF2_ITERATIONS &&
    salt.length > 0 &&
    storedKey.length === keyBytes &&
    serverKey.length === keyBytes;
  return isSound ? { iterations, salt, storedKey, serverKey } : undefined;
}

/** Without ":" and spaces: it survives the splitting of lines and of extra fields. */
export function formatScramVerifier({ iterations, salt, storedKey, serverKey }: ScramVerifier): string {
  const texts = [salt, storedKey, serverKey].map((bytes) => Buffer.from(bytes).toString("base64"));
  return [iterations, ...texts].join(",");
}

/** An entry that would take minutes of a processor is a mistake, not a cost. */
export const MAX_PBKDF2_ITERATIONS = 10_000_000;

const KEY_BYTES = { "SHA-1": 20, "SHA-256": 32 } as const;

// RFC 5802 §5.1 and Dovecot's own check.
const MIN_ITERATIONS = 4096;
