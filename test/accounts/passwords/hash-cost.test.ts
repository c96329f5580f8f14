import { describe, expect, it } from "vitest";
import { costFault, hashCost } from "../../../src/accounts/passwords/hash-cost.ts";
import { readPasswordField } from "../../../src/accounts/passwords/password-field.ts";

const argon2 = (parameters: string): string =>
  `$argon2id$v=19$${parameters}$vBb99oJ12p3WAdYlaMHz1A$jtFOtbo/sYV9OSlTxDo/nVNq3uArHd5GJSEx0ty85Cc`;

function cost(text: string) {
  const field = readPasswordField(text);
  if (field.kind !== "scheme") throw new Error(JSON.stringify(field));
  return hashCost(field);
}

describe("hashCost", () => {
  it.each([
    [argon2("m=65536,t=3,p=1"), "m=65536,t=3,p=1", 65_536],
    // crypt(5): j9T is N=4096, r=32, yescrypt's default; jFT is its cost 11, 1 GiB.
    ["$y$j9T$salt$hash", "N=4096,r=32", 16_384],
    ["$y$jFT$salt$hash", "N=262144,r=32", 1_048_576],
    ["$gy$j9T$salt$hash", "N=4096,r=32", 16_384],
    ["$7$CU..../....salt$hash", "N=16384,r=32", 65_536],
    ["$6$salt$hash", "rounds=5000", 0],
    ["$5$rounds=9000$salt$hash", "rounds=9000", 0],
    ["$2b$12$abcdefghijklmnopqrstuu", "cost=12", 4],
    ["{PBKDF2}$1$salt$5000$50a83cafdc517b9f46519415e53c6a858908680a", "iterations=5000", 0],
    ["{SCRAM-SHA-256}4096,a,b,c", "iterations=4096", 0],
    ["{PLAIN}x", "", 0],
    ["//EsnG9FLTKjo", "", 0],
  ])("%s", (field, text, memoryKib) => {
    expect(cost(field)).toMatchObject({ text, memoryKib });
    expect(cost(field).excess).toBeUndefined();
  });
});

describe("costFault", () => {
  it("refuses what asks for more memory than there is", () => {
    expect(costFault(cost(argon2("m=4194304,t=1,p=1")), 524_288)).toBe(
      "the hash asks for 4096 MiB of memory, and auth.verification_memory is 512 MiB",
    );
    expect(costFault(cost("$y$jFT$salt$hash"), 524_288)).toContain("1024 MiB");
    expect(costFault(cost("$y$jFT$salt$hash"), 1_048_576)).toBeUndefined();
    // A number of more than one character (libxcrypt encodes what is above 47 so): N=2^55.
    expect(costFault(cost("$y$jq4T$salt$hash"), 524_288)).toBeDefined();
  });

  it.each([
    argon2("m=64,t=99999,p=1"),
    argon2("m=64000,t=1,p=255"),
    "$6$rounds=999999999$salt$hash",
    "$2b$31$abcdefghijklmnopqrstuu",
    "$sha1$4000000000$salt$hash",
  ])("refuses hours of a processor: %s", (field) => {
    expect(costFault(cost(field), 524_288)).toMatch(/^the hash asks for .*: hours for one login$/);
  });
});
