import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Argon2Cost } from "../../../src/accounts/passwords/hash-policy.ts";
import { makeSetting } from "../../../src/accounts/passwords/libcrypt.ts";
import { scramKeys } from "../../../src/accounts/passwords/make-scram.ts";
import {
  decoyField,
  hashPassword,
  hashPasswordAs,
  verifyPassword,
} from "../../../src/accounts/passwords/password.ts";
import { formatScramVerifier } from "../../../src/accounts/passwords/scram-verifier.ts";

const cheap: Argon2Cost = { memoryKib: 64, iterations: 1, parallelism: 1 };

// A host with another libc may have none; then the same fields must be named unsupported.
const hasCrypt = makeSetting("$6$", 1000).kind === "hash";
const NO_CRYPT = { kind: "unsupported", reason: "this host has no libcrypt with crypt_rn(3)" };

// Dovecot src/auth/test-libpassword.c, and what doveadm pw wrote; the password is "test".
const FIELDS = [
  "{SSHA}H/zrDv8FXUu1JmwvVYijfrYEF34jVZcO",
  "{SSHA.b64}CeACytJqWbJoYlM/1Sj2B7WEX+/Pg1oD",
  "{SSHA.HEX}326f9836676a2aeeecc76ebea708358fd48795949982cf14",
  "{SSHA512}tY8valQfjhkTqCpo1FwbZkX9jy2qfj81Hxr7rBaxXJ+/zeaXufUWMq/q+wratihPfADFKzrtc0WS61k03c9d43ZTaXg=",
  "{SMD5}DJ14a/IpVEAPhJqcMOVr+CMKKYE=",
  "{PBKDF2}$1$bUnT4Pl7yFtYX0KU$5000$50a83cafdc517b9f46519415e53c6a858908680a",
  "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$vBb99oJ12p3WAdYlaMHz1A$jtFOtbo/sYV9OSlTxDo/nVNq3uArHd5GJSEx0ty85Cc",
  "{ARGON2I}$argon2i$v=19$m=32768,t=4,p=1$f2iuP4aUeNMrgu34fhOkkg$1XSZZMWlIs0zmE+snlUIcLADO3GXbA2O/hsQmmc317k",
  "$argon2i$v=19$m=32768,p=1,t=4$f2iuP4aUeNMrgu34fhOkkg$1XSZZMWlIs0zmE+snlUIcLADO3GXbA2O/hsQmmc317k",
  "{SCRAM-SHA-1}4096,GetyLXdBuHzf1FWf8SLz2Q==,NA/OqmF4hhrsrB9KR7po+dliTGM=,QBiURvQaE6H6qYTmeghDHLANBFQ=",
  "{SCRAM-SHA-256}4096,LfNGSFqiFykEZ1xDAYlnKQ==,HACNf9CII7cMz3XjRy/Oh3Ae2LHApoDyNw74d3YtFws=,AQH0j7Hf8J12g8eNBadvzlNB2am3PxgNwFCFd3RxEaw=",
  "{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M=",
  "{SHA1}a94a8fe5ccb19ba61c4c0873d391e987982fbbd3",
  "{SHA256}n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=",
  "{SHA512}7iaw3Ur350mqGo7jwQrpkj9hiYB3Lkc/iBml1JQODbJ6wYX4oOHV+E+IvIh/1nsUNzLDBMxfqa2Ob1f1ACio/w==",
  "{PLAIN-MD5}098f6bcd4621d373cade4e832627b4f6",
  "098f6bcd4621d373cade4e832627b4f6[34]",
  "{LDAP-MD5}CY9rzUYh03PK3k6DJie09g==",
  "{PLAIN-MD4}db346d691d7acc4dc2625db19f9e3f52",
  "{DIGEST-MD5}4d80eebcc79a29d214c13b2cfb37084f",
  "{CRAM-MD5}e02d374fde0dc75a17a557039a3a5338c7743304777dccd376f332bee68d2cf6",
  "{HMAC-MD5}e02d374fde0dc75a17a557039a3a5338c7743304777dccd376f332bee68d2cf6",
  "{PLAIN}test",
  "{PLAIN.b64}dGVzdA==",
  "{PLAIN-TRUNC}8-test",
];

