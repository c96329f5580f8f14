import { describe, expect, it, vi } from "vitest";
import { type Account, parseAccountLine } from "../../src/accounts/account.ts";
import type { Argon2Cost } from "../../src/accounts/passwords/hash-policy.ts";
import { hashPassword } from "../../src/accounts/passwords/password.ts";
import { readPasswordField, verificationCost } from "../../src/accounts/passwords/password-field.ts";
import { scramVerifierOf } from "../../src/accounts/passwords/scram-verifier.ts";
import { Verifier, type VerifierOptions } from "../../src/accounts/verifier.ts";
import { scramField } from "../support/scram-client.ts";

/** Password fields in the order in which they were verified. */
const verified: string[] = vi.hoisted(() => []);
/** How many verifications run at one time, and how many did at most. */
const atOnce = vi.hoisted(() => ({ running: 0, most: 0 }));
vi.mock("../../src/accounts/passwords/password.ts", async (importOriginal) => {
  const original = await importOriginal<typeof import("../../src/accounts/passwords/password.ts")>();
  const verifyPassword: typeof original.verifyPassword = async (field, ...rest) => {
    verified.push(field);
    atOnce.running += 1;
    atOnce.most = Math.max(atOnce.most, atOnce.running);
    try {
      return await original.verifyPassword(field, ...rest);
    } finally {
      atOnce.running -= 1;
    }
  };
  return { ...original, verifyPassword };
});

const cheap: Argon2Cost = { memoryKib: 64, iterations: 1, parallelism: 1 };

function fileOf(...lines: readonly string[]): VerifierOptions["passwdFile"] & { refreshes: number } {
  const accounts = new Map<string, Account>();
  for (const [index, line] of lines.entries()) {
    const parsed = parseAccountLine(line, index + 1);
    if (parsed.kind === "account") accounts.set(parsed.account.user, parsed.account);
  }
  const file = {
    state: "as it was",
    path: "/etc/dewey-pop3/passwd",
    isLoaded: true,
    refreshes: 0,
    refresh: async () => {
      file.refreshes += 1;
    },
    lookup: (user: string) => accounts.get(user),
    accounts,
  };
  return file;
}

const password = Buffer.from("secret");
const decoySecret = Buffer.alloc(32, 7);
const verifierOf = (...lines: readonly string[]) =>
  new Verifier({ passwdFile: fileOf(...lines), maxParallel: 2, argon2Cost: cheap, decoySecret });

