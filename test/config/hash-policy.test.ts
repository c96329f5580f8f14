import { describe, expect, it } from "vitest";
import {
  DEFAULT_HASH_POLICY,
  DEFAULT_VERIFICATION_MEMORY_KIB,
  WRITABLE_SCHEMES,
} from "../../src/accounts/passwords/hash-policy.ts";
import { hashPolicyOf } from "../../src/config/hash-policy.ts";
import { formatFault, parseConfig } from "../../src/config/load.ts";
import { PASSWORD_SCHEMES } from "../../src/config/schema/auth.ts";

function parse(text: string) {
  const result = parseConfig(text, "config.toml");
  return result.kind === "config" ? result.config : result.faults.map(formatFault);
}

describe("hashPolicyOf", () => {
  it("is by default what is used without a config", () => {
    const config = parse("");
    if (Array.isArray(config)) throw new Error(config.join());
    expect(hashPolicyOf(config)).toEqual(DEFAULT_HASH_POLICY);
    expect(config.auth.verification_memory).toBe(DEFAULT_VERIFICATION_MEMORY_KIB);
    expect(PASSWORD_SCHEMES).toEqual(WRITABLE_SCHEMES);
  });

  it("takes scheme and cost from the config", () => {
    const config = parse('[auth]\npassword_scheme = "bcrypt"\nargon2_memory = "64MiB"\nargon2_time = 3\n');
    if (Array.isArray(config)) throw new Error(config.join());
    expect(hashPolicyOf(config)).toEqual({
      scheme: "bcrypt",
      argon2: { memoryKib: 65_536, iterations: 3, parallelism: 1 },
    });
  });

  it.each([
    [
      'argon2_memory = "1GiB"',
      "config.toml:2: auth.argon2_memory: must not be more than auth.verification_memory, or nobody could log in",
    ],
    [
      'argon2_memory = "lots"',
      'config.toml:2: auth.argon2_memory: "lots" is no amount of memory, expected such as "19MiB", "1GiB" or "19456KiB"',
    ],
    [
      'argon2_memory = "4KiB"',
      'config.toml:2: auth.argon2_memory: "4KiB" is out of range, expected 8KiB to 64GiB',
    ],
  ])("refuses %s", (line, fault) => {
    expect(parse(`[auth]\n${line}\n`)).toEqual([fault]);
  });
});
