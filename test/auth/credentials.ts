import type { VerifyRequest } from "../../src/auth/server-options.ts";

/** @throws Error when the request does not come with one */
export function passwordOf({ credentials }: VerifyRequest): Uint8Array {
  if (credentials.kind !== "password") throw new Error(`a ${credentials.kind} instead of a password`);
  return credentials.password;
}