const CRYPT_FIELDS = [
  "{BLF-CRYPT}$2y$05$11ipvo5dR6CwkzwmhwM26OXgzXwhV2PyPuLV.Qi31ILcRcThQpEiW",
  "{CRYPT}//EsnG9FLTKjo",
  "//EsnG9FLTKjo",
  "//EsnG9FLTKjo[13]",
  "{MD5-CRYPT}$1$GgvxyNz8$OjZhLh4P.gF1lxYEbLZ3e/",
  "$1$GgvxyNz8$OjZhLh4P.gF1lxYEbLZ3e/",
  "{SHA256-CRYPT}$5$rounds=1000$Ryb.KvZ9dqB5CJtR$CvusNi9i9Wz.QJuUORMI2VVBe095Y8x6XJ2nZjg0PiA",
  "$6$rounds=1000$8Z4R6FtxcLwJoSCu$tNfVV1pvxzvuC4kd7.y.I4ZdAbXpWD4Wa4o2JyvT9TA/Pn/yFfwMWc.rCZVUa8YDrzYsZA3KYnkf3ZHp.lBeV/",
  // What else libxcrypt has, computed by perl's crypt().
  "$gy$j9T$abcdefghijklmnop$CwMdZeQ0pR5IxYM6ZVmnA4p81e1cB6Vm09JBNPyq9b5",
  "$7$CU..../....abcdefgh$QoGc8orTFLWfnVR53sl429LSCetd3m9DhEv64ri9OG7",
  "$sha1$40000$jtNX3nZ2$mZ6E/JqwLQ94/ohLrFtKoLi3.pK7",
  "$md5,rounds=904$iPPKEBnE$$nch.fkDxwOyBycygSdLlk0",
  "_J9..rasm3kk6ykRwAfc",
  "{CRYPT.B64}JDJ5JDA1JE0vS2Q3bVMyWEMwUk9XZlZldnZaNS4zbFI4cnh2SzhBRm02Q0JObkNXR0RPd29YZnZiN2Eu",
];

const USER = "mrose@dbc.example";

