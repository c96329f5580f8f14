// Hashing and verifying of passwords: the one file that imports argon2, and the one that calls the host's crypt(3).
// Called in the auth process (verifier.ts) and by pop3-passwd. Hashes are computed off the main thread.
import { randomBytes, timingSafeEqual } from "node:crypto";
import argon2 from "argon2";
import { scramSha256, type Verification, verifyDigestScheme } from "./digest-schemes.ts";
import { crypt, MAX_BCRYPT_PASSWORD_BYTES, MAX_CRYPT_PASSWORD_BYTES, makeSetting } from "./libcrypt.ts";
import { readPasswordField } from "./password-field.ts";

export type { Verification };

export interface Argon2Cost {
  readonly memoryKib: number;
  readonly iterations: number;
  readonly parallelism: number;
}

/**
 * OWASP's recommended minimum for argon2id (19 MiB, 2 iterations, 1 lane). Not more by default: a POP3 client logs in anew at every
 * poll, and after a restart all of them do at once; RFC 9106's 64 MiB with 3 iterations costs five times the processor time.
 */
export const DEFAULT_ARGON2_COST: Argon2Cost = { memoryKib: 19_456, iterations: 2, parallelism: 1 };

/** What pop3-passwd --scheme can write. */
export const WRITABLE_SCHEMES = ["argon2id", "yescrypt", "sha512-crypt", "bcrypt", "scram-sha-256"] as const;
export type WritableScheme = (typeof WRITABLE_SCHEMES)[number];

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
      return {
        kind: "hashed",
        field: `{SCRAM-SHA-256}${await scramSha256(asBuffer(password), SCRAM_ITERATIONS)}`,
      };
    case "yescrypt":
    case "sha512-crypt":
    case "bcrypt":
      return hashWithCrypt(scheme, asBuffer(password));
    default:
      return scheme satisfies never;
  }
}

/**
 * @param storedField the password field of the account, not locked
 * @param user whose it is; only DIGEST-MD5 needs it
 * @returns unsupported when no password could ever match: unknown scheme, malformed data, a hash that this host cannot compute.
 *   An empty field and a locked one match nothing; a caller that hides this must spend the time itself (verifier.ts).
 */
export async function verifyPassword(
  storedField: string,
  password: Uint8Array | string,
  user = "",
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

// A line of the file must not be able to take all memory of the auth process or hours of its time.
const MAX_ARGON2 = { memoryKib: 1_048_576, iterations: 1000, parallelism: 64 } as const;

// RFC 7677 §4 asks for 4096 at least; 100,000 take about 50 ms here, and the client has to compute them at each login as well.
const SCRAM_ITERATIONS = 100_000;

// crypt(5): yescrypt's default; SHA-512's default of 5,000 rounds is no longer enough; bcrypt's is 5.
const CRYPT_METHODS = {
  yescrypt: { prefix: "$y$", cost: 5 },
  "sha512-crypt": { prefix: "$6$", cost: 100_000 },
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
  const match =
    /^\$argon2(id|i)\$(?:v=([0-9]{1,3})\$)?([mtp]=[0-9]{1,8}(?:,[mtp]=[0-9]{1,8}){2})\$([A-Za-z0-9+/]+)=*\$([A-Za-z0-9+/]+)=*$/.exec(
      text,
    );
  if (match === null) return { kind: "unsupported", reason: "the argon2 string is malformed" };
  const parameters = new Map(
    match[3]!.split(",").map((part) => [part[0], Number.parseInt(part.slice(2), 10)]),
  );
  const [memoryKib = 0, iterations = 0, parallelism = 0] = ["m", "t", "p"].map((name) =>
    parameters.get(name),
  );
  const salt = Buffer.from(match[4]!, "base64");
  const stored = Buffer.from(match[5]!, "base64");
  // Version 1.0 wrote no v=.
  const version = Number.parseInt(match[2] ?? "16", 10);
  const isSound =
    (version === 0x10 || version === ARGON2_VERSION) &&
    parallelism >= 1 &&
    iterations >= 1 &&
    memoryKib >= 8 * parallelism &&
    salt.length >= 8 &&
    stored.length >= 16;
  if (!isSound) return { kind: "unsupported", reason: "the argon2 string is malformed" };
  const isAffordable =
    memoryKib <= MAX_ARGON2.memoryKib &&
    iterations <= MAX_ARGON2.iterations &&
    parallelism <= MAX_ARGON2.parallelism;
  if (!isAffordable)
    return { kind: "unsupported", reason: "the argon2 string asks for more than 1 GiB or 1000 iterations" };
  const computed = await argon2.hash(password, {
    raw: true,
    type: match[1] === "id" ? argon2.argon2id : argon2.argon2i,
    version,
    salt,
    hashLength: stored.length,
    memoryCost: memoryKib,
    timeCost: iterations,
    parallelism,
  });
  return timingSafeEqual(computed, stored) ? "match" : "mismatch";
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
