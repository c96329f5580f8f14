// The hash policy that the config asks for. Used by master for the auth process, and by pop3-passwd.
import type { Config } from "./schema.ts";

/** accounts/passwords/hash-policy.ts's HashPolicy, which this folder does not know by name: not every process that reads settings may. */
export function hashPolicyOf({ auth }: Config) {
  return {
    scheme: auth.password_scheme,
    argon2: {
      memoryKib: auth.argon2_memory,
      iterations: auth.argon2_time,
      parallelism: auth.argon2_parallelism,
    },
  };
}
