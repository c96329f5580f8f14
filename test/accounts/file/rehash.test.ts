import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Account, parseAccountLine } from "../../../src/accounts/account.ts";
import { rehashReason, replaceHash } from "../../../src/accounts/file/rehash.ts";
import { DEFAULT_HASH_POLICY, type HashPolicy } from "../../../src/accounts/passwords/hash-policy.ts";
import { hashPassword, verifyPassword } from "../../../src/accounts/passwords/password.ts";
import { scramVerifierOf } from "../../../src/accounts/passwords/scram-verifier.ts";

const policy: HashPolicy = { scheme: "argon2id", argon2: { memoryKib: 64, iterations: 1, parallelism: 1 } };

function account(line: string): Account {
  const parsed = parseAccountLine(line, 1);
  if (parsed.kind !== "account") throw new Error(JSON.stringify(parsed));
  return parsed.account;
}

describe("rehashReason", () => {
  it.each([
    ["{PLAIN}x", "PLAIN is the password itself"],
    ["{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M=", "SHA is too fast"],
    ["//EsnG9FLTKjo", "DES-CRYPT is too fast"],
    ["$1$GgvxyNz8$OjZhLh4P.gF1lxYEbLZ3e/", "MD5-CRYPT is too fast"],
    ["$6$rounds=1000$salt$hash", "SHA512-CRYPT with rounds=1000 is too fast"],
    [
      "{BLF-CRYPT}$2y$05$11ipvo5dR6CwkzwmhwM26OXgzXwhV2PyPuLV.Qi31ILcRcThQpEiW",
      "BCRYPT with cost=5 is too fast",
    ],
  ])("is there for a weak hash: %s", (password, reason) => {
    expect(rehashReason(account(`mrose:${password}`), DEFAULT_HASH_POLICY)).toBe(reason);
  });

  it("is there for a hash below the configured cost, and for a marked one", async () => {
    const cost = { memoryKib: 19_456, iterations: 2, parallelism: 1 };
    const line = account(`mrose:${await hashPassword("x", cost)}`);
    expect(rehashReason(line, DEFAULT_HASH_POLICY)).toBeUndefined();
    const dearer: HashPolicy = { ...DEFAULT_HASH_POLICY, argon2: { ...cost, memoryKib: 65_536 } };
    expect(rehashReason(line, dearer)).toBe("ARGON2ID with m=19456,t=2,p=1 is below the configured cost");
    expect(rehashReason(account("mrose:$6$salt$hash::::::rehash"), DEFAULT_HASH_POLICY)).toBe(
      "marked for it",
    );
  });

  it.each(["$6$salt$hash", "$y$j9T$salt$hash", "!{PLAIN}x", "", "{NOPE}x"])(
    "leaves alone what is strong, locked or nobody's: %j",
    (password) => {
      expect(rehashReason(account(`mrose:${password}`), DEFAULT_HASH_POLICY)).toBeUndefined();
    },
  );
});

describe("replaceHash", () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "rehash-"));
    path = join(folder, "passwd");
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const stored = (): Account => account(readFileSync(path, "utf8").split("\n")[1]!);

  it("stores the same password by the policy, and takes the mark away", async () => {
    writeFileSync(
      path,
      "# kept\nmrose:{PLAIN}secret:1:2::/home/m::nodelay rehash password_changed=2020-01-01\n",
    );
    const before = account(readFileSync(path, "utf8").split("\n")[1]!);
    expect(await replaceHash(path, before, Buffer.from("secret"), policy)).toEqual({ kind: "written" });
    expect(readFileSync(path, "utf8")).toMatch(
      /^# kept\nmrose:\{ARGON2ID\}\$argon2id\$v=19\$m=64,t=1,p=1\$[^:]+:1:2::\/home\/m::nodelay password_changed=2020-01-01\n$/,
    );
    expect(await verifyPassword(stored().password, "secret")).toBe("match");
  });

  it("leaves SCRAM to whom it served", async () => {
    const scram =
      "4096,LfNGSFqiFykEZ1xDAYlnKQ==,HACNf9CII7cMz3XjRy/Oh3Ae2LHApoDyNw74d3YtFws=,AQH0j7Hf8J12g8eNBadvzlNB2am3PxgNwFCFd3RxEaw=";
    writeFileSync(path, `#\nmrose:{SCRAM-SHA-256}${scram}::::::rehash\n`);
    expect(await replaceHash(path, stored(), Buffer.from("test"), policy)).toEqual({ kind: "written" });
    expect(stored().password).toMatch(/^\{ARGON2ID\}/);
    expect(scramVerifierOf(stored(), "SHA-256")?.iterations).toBe(100_000);
  });

  it("changes nothing when the account was changed meanwhile", async () => {
    writeFileSync(path, "#\nmrose:{PLAIN}new\n");
    const before = account("mrose:{PLAIN}old");
    expect(await replaceHash(path, before, Buffer.from("old"), policy)).toEqual({ kind: "kept" });
    expect(await replaceHash(path, account("joe:{PLAIN}old"), Buffer.from("old"), policy)).toEqual({
      kind: "kept",
    });
    expect(readFileSync(path, "utf8")).toBe("#\nmrose:{PLAIN}new\n");
  });
});
