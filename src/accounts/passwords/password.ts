// Hashing and verifying of passwords: the one file that imports argon2, and the one that calls the host's crypt(3).
// Called in the auth process (verifier.ts) and by pop3-passwd. Hashes are computed off the main thread.
import { randomBytes, timingSafeEqual } from "node:crypto";
import argon2 from "argon2";
import type { ScramHash } from "../../sasl/mechanism.ts";
import { type Verification, verifyDigestScheme } from "./digest-schemes.ts";
import { readArgon2 } from "./hash-cost.ts";
import { hashFault } from "./hash-fault.ts";
import {
  type Argon2Cost,
  DEFAULT_ARGON2_COST,
  DEFAULT_VERIFICATION_MEMORY_KIB,
  type WritableScheme,
} from "./hash-policy.ts";
import { crypt, MAX_BCRYPT_PASSWORD_BYTES, MAX_CRYPT_PASSWORD_BYTES, makeSetting } from "./libcrypt.ts";
import { makeScramVerifier } from "./make-scram.ts";
import { readPasswordField } from "./password-field.ts";
import { passwordForms } from "./saslprep.ts";
import { formatScramVerifier } from "./scram-verifier.ts";

export type { Verification };

export type Hashed =
  | { readonly kind: "hashed"; readonly field: string }
  | { readonly kind: "refused"; readonly reason: string };

/** The whole password field, {ARGON2ID}$argon2id$v=19$m=…,t=…,p=…$salt$hash, with a fresh salt of 16 octets and 32 of hash. */
export async function hashPassword(
  password: Uint8Array | string,
  cost: Argon2Cost = DEFAULT_ARGON2_COST,
): Promise<string> {
  const salt = randomBytes(16);
  const hash = await argon2.hash(asBuffer(password), {
    raw: true,
    type: argon2.argon2id,
    version: ARGON2_VERSION,
    salt,
    hashLength: 32,
    memoryCost: cost.memoryKib,
    timeCost: cost.iterations,
    parallelism: cost.parallelism,
  });
  return argon2Field(cost, salt, hash);
}

/**
 * A field that no password matches and that takes as long to verify as one of this cost: what an unknown user is measured
 * against while the file holds no account to be measured by.
 */
export function decoyField(cost: Argon2Cost): string {
  return argon2Field(cost, randomBytes(16), randomBytes(32));
}

/** The whole password field in the scheme asked for; refused where the password does not fit it or the host cannot compute it. */
export async function hashPasswordAs(
  scheme: WritableScheme,
  password: Uint8Array | string,
  cost: Argon2Cost = DEFAULT_ARGON2_COST,
): Promise<Hashed> {
  switch (scheme) {
    case "argon2id":
      return { kind: "hashed", field: await hashPassword(password, cost) };
    case "scram-sha-256":
    case "scram-sha-1": {
      const hash = scheme === "scram-sha-256" ? "SHA-256" : "SHA-1";
      const hashed = await hashForScram(hash, asBuffer(password));
      return hashed.kind === "refused" ? hashed : { ...hashed, field: `{SCRAM-${hash}}${hashed.field}` };
    }
    case "yescrypt":
    case "sha512-crypt":
    case "sha256-crypt":
    case "bcrypt":
      return hashWithCrypt(scheme, asBuffer(password));
    default:
      return scheme satisfies never;
  }
}

/** The value of an extra field (scram-verifier.ts); refused for a password that SASLprep forbids. */
export async function hashForScram(hash: ScramHash, password: Uint8Array): Promise<Hashed> {
  const verifier = await makeScramVerifier(hash, password);
  if (verifier !== undefined) return { kind: "hashed", field: formatScramVerifier(verifier) };
  const reason = `the password holds what SASLprep (RFC 4013) forbids: no SCRAM-${hash} with it`;
  return { kind: "refused", reason };
}

/** Whether any form of the password fits (`passwordForms`). */
export async function verifyForms(
  password: Uint8Array,
  verify: (form: Uint8Array) => Promise<Verification>,
): Promise<Verification> {
  for (const form of passwordForms(password)) {
    const verification = await verify(form);
    if (verification !== "mismatch") return verification;
  }
  return "mismatch";
}

/**
 * @param storedField the password field of the account, not locked
 * @param user whose it is; only DIGEST-MD5 needs it
 * @param maxMemoryKib a hash that asks for more is not computed
 * @returns unsupported when no password could ever match: unknown scheme, malformed data, a hash that this host cannot compute.
 *   An empty field and a locked one match nothing; a caller that hides this must spend the time itself (verifier.ts).
 */
