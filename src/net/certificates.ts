// The certificates of a PEM file, one behind the other. Read for the ends of authorities by login processes, and by the doctor.
import { X509Certificate } from "node:crypto";

/** @returns the text of each, BEGIN and END lines included */
export function certificateTexts(pem: string): readonly string[] {
  return pem.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
}

/** Those that can be read: OpenSSL passes over the others, too. */
export function certificatesOf(pem: string): readonly X509Certificate[] {
  return certificateTexts(pem).flatMap((text) => {
    try {
      return [new X509Certificate(text)];
    } catch {
      return [];
    }
  });
}
