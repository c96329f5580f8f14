// What the auth process lends the mechanisms, fixed for tests.
import { hashing } from "../../src/auth/hashing.ts";
import type { MechanismContext } from "../../src/sasl/mechanism.ts";

export function contextOf(given: Partial<MechanismContext> = {}): MechanismContext {
  return {
    makeNonce: () => "server-nonce",
    prepareName: (name) => name,
    hashing,
    channelBinding: undefined,
    certificateUser: undefined,
    ...given,
  };
}