describe("verifyPassword", () => {
  it.each(FIELDS)("%s", async (field) => {
    expect(await verifyPassword(field, "test", USER)).toBe("match");
    expect(await verifyPassword(field, "Test", USER)).toBe("mismatch");
    expect(await verifyPassword(field, "test ", USER)).toBe("mismatch");
    expect(await verifyPassword(field, "", USER)).toBe("mismatch");
  });

  it.each(CRYPT_FIELDS)("%s by the host's crypt(3)", async (field) => {
    expect(await verifyPassword(field, "test", USER)).toEqual(hasCrypt ? "match" : NO_CRYPT);
    expect(await verifyPassword(field, "Test", USER)).toEqual(hasCrypt ? "mismatch" : NO_CRYPT);
    expect(await verifyPassword(field, "", USER)).toBe("mismatch");
    // A C string ends at its first NUL; this password must not.
    expect(await verifyPassword(field, "test\0x", USER)).toBe("mismatch");
    expect(await verifyPassword(field, "test".padEnd(600, "x"), USER)).toBe("mismatch");
  });

  it("takes DIGEST-MD5 for its user alone", async () => {
    const field = "{DIGEST-MD5}4d80eebcc79a29d214c13b2cfb37084f";
    expect(await verifyPassword(field, "test", "other@dbc.example")).toBe("mismatch");
  });

  it("takes a long CRAM-MD5 password", async () => {
    const field = "{CRAM-MD5}8103bb3a2a4b96a9ca9cce4efecc8d22ebe7163dff7401afb5aa16d4edcf9f1f";
    expect(await verifyPassword(field, "x".repeat(70))).toBe("match");
  });

  it("compares a PLAIN-TRUNC password only as far as it was kept", async () => {
    expect(await verifyPassword("{PLAIN-TRUNC}4-test", "testing")).toBe("match");
    expect(await verifyPassword("{PLAIN-TRUNC}4-test", "tes")).toBe("mismatch");
    expect(await verifyPassword("{PLAIN-TRUNC}8-test", "testing")).toBe("mismatch");
    expect(await verifyPassword("{PLAIN-TRUNC}0-", "anything")).toMatchObject({ kind: "unsupported" });
  });

  it("takes a password for SCRAM as it is, as Dovecot stored it, or prepared by SASLprep, as we did", async () => {
    const byUs = await hashPasswordAs("scram-sha-256", "I\u00adX", cheap);
    if (byUs.kind !== "hashed") throw new Error(byUs.reason);
    for (const form of ["I\u00adX", "IX", "\u2168"])
      expect(await verifyPassword(byUs.field, form)).toBe("match");
    expect(await verifyPassword(byUs.field, "ix")).toBe("mismatch");
    const { storedKey, serverKey } = await scramKeys(
      "SHA-256",
      Buffer.from("\u2168"),
      Buffer.alloc(16),
      4096,
    );
    const salt = Buffer.alloc(16);
    const byDovecot = `{SCRAM-SHA-256}${formatScramVerifier({ iterations: 4096, salt, storedKey, serverKey })}`;
    expect(await verifyPassword(byDovecot, "\u2168")).toBe("match");
    expect(await verifyPassword(byDovecot, "IX")).toBe("mismatch");
    expect(await hashPasswordAs("scram-sha-1", "\u0627\u0031")).toMatchObject({ kind: "refused" });
  });

  it("takes octets that are no UTF-8", async () => {
    const password = Buffer.from("p\xe4ss", "latin1");
    const field = await hashPassword(password, cheap);
    expect(await verifyPassword(field, password)).toBe("match");
    expect(await verifyPassword(field, "p\ufffdss")).toBe("mismatch");
  });

  it.each(["", "!", "*", "!{PLAIN}test", "*{PLAIN}test"])("lets nothing match %j", async (field) => {
    for (const password of ["", "test", field])
      expect(await verifyPassword(field, password)).toBe("mismatch");
  });

  it("lets no empty password match, even one that was hashed", async () => {
    expect(await verifyPassword("{SHA}2jmj7l5rSw0yVb/vlWAYkK/YBwk=", "")).toBe("mismatch");
    expect(await verifyPassword(await hashPassword("", cheap), "")).toBe("mismatch");
  });

  it.each([
    "{NOPE}geheim",
    "{ARGON2ID}$argon2id$geheim",
    "{ARGON2ID}$argon2id$v=19$m=64,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$geheim",
    "{ARGON2ID}$argon2id$v=19$m=64,t=1$AAAAAAAAAAAAAAAAAAAAAA$geheimgeheimgeheimgeheim",
    "{ARGON2ID}$argon2id$v=19$m=64,m=64,p=1$AAAAAAAAAAAAAAAAAAAAAA$geheimgeheimgeheimgeheim",
    "{ARGON2ID}$argon2id$v=19$m=4,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$geheimgeheimgeheimgeheim",
    "{ARGON2ID}$argon2id$v=19$m=64,t=0,p=1$AAAAAAAAAAAAAAAAAAAAAA$geheimgeheimgeheimgeheim",
    "{ARGON2ID}$argon2id$v=18$m=64,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$geheimgeheimgeheimgeheim",
    "{ARGON2ID}$argon2id$v=19$m=9999999,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$geheimgeheimgeheimgeheim",
    "{ARGON2ID}$argon2id$v=19$m=64,t=99999,p=1$AAAAAAAAAAAAAAAAAAAAAA$geheimgeheimgeheimgeheim",
    "{PBKDF2}$1$salt$0$geheim",
    "{PBKDF2}$1$salt$99999999$50a83cafdc517b9f46519415e53c6a858908680a",
    "{SCRAM-SHA-256}4095,LfNGSFqiFykEZ1xDAYlnKQ==,HACNf9CII7cMz3XjRy/Oh3Ae2LHApoDyNw74d3YtFws=,geheim",
    "{SCRAM-SHA-256}4096,geheim",
    "{SSHA}qUqP5cyxm6YcTAhz05Hph5gvu9M=",
    "x",
    "$zz$geheim",
    "$6$geheim",
  ])("names %j unsupported or lets nothing match it, without repeating it", async (field) => {
    const verification = await verifyPassword(field, "test");
    expect(verification).not.toBe("match");
    expect(verification).toMatchObject({ kind: "unsupported" });
    expect(JSON.stringify(verification)).not.toContain("geheim");
  });

  it("never throws, whatever stands in the field", async () => {
    const prefixes = [
      "",
      "$6$",
      "$y$",
      "_",
      "{CRYPT}",
      "{PBKDF2}$1$",
      "{SCRAM-SHA-1}",
      "$argon2id$",
      "{SSHA}",
      "{PLAIN-TRUNC}",
    ];
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...prefixes), fc.string({ maxLength: 40 }), async (prefix, rest) => {
        expect(await verifyPassword(prefix + rest, "no password is like this")).not.toBe("match");
      }),
      { numRuns: 200 },
    );
  });
});

