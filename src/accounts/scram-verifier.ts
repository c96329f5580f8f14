// What an account's line stores for SCRAM: iterations, salt, StoredKey and ServerKey, as Dovecot's {SCRAM-SHA-1} and
// {SCRAM-SHA-256} write them. Pure; used by the auth process. Source: Dovecot src/auth/password-scheme-scram.c.
import type { ScramHash, ScramVerifier } from "../sasl/mechanism.ts";
import type { Account } from "./account.ts";
import { readPasswordField } from "./password-field.ts";

export const SCRAM_HASHES: readonly ScramHash[] = ["SHA-256", "SHA-1"];

/** @returns undefined when the account has none for this hash; a locked account still has its own */
export function scramVerifierOf(
  { password }: Pick<Account, "password">,
  hash: ScramHash,
): ScramVerifier | undefined {
  // Most have none, and a long file is looked through for those who have.
  if (!/scram/i.test(password)) return undefined;
  const field = readPasswordField(password);
  if (field.kind === "locked") return scramVerifierOf({ password: field.hidden }, hash);
  if (field.kind !== "scheme" || field.scheme !== `SCRAM-${hash}`) return undefined;
  return parseScramVerifier(field.data, hash);
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
    iterations <= MAX_ITERATIONS &&
    salt.length > 0 &&
    storedKey.length === keyBytes &&
    serverKey.length === keyBytes;
  return isSound ? { iterations, salt, storedKey, serverKey } : undefined;
}

const KEY_BYTES = { "SHA-1": 20, "SHA-256": 32 } as const;

// RFC 5802 §5.1 and Dovecot's own check.
const MIN_ITERATIONS = 4096;
// An entry that would take minutes of a processor is a mistake, not a cost.
const MAX_ITERATIONS = 10_000_000;
