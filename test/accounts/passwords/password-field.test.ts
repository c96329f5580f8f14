import { describe, expect, it } from "vitest";
import {
  lockedField,
  type PasswordField,
  readPasswordField,
  schemeName,
  verificationCost,
} from "../../../src/accounts/passwords/password-field.ts";

function scheme(field: string): PasswordField & { kind: "scheme" } {
  const read = readPasswordField(field);
  if (read.kind !== "scheme") throw new Error(JSON.stringify(read));
  return read;
}

const text = (field: string): string => Buffer.from(scheme(field).data).toString();

describe("readPasswordField", () => {
  it("says when there is no password", () => {
    expect(readPasswordField("")).toEqual({ kind: "none" });
  });

  it.each([
    ["!", ""],
    ["*", ""],
    ["!!", ""],
    ["!*", ""],
    ["!$6$salt$hash", "$6$salt$hash"],
    ["*{PLAIN}x", "{PLAIN}x"],
  ])("takes %j for locked", (field, hidden) => {
    expect(readPasswordField(field)).toEqual({ kind: "locked", hidden });
  });

  it("does not care for the case of a scheme's name, and knows its other names", () => {
    for (const name of ["PLAIN", "plain", "Clear", "CLEARTEXT"]) {
      expect(scheme(`{${name}}pw`)).toMatchObject({ scheme: "PLAIN" });
    }
    expect(scheme("{sha1}qUqP5cyxm6YcTAhz05Hph5gvu9M=").scheme).toBe("SHA");
  });

  it("decodes .b64, .base64 and .hex", () => {
    for (const field of [
      "{PLAIN}test",
      "{PLAIN.b64}dGVzdA==",
      "{plain.BASE64}dGVzdA==",
      "{PLAIN.hex}74657374",
    ]) {
      expect(text(field)).toBe("test");
    }
  });

  it("keeps everything behind the scheme, braces and spaces too", () => {
    expect(text("{PLAIN} {x} ")).toBe(" {x} ");
  });

  it("takes a digest of double length for hex, else for base64", () => {
    const digest = scheme("{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M=").data;
    expect(scheme("{SHA}a94a8fe5ccb19ba61c4c0873d391e987982fbbd3").data).toEqual(digest);
    expect(digest).toHaveLength(20);
  });

  it("takes a field without a scheme for crypt(3), or for argon2's own string", () => {
    expect(scheme("$6$salt$hash").scheme).toBe("CRYPT");
    expect(scheme("//EsnG9FLTKjo").scheme).toBe("CRYPT");
    // Longer than eight characters by bigcrypt(3).
    expect(scheme("//EsnG9FLTKjoabcdefghijk").scheme).toBe("CRYPT");
    expect(scheme("$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$aGFzaA").scheme).toBe("ARGON2");
  });

  it.each(["secret", "x", "correct horse", "//EsnG9FLTKjo1"])(
    "takes no clear text for a hash: %s",
    (field) => {
      expect(readPasswordField(field)).toEqual({
        kind: "unusable",
        reason: expect.stringMatching(/^it is no hash: /),
      });
    },
  );

  it("knows the oldest form with the length behind the hash", () => {
    expect(text("//EsnG9FLTKjo[13]")).toBe("//EsnG9FLTKjo");
    expect(scheme("098f6bcd4621d373cade4e832627b4f6[34]").scheme).toBe("PLAIN-MD5");
    expect(scheme("4d80eebcc79a29d214c13b2cfb37084f[56]").scheme).toBe("DIGEST-MD5");
    expect(readPasswordField("xyz[34]").kind).toBe("unusable");
  });

  it.each([
    "{PLAIN",
    "{}x",
    "{no such}x",
    "{$6$salt$geheim}",
    "{PLAIN.rot13}geheim",
    "{OTP}geheim",
    "{PLAIN}",
    "{PLAIN.hex}geheim",
    "{PLAIN.b64}g#heim",
    "{SHA}geheim",
    "{SSHA}geheim!",
    "{SHA256}qUqP5cyxm6YcTAhz05Hph5gvu9M=",
    "{SHA512-CRYPT}$5$salt$geheim",
    "{ARGON2ID}$argon2i$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$geheim",
    "{BLF-CRYPT}geheim",
  ])("has no use for %j, and does not repeat it", (field) => {
    const read = readPasswordField(field);
    expect(read.kind).toBe("unusable");
    expect(JSON.stringify(read)).not.toContain("geheim");
  });
});

