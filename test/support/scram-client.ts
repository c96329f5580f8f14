// A SCRAM client (RFC 5802 §3), for tests of the server's side; and what a server stores for one.
import { createHash, createHmac, pbkdf2Sync, randomBytes } from "node:crypto";
import type { ScramHash, ScramVerifier } from "../../src/sasl/mechanism.ts";

export interface ScramClientOptions {
  readonly hash: ScramHash;
  readonly user: string;
  readonly password: string;
  readonly nonce?: string;
  /** "n,,", "y,,", "p=tls-exporter,,", "n,a=mrose,". */
  readonly gs2Header?: string;
  readonly channelBinding?: Uint8Array;
}

export class ScramClient {
  readonly first: string;
  readonly #options: Required<ScramClientOptions>;
  readonly #bare: string;
  #serverSignature: string | undefined;

  constructor(options: ScramClientOptions) {
    this.#options = {
      gs2Header: "n,,",
      channelBinding: new Uint8Array(0),
      nonce: randomBytes(18).toString("base64"),
      ...options,
    };
    const name = this.#options.user.replaceAll("=", "=3D").replaceAll(",", "=2C");
    this.#bare = `n=${name},r=${this.#options.nonce}`;
    this.first = this.#options.gs2Header + this.#bare;
  }

  final(serverFirst: string): string {
    const { hash, password, gs2Header, channelBinding, nonce } = this.#options;
    const [, serverNonce, salt, iterations] = /^r=([^,]+),s=([^,]+),i=([0-9]+)$/.exec(serverFirst) ?? [];
    if (serverNonce === undefined || !serverNonce.startsWith(nonce) || serverNonce === nonce) {
      throw new Error(`not the server's first message: ${serverFirst}`);
    }
    const binding = Buffer.concat([Buffer.from(gs2Header), channelBinding]).toString("base64");
    const withoutProof = `c=${binding},r=${serverNonce}`;
    const { clientKey, storedKey, serverKey } = keysOf(
      hash,
      password,
      Buffer.from(salt!, "base64"),
      Number(iterations),
    );
    const authMessage = `${this.#bare},${serverFirst},${withoutProof}`;
    const signature = hmac(hash, storedKey, authMessage);
    const proof = clientKey.map((octet, index) => octet ^ signature[index]!);
    this.#serverSignature = hmac(hash, serverKey, authMessage).toString("base64");
    return `${withoutProof},p=${Buffer.from(proof).toString("base64")}`;
  }

  /** Whether the server has proven that it knows the password, too. */
  trusts(serverFinal: string): boolean {
    return serverFinal === `v=${this.#serverSignature}`;
  }
}

export function verifierOf(
  hash: ScramHash,
  password: string,
  salt: Uint8Array = Buffer.from("0123456789abcdef"),
  iterations = 4096,
): ScramVerifier {
  const { storedKey, serverKey } = keysOf(hash, password, salt, iterations);
  return { iterations, salt, storedKey, serverKey };
}

/** As a password field of the passwd file. */
export function scramField(hash: ScramHash, password: string): string {
  const { iterations, salt, storedKey, serverKey } = verifierOf(hash, password);
  const [...texts] = [salt, storedKey, serverKey].map((octets) => Buffer.from(octets).toString("base64"));
  return `{SCRAM-${hash}}${[iterations, ...texts].join(",")}`;
}

const NODE_NAMES = { "SHA-1": "sha1", "SHA-256": "sha256" } as const;

function keysOf(hash: ScramHash, password: string, salt: Uint8Array, iterations: number) {
  const name = NODE_NAMES[hash];
  const salted = pbkdf2Sync(password, salt, iterations, hash === "SHA-1" ? 20 : 32, name);
  const clientKey = hmac(hash, salted, "Client Key");
  return {
    clientKey,
    storedKey: createHash(name).update(clientKey).digest(),
    serverKey: hmac(hash, salted, "Server Key"),
  };
}

function hmac(hash: ScramHash, key: Uint8Array, text: string): Buffer {
  return createHmac(NODE_NAMES[hash], key).update(text).digest();
}