describe("hashPassword", () => {
  it("writes argon2id with the parameters in libsodium's order and base64 without padding", async () => {
    const field = await hashPassword("secret", cheap);
    expect(field).toMatch(
      /^\{ARGON2ID\}\$argon2id\$v=19\$m=64,t=1,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/,
    );
    expect(await verifyPassword(field, "secret")).toBe("match");
    expect(await verifyPassword(field, "secre")).toBe("mismatch");
  });

  it("draws a new salt each time", async () => {
    expect(await hashPassword("secret", cheap)).not.toBe(await hashPassword("secret", cheap));
  });
});

describe("decoyField", () => {
  it("is a sound argon2id field of the cost asked for", async () => {
    const field = decoyField(cheap);
    expect(field).toContain("$argon2id$v=19$m=64,t=1,p=1$");
    expect(await verifyPassword(field, "secret")).toBe("mismatch");
  });
});

describe("hashPasswordAs", () => {
  it.each([
    ["argon2id", /^\{ARGON2ID\}\$argon2id\$/],
    ["scram-sha-1", /^\{SCRAM-SHA-1\}100000,[A-Za-z0-9+/]{22}==,[A-Za-z0-9+/]{27}=,[A-Za-z0-9+/]{27}=$/],
    ["scram-sha-256", /^\{SCRAM-SHA-256\}100000,[A-Za-z0-9+/]{22}==,[A-Za-z0-9+/]{43}=,[A-Za-z0-9+/]{43}=$/],
  ] as const)("%s", async (scheme, form) => {
    const hashed = await hashPasswordAs(scheme, "two words", cheap);
    if (hashed.kind !== "hashed") throw new Error(hashed.reason);
    expect(hashed.field).toMatch(form);
    expect(await verifyPassword(hashed.field, "two words")).toBe("match");
    expect(await verifyPassword(hashed.field, "two word")).toBe("mismatch");
  });

  it.each([
    ["yescrypt", /^\{CRYPT\}\$y\$j9T\$/],
    ["sha512-crypt", /^\{CRYPT\}\$6\$rounds=100000\$/],
    ["sha256-crypt", /^\{CRYPT\}\$5\$rounds=100000\$/],
    ["bcrypt", /^\{CRYPT\}\$2b\$11\$/],
  ] as const)("%s by the host's crypt(3)", async (scheme, form) => {
    const hashed = await hashPasswordAs(scheme, "two words", cheap);
    if (!hasCrypt) {
      expect(hashed).toEqual({ ...NO_CRYPT, kind: "refused" });
      return;
    }
    if (hashed.kind !== "hashed") throw new Error(hashed.reason);
    expect(hashed.field).toMatch(form);
    expect(await verifyPassword(hashed.field, "two words")).toBe("match");
    expect(await verifyPassword(hashed.field, "two word")).toBe("mismatch");
  });

  it("refuses a password that the scheme would cut", async () => {
    expect(await hashPasswordAs("bcrypt", "x".repeat(73))).toEqual({
      kind: "refused",
      reason: "bcrypt takes at most 72 bytes of password",
    });
    expect((await hashPasswordAs("yescrypt", "ä".repeat(256))).kind).toBe("refused");
  });
});
