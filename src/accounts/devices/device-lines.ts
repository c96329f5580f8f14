// Device passwords as lines of the file beside the passwd file, user:id:hash:created:name, and the passwords themselves: drawn here,
// shown once. Used by the auth process and by pop3-passwd. A device password opens one account by PLAIN, LOGIN or USER and PASS; SCRAM,
// which verifies against one password of the account, takes the main one.
import { createHash, randomBytes } from "node:crypto";
import type { PasswdLine } from "../file/passwd-lines.ts";
import { equalSecrets } from "../passwords/digest-schemes.ts";

export interface Device {
  readonly user: string;
  /** Stands for the device where its last use is noted. */
  readonly id: string;
  /** {SSHA256}: SHA-256 of password and salt, then the salt, in base64. */
  readonly hash: string;
  /** 20261125T132500Z */
  readonly created: string;
  /** "phone"; one of a kind for its user. */
  readonly name: string;
}

/** Beside the passwd file, with its owner, group and mode. */
export function deviceFilePath(passwdFile: string): string {
  return `${passwdFile}.devices`;
}

/** When each device last logged in: a file of its own, since the auth process writes to it, and to nothing that lets anybody in. */
export function deviceUsesPath(passwdFile: string): string {
  return `${passwdFile}.devices-used`;
}

/**
 * 20 characters of Crockford's base32, which has no i, l, o and u to be taken for others: 100 random bits. Nobody guesses them, not even
 * with the hash and all the processors there are, so one SHA-256 stores them as well as argon2 would, and costs a client that polls
 * every minute nothing. A person's password is guessed from a dictionary: that is what argon2 is for.
 */
export function drawDevicePassword(): string {
  const characters = [...randomBytes(CHARACTERS)].map((byte) => ALPHABET[byte % ALPHABET.length]);
  return characters.join("").replace(/.{5}(?=.)/g, "$&-");
}

/**
 * The password as it was drawn, however somebody typed it from a screen: without hyphens and spaces, in any case, o for 0, i and l for
 * 1. Undefined if it cannot be a device password.
 */
export function normalDevicePassword(given: Uint8Array): string | undefined {
  if (given.length > MAX_TYPED_BYTES) return undefined;
  const text = Buffer.from(given.buffer, given.byteOffset, given.byteLength)
    .toString("latin1")
    .toLowerCase()
    .replace(/[- ]/g, "")
    .replaceAll("o", "0")
    .replace(/[il]/g, "1");
  return FORM.test(text) ? text : undefined;
}

export function makeDevice(user: string, name: string, password: string, now: Date): Device {
  const salt = randomBytes(16);
  const normal = normalDevicePassword(Buffer.from(password)) ?? "";
  return {
    user,
    id: randomBytes(6).toString("hex"),
    hash: `{SSHA256}${Buffer.concat([digest(normal, salt), salt]).toString("base64")}`,
    created: `${now.toISOString().slice(0, 19).replace(/[-:]/g, "")}Z`,
    name,
  };
}

/** @param normal what normalDevicePassword() gave */
export function isPasswordOf({ hash }: Device, normal: string): boolean {
  const bytes = Buffer.from(hash.slice(SCHEME.length), "base64");
  return equalSecrets(bytes.subarray(0, DIGEST_BYTES), digest(normal, bytes.subarray(DIGEST_BYTES)));
}

/** What forbids this name for a device, or undefined. */
export function deviceNameFault(name: string): string | undefined {
  if (name.trim() !== name || name === "") return "the device's name is empty or has spaces around it";
  if (/\p{Cc}|\p{Surrogate}/u.test(name)) return "the device's name holds a control character";
  return Buffer.byteLength(name) > MAX_NAME_BYTES
    ? `the device's name is longer than ${MAX_NAME_BYTES} bytes`
    : undefined;
}

/** Undefined for a comment, a blank line, and a line that is no device's: that one opens nothing. */
export function parseDeviceLine({ bytes }: PasswdLine): Device | undefined {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
  const match = /^([^:#][^:]*):([0-9a-f]{12}):(\{SSHA256\}[A-Za-z0-9+/]{64}):([0-9]{8}T[0-9]{6}Z):(.+)$/.exec(
    text,
  );
  if (match === null) return undefined;
  const [, user = "", id = "", hash = "", created = "", name = ""] = match;
  return { user, id, hash, created, name };
}

export function formatDeviceLine({ user, id, hash, created, name }: Device): string {
  return [user, id, hash, created, name].join(":");
}

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
const CHARACTERS = 20;
const FORM = new RegExp(`^[${ALPHABET}]{${CHARACTERS}}$`);
/** A space or a hyphen after each character is as much as anybody types. */
const MAX_TYPED_BYTES = 2 * CHARACTERS;
const MAX_NAME_BYTES = 64;
const SCHEME = "{SSHA256}";
const DIGEST_BYTES = 32;

function digest(password: string, salt: Uint8Array): Buffer {
  return createHash("sha256").update(password).update(salt).digest();
}
