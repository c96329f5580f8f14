// The password schemes that node:crypto computes: plain text, digests with and without salt, PBKDF2, SCRAM.
// Called by password.ts alone (auth process, pop3-passwd). Source: Dovecot src/auth/password-scheme*.c, RFC 5802 §3.
import { createHash, pbkdf2, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import type { ScramHash } from "../../sasl/mechanism.ts";
import { preparedPassword, scramKeys } from "./make-scram.ts";
import { md4, md5BlockState } from "./md-digest.ts";
import type { Scheme } from "./password-field.ts";
import { MAX_PBKDF2_ITERATIONS, parseScramVerifier } from "./scram-verifier.ts";

export type Verification =
  | "match"
  | "mismatch"
  /** The field cannot be used to verify any password. The reason never holds the hash. */
  | { readonly kind: "unsupported"; readonly reason: string };

export type DigestScheme = Exclude<Scheme, "ARGON2" | "CRYPT">;

/**
 * @param data what readPasswordField() decoded
 * @param user whose password it is; DIGEST-MD5 has it in its hash
 */
export async function verifyDigestScheme(
  scheme: DigestScheme,
  data: Uint8Array,
  password: Uint8Array,
  user: string,
): Promise<Verification> {
  switch (scheme) {
    case "PLAIN":
      return answer(equalSecrets(data, password));
    case "PLAIN-TRUNC":
      return verifyTruncated(data, password);
    case "SHA":
    case "SHA256":
    case "SHA512":
    case "PLAIN-MD5":
      return answer(equalSecrets(data, digest(NODE_DIGEST[scheme], password)));
    case "PLAIN-MD4":
      return answer(equalSecrets(data, md4(password)));
    case "SSHA":
    case "SSHA256":
    case "SSHA512":
    case "SMD5":
      return verifySalted(NODE_DIGEST[scheme], data, password);
    case "DIGEST-MD5":
      return answer(equalSecrets(data, digestMd5(user, password)));
    case "CRAM-MD5":
      return answer(equalSecrets(data, cramMd5Contexts(password)));
    case "PBKDF2":
      return verifyPbkdf2(data, password);
    case "SCRAM-SHA-1":
      return verifyScram("SHA-1", data, password);
    case "SCRAM-SHA-256":
      return verifyScram("SHA-256", data, password);
    default:
      return scheme satisfies never;
  }
}

/** Whether both are the same octets, in a time that depends on neither's content nor on the place of a difference. */
export function equalSecrets(left: Uint8Array, right: Uint8Array): boolean {
  // Digests first: timingSafeEqual wants equal lengths, and a plain password's length is a secret too.
  return timingSafeEqual(digest("sha256", left), digest("sha256", right));
}

const NODE_DIGEST = {
  SHA: "sha1",
  SHA256: "sha256",
  SHA512: "sha512",
  "PLAIN-MD5": "md5",
  SSHA: "sha1",
  SSHA256: "sha256",
  SSHA512: "sha512",
  SMD5: "md5",
} as const;

const derive = promisify(pbkdf2);

function answer(isEqual: boolean): Verification {
  return isEqual ? "match" : "mismatch";
}

function malformed(scheme: string): Verification {
  return { kind: "unsupported", reason: `the data of {${scheme}} are malformed` };
}

function digest(name: string, ...parts: readonly (Uint8Array | string)[]): Buffer {
  const hash = createHash(name);
  for (const part of parts) hash.update(part);
  return hash.digest();
}

// <length>-<password>: stored by programs that cut passwords at that length, so whatever follows in the given one is free.
function verifyTruncated(data: Uint8Array, password: Uint8Array): Verification {
  const text = Buffer.from(data);
  const match = /^([0-9]{1,5})-/.exec(text.toString("latin1"));
  const length = Number.parseInt(match?.[1] ?? "0", 10);
  if (match === null || length === 0) return malformed("PLAIN-TRUNC");
  const stored = text.subarray(match[0].length);
  const wasCut = stored.length === length;
  return answer(equalSecrets(stored, wasCut ? password.subarray(0, length) : password));
}

function verifySalted(name: string, data: Uint8Array, password: Uint8Array): Verification {
  const digestBytes = createHash(name).digest().length;
  if (data.length <= digestBytes) return { kind: "unsupported", reason: "the salted digest has no salt" };
  return answer(
    equalSecrets(data.subarray(0, digestBytes), digest(name, password, data.subarray(digestBytes))),
  );
}

// RFC 2831 §2.1.2.1's H(user:realm:password), the realm being what follows "@".
function digestMd5(user: string, password: Uint8Array): Uint8Array {
  const at = user.indexOf("@");
  const name = at < 0 ? user : user.slice(0, at);
  const realm = at < 0 ? "" : user.slice(at + 1);
  return digest("md5", `${name}:${realm}:`, password);
}

// HMAC-MD5's two states after the key's block, the outer one first (Dovecot src/lib/hmac-cram-md5.c).
function cramMd5Contexts(password: Uint8Array): Uint8Array {
  const key = password.length > 64 ? digest("md5", password) : password;
  const block = (pad: number) =>
    md5BlockState(Uint8Array.from({ length: 64 }, (_, index) => (key[index] ?? 0) ^ pad));
  return Buffer.concat([block(0x5c), block(0x36)]);
}

// $1$<salt as it is>$<iterations>$<40 hex digits>
async function verifyPbkdf2(data: Uint8Array, password: Uint8Array): Promise<Verification> {
  const match = /^\$1\$([^$]*)\$([0-9]{1,8})\$([0-9A-Fa-f]{40})$/.exec(Buffer.from(data).toString("latin1"));
  const iterations = Number.parseInt(match?.[2] ?? "0", 10);
  if (match === null || iterations < 1 || iterations > MAX_PBKDF2_ITERATIONS) return malformed("PBKDF2");
  const salt = Buffer.from(match[1]!, "latin1");
  return answer(
    equalSecrets(Buffer.from(match[3]!, "hex"), await derive(password, salt, iterations, 20, "sha1")),
  );
}

// Dovecot takes passwords as they are, SCRAM's clients and pop3-passwd prepare them: whoever wrote the entry, the password fits.
async function verifyScram(hash: ScramHash, data: Uint8Array, password: Uint8Array): Promise<Verification> {
  const verifier = parseScramVerifier(data, hash);
  if (verifier === undefined) return malformed(`SCRAM-${hash}`);
  const { salt, iterations, storedKey } = verifier;
  const fits = async (form: Uint8Array): Promise<boolean> =>
    equalSecrets(storedKey, (await scramKeys(hash, form, salt, iterations)).storedKey);
  if (await fits(password)) return "match";
  const prepared = preparedPassword(password);
  const isOtherForm = prepared !== undefined && !prepared.equals(password);
  return answer(isOtherForm && (await fits(prepared)));
}
