// Finds what SCRAM measures a client by, for users who have a verifier and, made up, for those who have none: to whom an
// account belongs, and whether there is one, shows only at the end. Used by verifier.ts, in the auth process.
import { createHmac } from "node:crypto";
import type { ScramHash, ScramVerifier } from "../../sasl/mechanism.ts";
import type { Account } from "../account.ts";
import { SCRAM_HASHES, scramVerifierOf } from "./scram-verifier.ts";

type Accounts = ReadonlyMap<string, Account>;

export class ScramAccounts {
  readonly #secret: Uint8Array;
  #usual: { readonly accounts: Accounts; readonly shapes: ReadonlyMap<ScramHash, Shape> } | undefined;

  /** @param secret the same over restarts, or the salts made up would change and tell who does not exist */
  constructor(secret: Uint8Array) {
    this.#secret = secret;
  }

  /** No password fits a verifier that is made up. */
  find(accounts: Accounts, user: string, hash: ScramHash): ScramVerifier {
    const account = accounts.get(user);
    return (account && scramVerifierOf(account, hash)) ?? this.#makeUp(accounts, user, hash);
  }

  #makeUp(accounts: Accounts, user: string, hash: ScramHash): ScramVerifier {
    const { iterations, saltBytes } = this.#usualShape(accounts, hash);
    const made = (what: string, bytes: number): Uint8Array =>
      createHmac("sha512", this.#secret).update(`${hash}\0${what}\0${user}`).digest().subarray(0, bytes);
    const keyBytes = hash === "SHA-1" ? 20 : 32;
    return {
      iterations,
      salt: made("salt", saltBytes),
      storedKey: made("StoredKey", keyBytes),
      serverKey: made("ServerKey", keyBytes),
    };
  }

  /** What most accounts have: made up like nobody's, a verifier would tell. */
  #usualShape(accounts: Accounts, hash: ScramHash): Shape {
    if (this.#usual?.accounts !== accounts) {
      this.#usual = {
        accounts,
        shapes: new Map(SCRAM_HASHES.map((each) => [each, usualShape(accounts, each)])),
      };
    }
    return this.#usual.shapes.get(hash) ?? DEFAULT_SHAPE;
  }
}

/** The hashes for which any account has a verifier, and how many accounts have none for it. */
export function scramHashesOf(accounts: Accounts): ReadonlyMap<ScramHash, { readonly missing: number }> {
  const found = new Map<ScramHash, { missing: number }>();
  for (const hash of SCRAM_HASHES) {
    let missing = 0;
    for (const account of accounts.values()) if (scramVerifierOf(account, hash) === undefined) missing++;
    if (missing < accounts.size) found.set(hash, { missing });
  }
  return found;
}

interface Shape {
  readonly iterations: number;
  readonly saltBytes: number;
}

/** What pop3-passwd writes. */
const DEFAULT_SHAPE: Shape = { iterations: 100_000, saltBytes: 16 };

/** As many as SHA-512 gives. */
const MAX_SALT_BYTES = 64;

function usualShape(accounts: Accounts, hash: ScramHash): Shape {
  const counts = new Map<string, { count: number; readonly shape: Shape }>();
  for (const account of accounts.values()) {
    const verifier = scramVerifierOf(account, hash);
    if (verifier === undefined) continue;
    const shape = {
      iterations: verifier.iterations,
      saltBytes: Math.min(verifier.salt.length, MAX_SALT_BYTES),
    };
    const key = `${shape.iterations} ${shape.saltBytes}`;
    const entry = counts.get(key) ?? { count: 0, shape };
    entry.count++;
    counts.set(key, entry);
  }
  let usual: { readonly count: number; readonly shape: Shape } = { count: 0, shape: DEFAULT_SHAPE };
  for (const entry of counts.values()) if (entry.count > usual.count) usual = entry;
  return usual.shape;
}
