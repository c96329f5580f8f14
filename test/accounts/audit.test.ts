import { describe, expect, it } from "vitest";
import { type Account, parseAccountLine } from "../../src/accounts/account.ts";
import { auditAccounts, rehashStep } from "../../src/accounts/audit.ts";
import {
  DEFAULT_HASH_POLICY,
  DEFAULT_VERIFICATION_MEMORY_KIB,
} from "../../src/accounts/passwords/hash-policy.ts";

const argon2 = (parameters: string, scheme = "{ARGON2ID}"): string =>
  `${scheme}$argon2id$v=19$${parameters}$vBb99oJ12p3WAdYlaMHz1A$jtFOtbo/sYV9OSlTxDo/nVNq3uArHd5GJSEx0ty85Cc`;

function accounts(...lines: string[]): Account[] {
  return lines.map((line, index) => {
    const parsed = parseAccountLine(line, index + 1);
    if (parsed.kind !== "account") throw new Error(JSON.stringify(parsed));
    return parsed.account;
  });
}

const options = { policy: DEFAULT_HASH_POLICY, maxMemoryKib: DEFAULT_VERIFICATION_MEMORY_KIB };

describe("auditAccounts", () => {
  const audit = auditAccounts(
    accounts(
      `good:${argon2("m=19456,t=2,p=1")}::::::password_changed=2026-01-01`,
      `copy:!${argon2("m=19456,t=2,p=1")}`,
      `below:${argon2("m=19456,t=1,p=1")}`,
      `big:${argon2("m=4194304,t=1,p=1", "")}`,
      "plain:{PLAIN}geheim::::::password_changed=2020-02-03",
      "md5:$1$GgvxyNz8$geheimgeheimgeheimgehe",
      "none",
      "nope:{NOPE}geheim",
      "crypt:$6$salt$geheim",
    ),
    { ...options, oldBefore: "2025-01-01" },
  );

  it("counts schemes and their costs", () => {
    expect(audit).toMatchObject({ accounts: 9, locked: 1, age: { known: 2, oldest: "2020-02-03" } });
    expect(audit.schemes).toEqual([
      { scheme: "ARGON2ID", cost: "m=19456,t=2,p=1", accounts: 2 },
      { scheme: "ARGON2ID", cost: "m=19456,t=1,p=1", accounts: 1 },
      { scheme: "ARGON2ID", cost: "m=4194304,t=1,p=1", accounts: 1 },
      { scheme: "PLAIN", cost: "", accounts: 1 },
      { scheme: "MD5-CRYPT", cost: "", accounts: 1 },
      { scheme: "SHA512-CRYPT", cost: "rounds=5000", accounts: 1 },
    ]);
  });

  it("names what is wrong or weak, by line and user, and shows no part of a hash", () => {
    expect(audit.findings.map(({ line, user, kind }) => `${line} ${user} ${kind}`)).toEqual([
      "3 below below-cost",
      "4 big unusable",
      "5 plain weak",
      "5 plain old",
      "6 md5 weak",
      "7 none no-password",
      "8 nope unusable",
      "9 crypt unusable",
      "2 copy shared-hash",
    ]);
    expect(JSON.stringify(audit)).not.toContain("geheim");
    expect(JSON.stringify(audit)).not.toContain("vBb99");
  });

  it("says what rehash would do", () => {
    expect(audit.rehash).toEqual({ now: ["plain"], atLogin: ["below", "md5"] });
  });
});

describe("rehashStep", () => {
  it.each([
    ["{PLAIN}x", "now"],
    ["!{PLAIN.b64}eA==", "now"],
    ["$1$GgvxyNz8$OjZhLh4P.gF1lxYEbLZ3e/", "at-login"],
    ["$1$GgvxyNz8$OjZhLh4P.gF1lxYEbLZ3e/::::::rehash", "marked"],
    ["$6$salt$hash", "none"],
    ["{NOPE}x", "none"],
    ["", "none"],
  ])("%s: %s", (line, step) => {
    expect(rehashStep(accounts(`mrose:${line}`)[0]!, DEFAULT_HASH_POLICY)).toBe(step);
  });

  it("takes strong hashes of other schemes too when asked for every one", () => {
    const [crypt, own] = accounts("a:$6$salt$hash", `b:${argon2("m=19456,t=2,p=1")}`);
    expect(rehashStep(crypt!, DEFAULT_HASH_POLICY, { every: true })).toBe("at-login");
    expect(rehashStep(own!, DEFAULT_HASH_POLICY, { every: true })).toBe("none");
  });
});
