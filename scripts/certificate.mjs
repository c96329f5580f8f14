// Makes certificates, for the demonstration and for tests: a mail host has its own from an authority. Needs no openssl(1).
import "reflect-metadata";
import { webcrypto } from "node:crypto";
import {
  BasicConstraintsExtension,
  cryptoProvider,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509Certificate,
  X509CertificateGenerator,
  X509CrlGenerator,
} from "@peculiar/x509";

cryptoProvider.set(webcrypto);

const DAY_MS = 24 * 3_600_000;
const ALGORITHMS = {
  ec: { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" },
  rsa: {
    name: "RSASSA-PKCS1-v1_5",
    hash: "SHA-256",
    publicExponent: Uint8Array.of(1, 0, 1),
    modulusLength: 2048,
  },
};

/** PEM texts; signed by itself unless there is an issuer. */
export async function makeCertificate({
  subject = "CN=localhost",
  names = [],
  keyType = "ec",
  notBefore = new Date(Date.now() - DAY_MS),
  notAfter = new Date(Date.now() + 365 * DAY_MS),
  isAuthority = false,
  issuer = undefined,
} = {}) {
  const signing = ALGORITHMS[keyType];
  const keys = await webcrypto.subtle.generateKey(signing, true, ["sign", "verify"]);
  const issuerKeyType = issuer?.keyType ?? keyType;
  const signingKey = issuer === undefined ? keys.privateKey : await signingKeyOf(issuer);
  const certificate = await X509CertificateGenerator.create({
    serialNumber: Buffer.from(webcrypto.getRandomValues(new Uint8Array(15))).toString("hex"),
    subject,
    issuer: issuer === undefined ? subject : new X509Certificate(issuer.certificate).subject,
    notBefore,
    notAfter,
    publicKey: keys.publicKey,
    signingKey,
    signingAlgorithm: ALGORITHMS[issuerKeyType],
    extensions: [
      new BasicConstraintsExtension(isAuthority, undefined, true),
      ...(names.length === 0 ? [] : [new SubjectAlternativeNameExtension(names)]),
      ...(isAuthority
        ? []
        : [new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth])]),
    ],
  });
  const privateKey = await webcrypto.subtle.exportKey("pkcs8", keys.privateKey);
  return {
    keyType,
    certificate: `${certificate.toString("pem")}\n`,
    privateKey: `${PemConverter.encode(privateKey, "PRIVATE KEY")}\n`,
  };
}

/** PEM text: the authority's list of those of its certificates that count for nothing any more. */
export async function makeRevocationList({
  issuer,
  revoked = [],
  thisUpdate = new Date(Date.now() - DAY_MS),
  nextUpdate = new Date(Date.now() + 30 * DAY_MS),
}) {
  const list = await X509CrlGenerator.create({
    issuer: new X509Certificate(issuer.certificate).subject,
    thisUpdate,
    nextUpdate,
    entries: revoked.map(({ certificate }) => ({
      serialNumber: new X509Certificate(certificate).serialNumber,
      revocationDate: thisUpdate,
    })),
    signingKey: await signingKeyOf(issuer),
    signingAlgorithm: ALGORITHMS[issuer.keyType],
  });
  // RFC 7468 §6, which OpenSSL keeps to.
  return `${PemConverter.encode(list.rawData, "X509 CRL")}\n`;
}

function signingKeyOf({ keyType, privateKey }) {
  const der = PemConverter.decodeFirst(privateKey);
  return webcrypto.subtle.importKey("pkcs8", der, ALGORITHMS[keyType], false, ["sign"]);
}
