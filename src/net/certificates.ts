// The certificates of a PEM file, one behind the other. Read by master, by login processes for the ends of
// authorities, and by the doctor.
import { X509Certificate } from "node:crypto";

/** Those that can be read: OpenSSL passes over the others, too. */
export function certificatesOf(pem: string): readonly X509Certificate[] {
  const texts = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
  return texts.flatMap((text) => {
    try {
      return [new X509Certificate(text)];
    } catch {
      return [];
    }
  });
}
