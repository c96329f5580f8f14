// A certificate for a peer that is to speak TLS: signed by itself, for 127.0.0.1, made by openssl(1).
import { join } from "node:path";
import { runOrThrow } from "../../support/program.ts";

/** Paths of PEM files. */
export interface Certificate {
  readonly certificate: string;
  readonly privateKey: string;
}

export async function makeCertificate(folder: string): Promise<Certificate> {
  const files = { certificate: join(folder, "certificate.pem"), privateKey: join(folder, "private-key.pem") };
  await runOrThrow("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"],
    ...["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"],
    ...["-keyout", files.privateKey, "-out", files.certificate],
  ]);
  return files;
}
