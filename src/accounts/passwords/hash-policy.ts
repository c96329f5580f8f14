// How passwords are hashed here: auth.password_scheme and auth.argon2_* of the config. Pure; read by pop3-passwd and by the auth
// process, where it also says which stored hashes are worth replacing.

/** What pop3-passwd --scheme can write. */
export const WRITABLE_SCHEMES = [
  "argon2id",
  "yescrypt",
  "sha512-crypt",
  "sha256-crypt",
  "bcrypt",
  "scram-sha-256",
  "scram-sha-1",
] as const;
export type WritableScheme = (typeof WRITABLE_SCHEMES)[number];

export interface Argon2Cost {
  readonly memoryKib: number;
  readonly iterations: number;
  readonly parallelism: number;
}

export interface HashPolicy {
  readonly scheme: WritableScheme;
  readonly argon2: Argon2Cost;
}

/**
 * OWASP's recommended minimum for argon2id (19 MiB, 2 iterations, 1 lane). Not more by default: a POP3 client logs in anew at every
 * poll, and after a restart all of them do at once; RFC 9106's 64 MiB with 3 iterations costs five times the processor time.
 */
export const DEFAULT_ARGON2_COST: Argon2Cost = { memoryKib: 19_456, iterations: 2, parallelism: 1 };

export const DEFAULT_HASH_POLICY: HashPolicy = { scheme: "argon2id", argon2: DEFAULT_ARGON2_COST };

/** What all verifications under way may hold together: auth.verification_memory's default. */
export const DEFAULT_VERIFICATION_MEMORY_KIB = 524_288;