describe("Verifier.authenticate", () => {
  it("lets the right password in and gives the account", async () => {
    const verifier = verifierOf(`mrose:${await hashPassword("secret", cheap)}:5000`);
    expect(await verifier.authenticate("mrose", password, "192.0.2.1")).toMatchObject({
      kind: "ok",
      account: { user: "mrose", uid: "5000" },
    });
  });

  it.each([
    ["joe", "mrose:{PLAIN}secret", "unknown-user"],
    ["MROSE", "mrose:{PLAIN}secret", "unknown-user"],
    ["", "mrose:{PLAIN}secret", "unknown-user"],
    ["__proto__", "mrose:{PLAIN}secret", "unknown-user"],
    ["mrose", "mrose:{PLAIN}Secret", "wrong-password"],
    ["mrose", "mrose", "no-password"],
    ["mrose", "mrose:!{PLAIN}secret", "locked"],
    ["mrose", "mrose:*", "locked"],
    ["mrose", "mrose:!{NOPE}secret", "locked"],
    ["mrose", "mrose:{PLAIN}secret::::::nologin", "not-allowed"],
    ["mrose", "mrose:{PLAIN}secret::::::allow_nets=198.51.100.0/24", "not-allowed"],
    // A wrong password is answered first: the restriction is no stranger's business.
    ["mrose", "mrose:{PLAIN}Secret::::::nologin", "wrong-password"],
  ])("refuses %j against %j: %s", async (user, line, reason) => {
    expect(await verifierOf(line).authenticate(user, password, "192.0.2.1")).toEqual({
      kind: "refused",
      reason,
    });
  });

  it("does not let an unknown user in with the password of the account that stands in for him", async () => {
    expect(await verifierOf("mrose:{PLAIN}secret").authenticate("joe", password, undefined)).toMatchObject({
      kind: "refused",
    });
  });

  it("names file and line of an entry that cannot be used, and no hash", async () => {
    const result = await verifierOf("joe:x", "mrose:{NOPE}geheim").authenticate("mrose", password, undefined);
    expect(result).toEqual({
      kind: "unusable",
      reason: "/etc/dewey-pop3/passwd:2: the scheme NOPE is not known",
      lineNumber: 2,
    });
  });

  it("gives no verdict while the file was never read, nor begins one that nobody waits for", async () => {
    const hash = await hashPassword("secret", cheap);
    const unread = new Verifier({
      decoySecret,
      passwdFile: { ...fileOf(), isLoaded: false },
      maxParallel: 1,
      argon2Cost: cheap,
    });
    expect(await unread.authenticate("mrose", password, undefined)).toEqual({ kind: "unavailable" });
    const verifier = verifierOf(`mrose:${hash}`);
    verified.length = 0;
    expect(await verifier.authenticate("mrose", password, undefined, () => false)).toEqual({
      kind: "unavailable",
    });
    expect(verified).toEqual([]);
  });

  it("looks at the file before every answer", async () => {
    const passwdFile = fileOf("mrose:{PLAIN}secret");
    const verifier = new Verifier({ passwdFile, maxParallel: 1, argon2Cost: cheap, decoySecret });
    for (const user of ["mrose", "mrose", "joe"]) {
      passwdFile.refreshes = 0;
      await verifier.authenticate(user, password, undefined);
      expect(passwdFile.refreshes).toBeGreaterThan(0);
    }
  });

  /** What it costs to answer a wrong password: the cost of each hash that is verified for it, in turn. */
  async function costsOf(verifier: Verifier, user: string): Promise<string[]> {
    verified.length = 0;
    await verifier.authenticate(user, Buffer.from("wrong"), "192.0.2.1");
    return verified.map((field) => {
      const read = readPasswordField(field.replace(/^!/, ""));
      return read.kind === "scheme" ? verificationCost(read) : read.kind;
    });
  }

  it("takes as long for an unknown user, a locked and an empty account as for a wrong password", async () => {
    const costly: Argon2Cost = { memoryKib: 16_384, iterations: 2, parallelism: 1 };
    const hash = await hashPassword("secret", costly);
    const lines = [`mrose:${hash}`, `locked:!${hash}`, "system:*", "empty", "plain:{PLAIN}secret"];
    // The commonest cost counts, not the configured one.
    const verifier = verifierOf(...lines, ...["a", "b", "c"].map((user) => `${user}:${hash}`));
    const wrongPassword = await costsOf(verifier, "mrose");
    expect(wrongPassword).toHaveLength(1);
    for (const user of ["nobody", "locked", "system", "empty"]) {
      expect(await costsOf(verifier, user), user).toEqual(wrongPassword);
    }
  });

  it("measures by the configured cost while the file is empty", async () => {
    const argon2Cost: Argon2Cost = { memoryKib: 16_384, iterations: 2, parallelism: 1 };
    const empty = new Verifier({ passwdFile: fileOf(), maxParallel: 1, argon2Cost, decoySecret });
    const one = new Verifier({
      passwdFile: fileOf(`mrose:${await hashPassword("secret", argon2Cost)}`),
      maxParallel: 1,
      argon2Cost,
      decoySecret,
    });
    expect(await costsOf(empty, "joe")).toEqual(await costsOf(one, "mrose"));
  });

  it("verifies a password once, until the file changes; a wrong one each time", async () => {
    const hash = await hashPassword("secret", cheap);
    let accounts = fileOf(`mrose:${hash}`, `nologin:${hash}::::::nologin`).accounts;
    const passwdFile = {
      state: undefined,
      path: "/etc/dewey-pop3/passwd",
      isLoaded: true,
      refresh: async () => {},
      lookup: (user: string) => accounts.get(user),
      get accounts() {
        return accounts;
      },
    };
    const verifier = new Verifier({ passwdFile, maxParallel: 1, argon2Cost: cheap, decoySecret });
    const kindOf = async (user: string, text: string): Promise<[string, number]> => {
      verified.length = 0;
      const { kind } = await verifier.authenticate(user, Buffer.from(text), "192.0.2.1");
      return [kind, verified.length];
    };
    expect(await kindOf("mrose", "secret")).toEqual(["ok", 1]);
    expect(await kindOf("mrose", "secret")).toEqual(["ok", 0]);
    expect(await kindOf("mrose", "Secret")).toEqual(["refused", 1]);
    expect(await kindOf("mrose", "Secret")).toEqual(["refused", 1]);
    // What is remembered is the password, not that somebody may log in.
    expect(await kindOf("nologin", "secret")).toEqual(["refused", 1]);
    expect(await kindOf("nologin", "secret")).toEqual(["refused", 0]);
    accounts = fileOf(`mrose:${hash}`).accounts;
    expect(await kindOf("mrose", "secret")).toEqual(["ok", 1]);
    accounts = fileOf(`mrose:${await hashPassword("changed", cheap)}`).accounts;
    expect(await kindOf("mrose", "secret")).toEqual(["refused", 1]);
    expect(await kindOf("nologin", "secret")).toEqual(["refused", 1]);
  });

  it("says what file an answer stands on, where nothing but the password was looked at", async () => {
    const hash = await hashPassword("secret", cheap);
    const device = { user: "mrose", id: "0", hash: "", created: "20261125T132500Z", name: "phone" };
    const verifier = new Verifier({
      passwdFile: fileOf(`mrose:${hash}`, `nologin:${hash}::::::nologin`),
      maxParallel: 1,
      argon2Cost: cheap,
      devices: {
        find: async (_, given) => (Buffer.from(given).toString() === "device" ? device : undefined),
        noteUse: () => {},
      },
      decoySecret,
    });
    const asOf = async (user: string, text: string): Promise<string | undefined> => {
      const answer = await verifier.authenticate(user, Buffer.from(text), "192.0.2.1");
      return answer.kind === "ok" ? (answer.asOf ?? "no file") : answer.kind;
    };
    // While it was verified the file may have become another.
    expect(await asOf("mrose", "secret")).toBe("no file");
    expect(await asOf("mrose", "secret")).toBe("as it was");
    expect(await asOf("mrose", "wrong")).toBe("refused");
    expect(await asOf("nologin", "secret")).toBe("refused");
    expect(await asOf("nologin", "secret")).toBe("refused");
    // It can be revoked in another file.
    expect(await asOf("mrose", "device")).toBe("no file");
    expect(await asOf("mrose", "device")).toBe("no file");
  });

  it("verifies no more passwords at once than it may", async () => {
    const verifier = verifierOf(`mrose:${await hashPassword("secret", cheap)}`);
    atOnce.most = 0;
    const results = await Promise.all(
      Array.from({ length: 10 }, (_, i) =>
        verifier.authenticate("mrose", Buffer.from(`wrong ${i}`), undefined),
      ),
    );
    expect(results.every(({ kind }) => kind === "refused")).toBe(true);
    expect(atOnce.most).toBe(2);
  });

  it("refuses an account whose hash asks for more memory than all verifications may hold", async () => {
    const field = (await hashPassword("secret", cheap)).replace("m=64,", "m=4194304,");
    const passwdFile = fileOf("# accounts", `mrose:${field}`);
    const verifier = new Verifier({ passwdFile, maxParallel: 2, argon2Cost: cheap, decoySecret });
    expect(await verifier.authenticate("mrose", password, undefined)).toEqual({
      kind: "unusable",
      reason:
        "/etc/dewey-pop3/passwd:2: the hash asks for 4096 MiB of memory, and auth.verification_memory is 512 MiB",
      lineNumber: 2,
    });
  });

  it("computes no more hashes at once than their memory allows", async () => {
    const cost: Argon2Cost = { memoryKib: 4096, iterations: 2, parallelism: 1 };
    const lines = await Promise.all(
      ["a", "b", "c", "d"].map(async (user) => `${user}:${await hashPassword("secret", cost)}`),
    );
    const authenticateAll = async (maxMemoryKib: number): Promise<number> => {
      const options = {
        passwdFile: fileOf(...lines),
        maxParallel: 4,
        maxMemoryKib,
        argon2Cost: cheap,
        decoySecret,
      };
      const verifier = new Verifier(options);
      atOnce.most = 0;
      const users = ["a", "b", "c", "d"];
      const all = await Promise.all(users.map((user) => verifier.authenticate(user, password, undefined)));
      expect(all.map(({ kind }) => kind)).toEqual(users.map(() => "ok"));
      return atOnce.most;
    };
    expect(await authenticateAll(65_536)).toBe(4);
    expect(await authenticateAll(10_000)).toBe(2);
    expect(await authenticateAll(4096)).toBe(1);
  });
});

