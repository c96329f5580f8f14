// A certificate and its private key, as PEM text: do they belong together, for which names and how long do they hold?
// Asked by master before it hands a pair out, and by login processes to find the pair for a name. Does no I/O.
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";

/** PEM texts. */
export interface KeyPair {
  /** The server's own certificate first, those that lead to its authority behind it. */
  readonly certificate: string;
  readonly privateKey: string;
}

export interface KeyPairFacts {
  /** Lower case, as the certificate has them: "pop.example.org", "*.example.org". */
  readonly names: readonly string[];
  /** "rsa", "ec", "ed25519" … */
  readonly keyType: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

export type KeyPairResult =
  | { readonly kind: "sound"; readonly facts: KeyPairFacts }
  | { readonly kind: "faulty"; readonly part: "certificate" | "privateKey"; readonly reason: string };

/** Whether a server can work with the pair; its dates are told, not judged. */
export function examineKeyPair({ certificate, privateKey }: KeyPair): KeyPairResult {
  const faulty = (part: "certificate" | "privateKey", reason: string): KeyPairResult => {
    return { kind: "faulty", part, reason };
  };
  if (!certificate.includes("-----BEGIN CERTIFICATE-----")) {
    return faulty(
      "certificate",
      'holds no certificate, expected PEM text with "-----BEGIN CERTIFICATE-----"',
    );
  }
  let parsed: X509Certificate;
  try {
    parsed = new X509Certificate(certificate);
  } catch {
    return faulty("certificate", "its certificate is damaged, copy it anew");
  }
  let key: KeyObject;
  try {
    key = createPrivateKey(privateKey);
  } catch {
    return /^-----BEGIN ENCRYPTED|^Proc-Type: 4,ENCRYPTED/m.test(privateKey)
      ? faulty("privateKey", "is locked by a passphrase, store it without (openssl pkey -in FILE -out FILE)")
      : faulty("privateKey", 'holds no private key, expected PEM text with "-----BEGIN PRIVATE KEY-----"');
  }
  if (!parsed.checkPrivateKey(key)) {
    return faulty("privateKey", "does not belong to the certificate, put both files of one renewal in place");
  }
  try {
    createSecureContext({ cert: certificate, key: privateKey });
  } catch (error) {
    // What OpenSSL alone objects to: a damaged chain, a key too short for its security level.
    return faulty("certificate", `OpenSSL refuses it: ${(error as Error).message}`);
  }
  return {
    kind: "sound",
    facts: {
      names: namesOf(parsed),
      keyType: parsed.publicKey.asymmetricKeyType ?? "unknown",
      notBeforeMs: Date.parse(parsed.validFrom),
      notAfterMs: Date.parse(parsed.validTo),
    },
  };
}

/** RFC 6125 §6.4.4: the common name counts only where no DNS name is given. */
function namesOf({ subjectAltName, subject }: X509Certificate): readonly string[] {
  const names = [...(subjectAltName ?? "").matchAll(/(?:^|, )DNS:([^,"\s]+)/g)].map(([, name]) => name ?? "");
  const commonName = /(?:^|\n)CN=([^\n]+)/.exec(subject)?.[1];
  const all = names.length === 0 && commonName !== undefined ? [commonName] : names;
  return all.map((name) => name.toLowerCase());
}

/** True when a certificate with this name serves that host. @param host lower case */
export function coversName(name: string, host: string): boolean {
  // RFC 6125 §6.4.3: "*" stands for one label, the leftmost.
  return name === host || (name.startsWith("*.") && name.slice(1) === host.slice(host.indexOf(".")));
}
