import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Account, parseAccountLine } from "../../../src/accounts/account.ts";
import type { EditOutcome } from "../../../src/accounts/file/edit.ts";
import type { Log } from "../../../src/log/log.ts";
import { LoginRehasher } from "../../../src/processes/auth/login-rehasher.ts";
import { eventually } from "../../support/eventually.ts";

const secret = Buffer.from("secret");
let folder: string;
let logged: string[];
let replaced: { readonly user: string; readonly password: string }[];
/** The very octets that `replace` was given. */
let given: Uint8Array[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "dewey-rehash-"));
  writeFileSync(join(folder, "passwd"), "");
  [logged, replaced, given] = [[], [], []];
});
afterEach(() => rmSync(folder, { recursive: true }));

function accountOf(line: string): Account {
  const parsed = parseAccountLine(line, 1);
  if (parsed.kind !== "account") throw new Error(parsed.kind);
  return parsed.account;
}

const log = {
  info: (_: object, message: string) => logged.push(message),
  error: (_: object, message: string) => logged.push(message),
} as unknown as Log;

const rehasherOf = (outcome: EditOutcome, path = join(folder, "passwd")): LoginRehasher =>
  new LoginRehasher({
    path,
    log,
    reasonFor: ({ password }) =>
      password.startsWith("{PLAIN}") ? "PLAIN is the password itself" : undefined,
    replace: async ({ user }, password) => {
      replaced.push({ user, password: Buffer.from(password).toString() });
      given.push(password);
      return outcome;
    },
  });

describe("LoginRehasher", () => {
  it("replaces a weak hash once, with a copy of the password that it overwrites", async () => {
    const rehasher = rehasherOf({ kind: "written" });
    const mine = Uint8Array.from(secret);
    rehasher.consider(accountOf("mrose:{PLAIN}secret"), mine);
    // As the auth server does when the reply is out.
    mine.fill(0);
    rehasher.consider(accountOf("mrose:{PLAIN}secret"), secret);
    rehasher.consider(accountOf("jpostel:{PLAIN}secret"), secret);
    await eventually("both", () => logged.length === 2);
    expect(replaced).toEqual([
      { user: "mrose", password: "secret" },
      { user: "jpostel", password: "secret" },
    ]);
    expect(logged).toEqual(Array(2).fill("weak hash replaced after login"));
    await eventually("nothing left of them", () =>
      given.every((octets) => octets.every((octet) => octet === 0)),
    );
  });

  it("leaves a good hash alone", async () => {
    const rehasher = rehasherOf({ kind: "written" });
    rehasher.consider(accountOf("good:{ARGON2ID}x"), secret);
    rehasher.consider(accountOf("mrose:{PLAIN}secret"), secret);
    await eventually("the weak one", () => replaced.length === 1);
    expect(replaced[0]?.user).toBe("mrose");
  });

  it("tries no other account once the file did not take a change", async () => {
    const rehasher = rehasherOf({ kind: "failed", reason: "no space left on device" });
    rehasher.consider(accountOf("mrose:{PLAIN}secret"), secret);
    rehasher.consider(accountOf("jpostel:{PLAIN}secret"), secret);
    await eventually("the first", () => logged.length === 1);
    rehasher.consider(accountOf("third:{PLAIN}secret"), secret);
    await new Promise((resolve) => setImmediate(resolve));
    expect(replaced).toHaveLength(1);
    expect(logged).toEqual(["hash not replaced"]);
  });

  it("says once what rights it lacks, and computes nothing", async () => {
    const rehasher = rehasherOf({ kind: "written" }, join(folder, "no-such-file"));
    rehasher.consider(accountOf("mrose:{PLAIN}secret"), secret);
    rehasher.consider(accountOf("jpostel:{PLAIN}secret"), secret);
    await eventually("the complaint", () => logged.length === 1);
    expect(logged[0]).toMatch(/^auth.rehash_on_login has no effect: /);
    expect(replaced).toEqual([]);
  });
});