describe("Verifier.authenticateByProof", () => {
  const stored = scramField("SHA-256", "secret");
  const verifier = verifierOf(
    `mrose:${stored}`,
    `locked:!${stored}`,
    `elsewhere:${stored}::::::allow_nets=198.51.100.0/24`,
    "plain:{PLAIN}secret",
  );
  const prove = async (user: string, isRight: boolean) => {
    const found = await verifier.findScramVerifier(user, "SHA-256");
    return verifier.authenticateByProof(user, { hash: "SHA-256", verifier: found!, isRight }, "192.0.2.1");
  };

  it("lets a right proof in", async () => {
    expect(await prove("mrose", true)).toMatchObject({ kind: "ok", account: { user: "mrose" } });
  });

  // Nobody can make a right proof by a made-up verifier; that it would open nothing is a second lock.
  it.each([
    ["mrose", false, "wrong-password"],
    ["nobody", true, "unknown-user"],
    ["locked", true, "locked"],
    ["elsewhere", true, "not-allowed"],
    ["plain", true, "no-verifier"],
  ])("refuses %s with a proof that is %s: %s", async (user, isRight, reason) => {
    expect(await prove(user, isRight)).toEqual({ kind: "refused", reason });
  });

  it("refuses a proof of the password that was changed meanwhile", async () => {
    const old = scramVerifierOf({ password: scramField("SHA-256", "old"), extra: new Map() }, "SHA-256")!;
    const proof = { hash: "SHA-256", verifier: old, isRight: true } as const;
    expect(await verifier.authenticateByProof("mrose", proof, undefined)).toEqual({
      kind: "refused",
      reason: "wrong-password",
    });
  });

  it("tells nothing while the file was never read", async () => {
    const passwdFile = { ...fileOf(), isLoaded: false };
    const unread = new Verifier({ passwdFile, maxParallel: 1, decoySecret });
    expect(await unread.findScramVerifier("mrose", "SHA-256")).toBeUndefined();
    expect((await unread.authenticateByCertificate("mrose", undefined)).kind).toBe("unavailable");
  });
});

