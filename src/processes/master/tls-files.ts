// Reads the files that `[tls]` names, and says what is wrong with them: for `--check`, for doctor, and for master, which keeps what
// it has read.
import { readFileSync } from "node:fs";
import { describeFileError } from "../../accounts/file/file-error.ts";
import type { Config } from "../../config/schema.ts";
import { certificatesOf } from "../../net/certificates.ts";
import { examineKeyPair, type KeyPair, type KeyPairFacts } from "../../net/key-pair.ts";
import { examineRevocationLists } from "../../net/revocation-list.ts";

export type TlsConfig = NonNullable<Config["tls"]>;

/** A file that cannot be used as it is. */
export interface TlsFault {
  readonly key: "tls.certificate" | "tls.private_key" | "tls.client_ca" | "tls.client_crl";
  readonly file: string;
  readonly reason: string;
  /** A certificate out of its dates still serves where there is no other: clients can be told to accept it. */
  readonly isFatal: boolean;
}

/** "tls.private_key: /etc/…/privkey.pem does not belong to the certificate …" */
export function formatTlsFault({ key, file, reason }: TlsFault): string {
  return `${key}: ${file} ${reason}`;
}

/** What is wrong with the files that `[tls]` names: for `--check`. */
export function tlsFaults(config: TlsConfig, nowMs: number): readonly TlsFault[] {
  const faults = pathsOf(config).flatMap((paths) => readKeyPair(paths, nowMs).fault ?? []);
  return [
    ...faults,
    ...config.client_ca.flatMap((file) => readAuthority(file).fault ?? []),
    ...config.client_crl.flatMap((file) => readRevocationLists(file, nowMs).fault ?? []),
  ];
}

export interface PairPaths {
  readonly certificate: string;
  readonly privateKey: string;
}

export interface LoadedPair {
  readonly paths: PairPaths;
  readonly keyPair: KeyPair;
  readonly facts: KeyPairFacts;
}

export function pathsOf({ certificate, private_key }: TlsConfig): readonly PairPaths[] {
  return certificate.map((path, index) => ({ certificate: path, privateKey: private_key[index] ?? "" }));
}

export function filesOf(config: TlsConfig): readonly string[] {
  return [...config.certificate, ...config.private_key, ...config.client_ca, ...config.client_crl];
}

export function nameOf({ certificate, privateKey }: PairPaths): string {
  return `${certificate}\0${privateKey}`;
}

export function isSame(a: LoadedPair | undefined, b: LoadedPair | undefined): boolean {
  return a?.keyPair.certificate === b?.keyPair.certificate && a?.keyPair.privateKey === b?.keyPair.privateKey;
}

export function readKeyPair(
  paths: PairPaths,
  nowMs: number,
): { readonly loaded?: LoadedPair; readonly fault?: TlsFault } {
  const fault = (part: keyof KeyPair, reason: string, isFatal = true): TlsFault => {
    const key = part === "certificate" ? "tls.certificate" : "tls.private_key";
    return { key, file: paths[part], reason, isFatal };
  };
  const certificate = readText(paths.certificate);
  if (certificate.kind === "failed") return { fault: fault("certificate", certificate.reason) };
  const privateKey = readText(paths.privateKey);
  if (privateKey.kind === "failed") return { fault: fault("privateKey", privateKey.reason) };
  const keyPair = { certificate: certificate.text, privateKey: privateKey.text };
  const examined = examineKeyPair(keyPair);
  if (examined.kind === "faulty") return { fault: fault(examined.part, examined.reason) };
  const { facts } = examined;
  const loaded = { paths, keyPair, facts };
  if (nowMs > facts.notAfterMs) {
    return {
      loaded,
      fault: fault("certificate", `expired at ${isoTime(facts.notAfterMs)}, renew it`, false),
    };
  }
  if (nowMs < facts.notBeforeMs) {
    const reason = `holds only from ${isoTime(facts.notBeforeMs)} on, set this host's clock right`;
    return { loaded, fault: fault("certificate", reason, false) };
  }
  return { loaded };
}

export function readAuthority(file: string): { readonly text?: string; readonly fault?: TlsFault } {
  const fault = (reason: string): { fault: TlsFault } => {
    return { fault: { key: "tls.client_ca", file, reason, isFatal: true } };
  };
  const read = readText(file);
  if (read.kind === "failed") return fault(read.reason);
  if (certificatesOf(read.text).length === 0)
    return fault("holds no certificate that can be read, expected PEM text");
  return { text: read.text };
}

export interface LoadedLists {
  /** PEM texts. */
  readonly lists: readonly string[];
  readonly nextUpdateMs: number | undefined;
}

export function readRevocationLists(
  file: string,
  nowMs: number,
): { readonly loaded?: LoadedLists; readonly fault?: TlsFault } {
  const fault = (reason: string, isFatal = true): TlsFault => {
    return { key: "tls.client_crl", file, reason, isFatal };
  };
  const read = readText(file);
  if (read.kind === "failed") return { fault: fault(read.reason) };
  const examined = examineRevocationLists(read.text);
  if (examined.kind === "faulty") return { fault: fault(examined.reason) };
  const { lists, nextUpdateMs } = examined;
  if (nextUpdateMs === undefined || nowMs <= nextUpdateMs) return { loaded: { lists, nextUpdateMs } };
  return { loaded: { lists, nextUpdateMs }, fault: fault(expiredListReason(nextUpdateMs), false) };
}

export function expiredListReason(nextUpdateMs: number): string {
  return `has expired at ${isoTime(nextUpdateMs)}, fetch it anew: until then no client certificate of its authority counts`;
}

function readText(
  file: string,
): { readonly kind: "text"; readonly text: string } | { readonly kind: "failed"; readonly reason: string } {
  try {
    return { kind: "text", text: readFileSync(file, "latin1") };
  } catch (error) {
    return { kind: "failed", reason: `cannot be read: ${describeFileError(error)}` };
  }
}

export function isoTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
