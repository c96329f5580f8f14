// Passwords that were verified already, so that a client that polls every minute costs one argon2 and not one a minute.
// Held in the auth process's memory, as keyed hashes: what is stored gives no password away, and no dictionary fits it
// without the key. Dovecot has the same as auth_cache.
import { createHmac, randomBytes } from "node:crypto";

/** Some 100 bytes each. */
const MAX_ENTRIES = 50_000;

export class VerifiedPasswords {
  readonly #key = randomBytes(32);
  readonly #maxEntries: number;
  /** In order of use, the least recently used first. */
  readonly #entries = new Set<string>();

  constructor(maxEntries: number = MAX_ENTRIES) {
    this.#maxEntries = maxEntries;
  }

  /** @param field the account's whole password field: with another hash stored, nothing remembered fits */
  has(user: string, field: string, password: Uint8Array): boolean {
    const entry = this.#entryOf(user, field, password);
    if (!this.#entries.delete(entry)) return false;
    this.#entries.add(entry);
    return true;
  }

  add(user: string, field: string, password: Uint8Array): void {
    this.#entries.add(this.#entryOf(user, field, password));
    if (this.#entries.size <= this.#maxEntries) return;
    for (const oldest of this.#entries) {
      this.#entries.delete(oldest);
      break;
    }
  }

  clear(): void {
    this.#entries.clear();
  }

  /** Neither a user name nor a password field holds a NUL, so the parts cannot run into each other. */
  #entryOf(user: string, field: string, password: Uint8Array): string {
    return createHmac("sha256", this.#key).update(`${user}\0${field}\0`).update(password).digest("base64");
  }
}
