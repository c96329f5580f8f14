import { describe, expect, it } from "vitest";
import { type Account, parseAccountLine } from "../../../src/accounts/account.ts";
import { ScramAccounts, scramHashesOf } from "../../../src/accounts/passwords/scram-accounts.ts";
import { scramField } from "../../support/scram-client.ts";

function accountsOf(...lines: readonly string[]): ReadonlyMap<string, Account> {
  const accounts = new Map<string, Account>();
  for (const [index, line] of lines.entries()) {
    const parsed = parseAccountLine(line, index + 1);
    if (parsed.kind === "account") accounts.set(parsed.account.user, parsed.account);
  }
  return accounts;
}

const salt = (bytes: number): string => Buffer.alloc(bytes, 1).toString("base64");
const key = Buffer.alloc(32, 2).toString("base64");
const field = (iterations: number, saltBytes: number): string =>
  `{SCRAM-SHA-256}${iterations},${salt(saltBytes)},${key},${key}`;
const secret = Buffer.alloc(32, 7);

describe("ScramAccounts", () => {
  it("finds what an account has stored, behind a lock, too", () => {
    const accounts = accountsOf(`mrose:${field(5000, 12)}`, `locked:!${field(6000, 12)}`);
    const scram = new ScramAccounts(secret);
    expect(scram.find(accounts, "mrose", "SHA-256")).toEqual({
      iterations: 5000,
      salt: Buffer.alloc(12, 1),
      storedKey: Buffer.alloc(32, 2),
      serverKey: Buffer.alloc(32, 2),
    });
    expect(scram.find(accounts, "locked", "SHA-256").iterations).toBe(6000);
  });

  it("makes up what looks like most accounts' and stays the same, over a restart and a change of the file", () => {
    const accounts = accountsOf(
      `a:${field(5000, 12)}`,
      `b:${field(6000, 20)}`,
      `c:${field(6000, 20)}`,
      "d:{PLAIN}x",
    );
    const made = new ScramAccounts(secret).find(accounts, "nobody", "SHA-256");
    expect(made).toMatchObject({ iterations: 6000 });
    expect(made.salt).toHaveLength(20);
    expect(made.storedKey).toHaveLength(32);
    const later = accountsOf(`c:${field(6000, 20)}`);
    expect(new ScramAccounts(secret).find(later, "nobody", "SHA-256")).toEqual(made);
    expect(new ScramAccounts(secret).find(accounts, "d", "SHA-256").salt).not.toEqual(made.salt);
    expect(new ScramAccounts(Buffer.alloc(32, 8)).find(accounts, "nobody", "SHA-256").salt).not.toEqual(
      made.salt,
    );
    expect(new ScramAccounts(secret).find(accounts, "nobody", "SHA-1").storedKey).toHaveLength(20);
  });

  it("makes up what pop3-passwd writes while nobody has any", () => {
    const made = new ScramAccounts(secret).find(new Map(), "nobody", "SHA-256");
    expect(made.iterations).toBe(100_000);
    expect(made.salt).toHaveLength(16);
  });
});

describe("scramHashesOf", () => {
  it("tells which hashes anybody has, and how many have none", () => {
    const accounts = accountsOf(
      `a:${scramField("SHA-256", "x")}`,
      `b:${scramField("SHA-1", "x")}`,
      "c:{PLAIN}x",
    );
    expect([...scramHashesOf(accounts)]).toEqual([
      ["SHA-256", { missing: 2 }],
      ["SHA-1", { missing: 2 }],
    ]);
    expect(scramHashesOf(accountsOf("c:{PLAIN}x")).size).toBe(0);
    expect(scramHashesOf(new Map()).size).toBe(0);
  });
});