describe("Verifier.authenticateByCertificate", () => {
  const verifier = verifierOf(
    "mrose:{PLAIN}secret",
    "keyless",
    "locked:!{PLAIN}secret",
    "off:{PLAIN}secret::::::nologin",
  );

  it.each(["mrose", "keyless"])("lets %s in", async (user) => {
    expect(await verifier.authenticateByCertificate(user, "192.0.2.1")).toMatchObject({ kind: "ok" });
  });

  it.each([
    ["nobody", "unknown-user"],
    ["locked", "locked"],
    ["off", "not-allowed"],
  ])("refuses %s: %s", async (user, reason) => {
    expect(await verifier.authenticateByCertificate(user, "192.0.2.1")).toEqual({ kind: "refused", reason });
  });
});

describe("Verifier.authenticate with a device's password", () => {
  const device = { user: "mrose", id: "aaaaaaaaaaaa", hash: "", created: "", name: "phone" };
  const used: string[] = [];
  const devices = {
    find: async (user: string, given: Uint8Array) =>
      user !== "nobody" && Buffer.from(given).toString() === "of the phone" ? device : undefined,
    noteUse: ({ id }: { readonly id: string }) => used.push(id),
  };
  const given = Buffer.from("of the phone");
  const authenticate = (line: string, address?: string) => {
    used.length = 0;
    verified.length = 0;
    const options = { passwdFile: fileOf(line), maxParallel: 2, argon2Cost: cheap, decoySecret, devices };
    return new Verifier(options).authenticate("mrose", given, address);
  };

  it("lets the device in without computing the account's own hash, and notes the use", async () => {
    expect(await authenticate("mrose:{PLAIN}x")).toMatchObject({ kind: "ok", device: "phone" });
    expect(used).toEqual([device.id]);
    expect(verified).toEqual([]);
  });

  it.each([
    ["mrose:!{PLAIN}x", "locked"],
    ["mrose:", "no-password"],
    ["mrose:{PLAIN}x::::::nologin", "not-allowed"],
    ["mrose:{PLAIN}x::::::allow_nets=192.0.2.0/24", "not-allowed"],
    ["joe:{PLAIN}x", "unknown-user"],
  ])("refuses it for %s: %s", async (line, reason) => {
    expect(await authenticate(line, "198.51.100.1")).toEqual({ kind: "refused", reason });
    expect(used).toEqual([]);
  });
});
