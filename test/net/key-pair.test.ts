import { createPrivateKey } from "node:crypto";
import { describe, expect, it } from "vitest";
import { makeCertificate } from "../../scripts/certificate.mjs";
import { coversName, examineKeyPair } from "../../src/net/key-pair.ts";
import { certificateUser } from "../../src/net/tls-facts.ts";

const notAfter = new Date("2031-01-02T03:04:05Z");

describe("a key pair", () => {
  it("tells names, key type and dates", async () => {
    const pair = await makeCertificate({
      ...{ keyType: "rsa", subject: "CN=other.example.org", notAfter },
      names: [
        { type: "dns", value: "Pop.example.org" },
        { type: "ip", value: "127.0.0.1" },
        { type: "dns", value: "*.example.net" },
      ],
    });
    expect(examineKeyPair(pair)).toMatchObject({
      kind: "sound",
      facts: { names: ["pop.example.org", "*.example.net"], keyType: "rsa", notAfterMs: notAfter.getTime() },
    });
    expect(examineKeyPair(await makeCertificate({ subject: "CN=pop.example.org" }))).toMatchObject({
      facts: { names: ["pop.example.org"], keyType: "ec" },
    });
  });

  it("is refused with the part to blame", async () => {
    const [pair, other] = await Promise.all([makeCertificate(), makeCertificate()]);
    const { certificate, privateKey } = pair;
    const locked = createPrivateKey(privateKey).export({
      ...{ type: "pkcs8", format: "pem", cipher: "aes-128-cbc", passphrase: "x" },
    }) as string;
    const damaged = certificate.replace(/\n.{8}/, "\nAAAAAAAA");
    for (const [texts, part, reason] of [
      [{ certificate: "", privateKey }, "certificate", "holds no certificate"],
      [{ certificate: privateKey, privateKey }, "certificate", "holds no certificate"],
      [{ certificate: damaged, privateKey }, "certificate", "damaged"],
      [{ certificate: certificate + damaged, privateKey }, "certificate", "OpenSSL refuses it"],
      [{ certificate, privateKey: certificate }, "privateKey", "holds no private key"],
      [{ certificate, privateKey: locked }, "privateKey", "passphrase"],
      [{ certificate, privateKey: other.privateKey }, "privateKey", "does not belong to the certificate"],
    ] as const) {
      expect(examineKeyPair(texts)).toEqual({
        kind: "faulty",
        part,
        reason: expect.stringContaining(reason),
      });
    }
  });
});

describe("a certificate's name", () => {
  it.each([
    ["pop.example.org", "pop.example.org", true],
    ["*.example.org", "pop.example.org", true],
    ["*.example.org", "example.org", false],
    ["*.example.org", "a.pop.example.org", false],
    ["pop.example.org", "example.org", false],
    ["*.org", "localhost", false],
  ])("%s covers %s: %s", (name, host, expected) => {
    expect(coversName(name, host)).toBe(expected);
  });
});

describe("a client certificate's user", () => {
  const of = (subjectaltname: string, CN?: unknown) =>
    ({ subjectaltname, subject: { CN } }) as unknown as Parameters<typeof certificateUser>[0];

  it.each([
    [of("email:mrose@example.org"), "mrose@example.org"],
    [of("DNS:x.example, email:mrose@example.org, DNS:y.example"), "mrose@example.org"],
    [of("email:mrose@example.org, email:other@example.org"), undefined],
    [of('email:"mrose@example.org, email:root"'), undefined],
    [of('DNS:"x, email:root@example.org"'), undefined],
    [of("DNS:x.example"), undefined],
    [of(""), undefined],
  ])("is its one e-mail address: %j", (certificate, user) => {
    expect(certificateUser(certificate, "email")).toBe(user);
  });

  it("is its one common name", () => {
    expect(certificateUser(of("", "mrose"), "cn")).toBe("mrose");
    expect(certificateUser(of("", ["mrose", "other"]), "cn")).toBeUndefined();
    expect(certificateUser({} as Parameters<typeof certificateUser>[0], "cn")).toBeUndefined();
  });
});
