import { describe, expect, it } from "vitest";
import { hashFault } from "../../../src/accounts/passwords/hash-fault.ts";
import { crypt, makeSetting } from "../../../src/accounts/passwords/libcrypt.ts";
import { CRYPT_METHODS } from "../../../src/accounts/passwords/password.ts";
import { readPasswordField } from "../../../src/accounts/passwords/password-field.ts";

function faultOf(text: string): string | undefined {
  const field = readPasswordField(text);
  if (field.kind !== "scheme") throw new Error(`${text} is ${field.kind}`);
  return hashFault(field, 1024 * 1024);
}

const hasCrypt = makeSetting("$6$", 1000).kind === "hash";

describe("hashFault", () => {
  const settings = [...Object.values(CRYPT_METHODS).map(({ prefix }) => prefix), ...["$1$", "$gy$", "$7$"]];
  it.skipIf(!hasCrypt).each(settings)(
    "takes what crypt(3) writes for %s, and nothing shorter or longer",
    async (prefix) => {
      const setting = makeSetting(
        prefix,
        prefix === "$5$" || prefix === "$6$" ? 1000 : prefix === "$2b$" ? 4 : 0,
      );
      // Not every host's crypt(3) writes all of them.
      if (setting.kind !== "hash") return;
      const made = await crypt(Buffer.from("secret"), setting.hash);
      if (made.kind !== "hash") throw new Error(made.reason);
      expect(faultOf(made.hash)).toBeUndefined();
      expect(faultOf(made.hash.slice(0, -1))).toMatch(/^the hash is not whole: /);
      expect(faultOf(`${made.hash}x`)).toMatch(/^the hash is not whole: /);
    },
  );

  it("counts what is there, and repeats none of it", () => {
    expect(faultOf("{CRYPT}$6$rounds=1000$salt$geheim")).toBe(
      'the hash is not whole: SHA512-CRYPT has 86 characters behind the last "$", here are 6',
    );
    expect(faultOf("$6$geheim")).toMatch(/here are 6$/);
  });

  it("leaves alone what has no length of its own", () => {
    expect(faultOf("//EsnG9FLTKjo")).toBeUndefined();
    expect(faultOf("{PLAIN}x")).toBeUndefined();
  });

  it("says what asks for too much", () => {
    expect(faultOf("$2b$31$11ipvo5dR6CwkzwmhwM26OXgzXwhV2PyPuLV.Qi31ILcRcThQpEiW")).toMatch(/cost=31/);
  });
});
