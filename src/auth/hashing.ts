// What SCRAM hashes with, by node:crypto. Runs in the auth process.
import { createHash, createHmac } from "node:crypto";
import type { MechanismContext } from "../sasl/mechanism.ts";

const NODE_NAMES = { "SHA-1": "sha1", "SHA-256": "sha256" } as const;

export const hashing: MechanismContext["hashing"] = {
  hash: (name, octets) => createHash(NODE_NAMES[name]).update(octets).digest(),
  hmac: (name, key, octets) => createHmac(NODE_NAMES[name], key).update(octets).digest(),
};