export async function verifyPassword(
  storedField: string,
  password: Uint8Array | string,
  user = "",
  maxMemoryKib: number = DEFAULT_VERIFICATION_MEMORY_KIB,
): Promise<Verification> {
  const field = readPasswordField(storedField);
  switch (field.kind) {
    case "none":
    case "locked":
      return "mismatch";
    case "unusable":
      return { kind: "unsupported", reason: field.reason };
    case "scheme":
      break;
    default:
      return field satisfies never;
  }
  const given = asBuffer(password);
  // No scheme may take an empty password, not even one that somebody hashed.
  if (given.length === 0) return "mismatch";
  // A line of the file must not be able to take all memory of the auth process or hours of its time.
  const fault = hashFault(field, maxMemoryKib);
  if (fault !== undefined) return { kind: "unsupported", reason: fault };
  switch (field.scheme) {
    case "ARGON2":
      return verifyArgon2(Buffer.from(field.data).toString("latin1"), given);
    case "CRYPT":
      return verifyCrypt(Buffer.from(field.data).toString("utf8"), given);
    default:
      return verifyDigestScheme(field.scheme, field.data, given, user);
  }
}

const ARGON2_VERSION = 0x13;

// crypt(5): yescrypt's default; SHA-2's default of 5,000 rounds is no longer enough; bcrypt's is 5.
export const CRYPT_METHODS = {
  yescrypt: { prefix: "$y$", cost: 5 },
  "sha512-crypt": { prefix: "$6$", cost: 100_000 },
  "sha256-crypt": { prefix: "$5$", cost: 100_000 },
  bcrypt: { prefix: "$2b$", cost: 11 },
} as const;

function asBuffer(password: Uint8Array | string): Buffer {
  return typeof password === "string"
    ? Buffer.from(password)
    : Buffer.from(password.buffer, password.byteOffset, password.byteLength);
}

// The argon2 package writes its parameters as m,p,t; libsodium, and so Dovecot, demands m,t,p. Base64 has no padding here.
function argon2Field(cost: Argon2Cost, salt: Buffer, hash: Buffer): string {
  const [saltText, hashText] = [salt, hash].map((bytes) => bytes.toString("base64").replace(/=+$/, ""));
  const parameters = `m=${cost.memoryKib},t=${cost.iterations},p=${cost.parallelism}`;
  return `{ARGON2ID}$argon2id$v=${ARGON2_VERSION}$${parameters}$${saltText}$${hashText}`;
}

async function verifyArgon2(text: string, password: Buffer): Promise<Verification> {
  const stored = readArgon2(text);
  if (stored === undefined) return { kind: "unsupported", reason: "the argon2 string is malformed" };
  const computed = await argon2.hash(password, {
    raw: true,
    type: stored.type === "id" ? argon2.argon2id : argon2.argon2i,
    version: stored.version,
    salt: stored.salt,
    hashLength: stored.hash.length,
    memoryCost: stored.memoryKib,
    timeCost: stored.iterations,
    parallelism: stored.parallelism,
  });
  return timingSafeEqual(computed, stored.hash) ? "match" : "mismatch";
}

async function verifyCrypt(stored: string, password: Buffer): Promise<Verification> {
  // Whatever crypt(3) cannot take in full was never the password.
  if (password.includes(0) || password.length > MAX_CRYPT_PASSWORD_BYTES) return "mismatch";
  const computed = await crypt(password, stored);
  if (computed.kind === "unsupported") return computed;
  const [left, right] = [Buffer.from(computed.hash), Buffer.from(stored)];
  return left.length === right.length && timingSafeEqual(left, right) ? "match" : "mismatch";
}

async function hashWithCrypt(scheme: keyof typeof CRYPT_METHODS, password: Buffer): Promise<Hashed> {
  const maxBytes = scheme === "bcrypt" ? MAX_BCRYPT_PASSWORD_BYTES : MAX_CRYPT_PASSWORD_BYTES;
  if (password.length > maxBytes)
    return { kind: "refused", reason: `${scheme} takes at most ${maxBytes} bytes of password` };
  const { prefix, cost } = CRYPT_METHODS[scheme];
  const setting = makeSetting(prefix, cost);
  if (setting.kind === "unsupported") return { kind: "refused", reason: setting.reason };
  const crypted = await crypt(password, setting.hash);
  if (crypted.kind === "unsupported") return { kind: "refused", reason: crypted.reason };
  return { kind: "hashed", field: `{CRYPT}${crypted.hash}` };
}