describe("lockedField", () => {
  it("puts the mark before the field, once", () => {
    expect(lockedField("{PLAIN}x")).toBe("!{PLAIN}x");
    expect(lockedField("!{PLAIN}x")).toBe("!{PLAIN}x");
    expect(lockedField("*")).toBe("*");
    expect(lockedField("")).toBe("!");
  });
});

describe("verificationCost", () => {
  it.each([
    [
      "{ARGON2ID}$argon2id$v=19$m=64,t=1,p=1$AAAAAAAAAAA$BBBB",
      "$argon2id$v=19$m=64,t=1,p=1$CCCCCCCCCCC$DDDD",
    ],
    ["$6$salt1$hash1", "{SHA512-CRYPT}$6$salt2$hash2"],
    ["$6$rounds=9000$salt1$hash1", "$6$rounds=9000$salt2$hash2"],
    ["$y$j9T$salt1$hash1", "$y$j9T$salt2$hash2"],
    ["$2b$11$salt1", "$2b$11$salt2"],
    ["//EsnG9FLTKjo", "abcdefghijklm"],
    ["$7$CU..../....salt1$hash1", "$7$CU..../....salt2$hash2"],
    ["{PBKDF2}$1$salt1$5000$00", "{PBKDF2}$1$salt2$5000$11"],
    ["{SCRAM-SHA-256}4096,a,b,c", "{SCRAM-SHA-256}4096,d,e,f"],
    ["{PLAIN}a", "{CLEAR}b"],
  ])("is the same for %j and %j", (left, right) => {
    expect(verificationCost(scheme(left))).toBe(verificationCost(scheme(right)));
  });

  it.each([
    ["$argon2id$v=19$m=64,t=1,p=1$AAAAAAAAAAA$BBBB", "$argon2id$v=19$m=65,t=1,p=1$AAAAAAAAAAA$BBBB"],
    ["$argon2id$v=19$m=64,t=1,p=1$AAAAAAAAAAA$BBBB", "$argon2i$v=19$m=64,t=1,p=1$AAAAAAAAAAA$BBBB"],
    ["$6$salt$hash", "$6$rounds=9000$salt$hash"],
    ["$6$salt$hash", "$5$salt$hash"],
    ["$2b$11$salt", "$2b$12$salt"],
    ["$y$j9T$salt$hash", "$y$jAT$salt$hash"],
    ["{PBKDF2}$1$salt$5000$00", "{PBKDF2}$1$salt$5001$00"],
    ["{SCRAM-SHA-256}4096,a,b,c", "{SCRAM-SHA-1}4096,a,b,c"],
    ["{SCRAM-SHA-256}4096,a,b,c", "{SCRAM-SHA-256}8192,a,b,c"],
  ])("differs for %j and %j", (left, right) => {
    expect(verificationCost(scheme(left))).not.toBe(verificationCost(scheme(right)));
  });
});

describe("schemeName", () => {
  it.each([
    ["{ARGON2I}$argon2i$v=19$m=64,t=1,p=1$AAAAAAAAAAA$BBBB", "ARGON2I"],
    ["$y$j9T$s$h", "YESCRYPT"],
    ["{CRYPT}$2y$05$s", "BCRYPT"],
    ["$6$s$h", "SHA512-CRYPT"],
    ["//EsnG9FLTKjo", "DES-CRYPT"],
    ["$zz$s", "CRYPT"],
    ["{SMD5}DJ14a/IpVEAPhJqcMOVr+CMKKYE=", "SMD5"],
  ])("calls %j %s", (field, name) => {
    expect(schemeName(scheme(field))).toBe(name);
  });
});
