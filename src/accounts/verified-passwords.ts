// Passwords that were verified already, so that a client that polls every minute costs one argon2 and not one a minute.
// Held in the auth process's memory, as keyed hashes: what is stored gives no password away, and no dictionary fits it
// without the key. Dovecot has the same as auth_cache.
import { createHmac, createSecretKey, randomBytes } from "node:crypto";
import { BoundedMap } from "../host/bounded-map.ts";

/** Some 100 bytes each. */
const MAX_ENTRIES = 50_000;

export class VerifiedPasswords {
  readonly #key = createSecretKey(randomBytes(32));
  readonly #entries: BoundedMap<string, true>;

  constructor(maxEntries: number = MAX_ENTRIES) {
    this.#entries = new BoundedMap(maxEntries);
  }

  /** @param field the account's whole password field: with another hash stored, nothing remembered fits */
  has(user: string, field: string, password: Uint8Array): boolean {
    return this.#entries.has(this.#entryOf(user, field, password));
  }

  add(user: string, field: string, password: Uint8Array): void {
    this.#entries.set(this.#entryOf(user, field, password), true);
  }

  clear(): void {
    this.#entries.clear();
  }

  /** Neither a user name nor a password field holds a NUL, so the parts cannot run into each other. */
  #entryOf(user: string, field: string, password: Uint8Array): string {
    return createHmac("sha256", this.#key).update(`${user}\0${field}\0`).update(password).digest("base64");
  }
}
