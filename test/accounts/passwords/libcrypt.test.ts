import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { crypt, makeSetting } from "../../../src/accounts/passwords/libcrypt.ts";

// A host with another libc may have none; then every call must say so.
const hasCrypt = makeSetting("$6$", 1000).kind === "hash";
const NO_CRYPT = { kind: "unsupported", reason: "this host has no libcrypt with crypt_rn(3)" };

describe("crypt", () => {
  it("keeps its strings alive while the other thread reads them, whatever the garbage collector does", async () => {
    setFlagsFromString("--expose-gc");
    const collectGarbage = runInNewContext("gc") as () => void;
    const hash = "$2y$04$11ipvo5dR6CwkzwmhwM26OBCv3ow6XQxAvHUSWR/1KLMbqGlTGPGO";
    const first = await crypt(Buffer.from("test"), hash);
    for (let round = 0; round < 30; round += 1) {
      const calls = Array.from({ length: 8 }, () => crypt(Buffer.from("test"), hash));
      // Whatever was freed is written over at once.
      for (let filler = 0; filler < 500; filler += 1) Buffer.alloc(61, filler);
      collectGarbage();
      for (const result of await Promise.all(calls)) expect(result).toEqual(first);
    }
    expect(first).toEqual(
      hasCrypt ? { kind: "hash", hash: expect.stringMatching(/^\$2y\$04\$.{53}$/) } : NO_CRYPT,
    );
  });

  it("computes several at once without mixing them up", async () => {
    const passwords = Array.from({ length: 12 }, (_, number) => Buffer.from(`password ${number}`));
    const settings = passwords.map(() => makeSetting("$6$", 1000));
    const hashAll = () =>
      Promise.all(
        passwords.map((password, index) => {
          const setting = settings[index]!;
          return setting.kind === "hash" ? crypt(password, setting.hash) : setting;
        }),
      );
    const together = await hashAll();
    expect(await hashAll()).toEqual(together);
    expect(new Set(together.map((result) => JSON.stringify(result))).size).toBe(hasCrypt ? 12 : 1);
  });

  it.each(["", "x", "*0", "$", "$zz$salt$", "$2b$99$", "!"])("does not know %j", async (setting) => {
    expect(await crypt(Buffer.from("test"), setting)).toMatchObject({ kind: "unsupported" });
  });
});

describe("makeSetting", () => {
  it("draws a new salt each time", () => {
    const settings = [1, 2, 3].map(() => makeSetting("$y$", 5));
    expect(new Set(settings.map((setting) => JSON.stringify(setting))).size).toBe(hasCrypt ? 3 : 1);
  });

  it("refuses a method that the host does not know", () => {
    expect(makeSetting("$zz$", 1)).toMatchObject({ kind: "unsupported" });
  });
});
