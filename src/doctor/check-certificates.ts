// Whether clients will take the certificates: readable, of their keys, in their dates, for the server's name, and with the
// chain that leads to a known authority.
import { X509Certificate } from "node:crypto";
import { readFileSync, realpathSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { rootCertificates } from "node:tls";
import type { Config } from "../config/schema.ts";
import { certificatesOf } from "../net/certificates.ts";
import { coversName, examineKeyPair } from "../net/key-pair.ts";
import { examineRevocationLists } from "../net/revocation-list.ts";
import { formatTlsFault, type TlsConfig, tlsFaults } from "../processes/master/tls-files.ts";
import { type Finding, reporter } from "./finding.ts";

const report = reporter("certificate");

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Whoever renews by a timer does so a month before. */
const WARN_DAYS = 14;
/** Lists are fetched by the hour or by the day. */
const WARN_HOURS = 12;

export function checkCertificates({ tls, server }: Config, nowMs: number): readonly Finding[] {
  if (tls === undefined) {
    return [
      report(
        "note",
        "no [tls]: no POP3S and no STLS, and passwords are taken as auth.plaintext_without_tls says",
        "set tls.certificate and tls.private_key, and server.listen_tls",
      ),
    ];
  }
  const faults = tlsFaults(tls, nowMs);
  if (faults.length > 0) return faults.map((fault) => report("error", formatTlsFault(fault)));
  return [...checkServersOwn(tls, server, nowMs), ...checkClientsAuthorities(tls, nowMs)];
}

function checkServersOwn(tls: TlsConfig, server: Config["server"], nowMs: number): readonly Finding[] {
  return tls.certificate.flatMap((file, index) => {
    const certificate = readFileSync(file, "latin1");
    const privateKey = readFileSync(tls.private_key[index]!, "latin1");
    const examined = examineKeyPair({ certificate, privateKey });
    if (examined.kind === "faulty") return [report("error", `${file} ${examined.reason}`)];
    const { names, notAfterMs } = examined.facts;
    const daysLeft = Math.floor((notAfterMs - nowMs) / DAY_MS);
    const findings = [
      daysLeft < WARN_DAYS
        ? report("warning", `${file} holds for ${daysLeft} more days`, "renew it, e.g. certbot renew")
        : report("ok", `${file} (${names.join(", ")}) holds for ${daysLeft} more days`),
    ];
    const fault = chainFault(certificate);
    if (fault !== undefined) findings.push(report("warning", `${file} ${fault.message}`, fault.mend));
    const key = tls.private_key[index]!;
    const mode = modeForOthers(key);
    if (mode !== undefined) {
      const message = `${key} has mode ${mode.toString(8)}: every user of this host can take the private key`;
      findings.push(
        report("error", message, `chmod o= ${key}, and get a new certificate if others are on this host`),
      );
    }
    const host = server.name.toLowerCase();
    // A name without a dot is no name that clients connect to.
    if (index === 0 && host.includes(".") && !names.some((name) => coversName(name, host))) {
      findings.push(
        report(
          "warning",
          `${file} is for ${names.join(", ") || "no name"}, the server's name is ${host}`,
          "clients that connect to that name are warned: set server.name, or get a certificate for it",
        ),
      );
    }
    return findings;
  });
}

/** @returns the mode of a file that other users can read: through all folders on the way, too, as certbot's let nobody through */
function modeForOthers(file: string): number | undefined {
  const real = realpathSync(file);
  const mode = statSync(real).mode & 0o777;
  for (let at = dirname(real); ; at = dirname(at)) {
    if ((statSync(at).mode & 0o001) === 0) return undefined;
    if (at === dirname(at)) return (mode & 0o004) === 0 ? undefined : mode;
  }
}

/** What makes clients' certificates count; a file that cannot be used is a fault that was told before. */
function checkClientsAuthorities({ client_ca, client_crl }: TlsConfig, nowMs: number): readonly Finding[] {
  return [
    ...client_ca.map((file) => {
      const ends = certificatesOf(readFileSync(file, "latin1")).map(({ validTo }) => Date.parse(validTo));
      const daysLeft = Math.floor((Math.min(...ends) - nowMs) / DAY_MS);
      return daysLeft < WARN_DAYS
        ? report(
            "warning",
            `clients' authority ${file} holds for ${daysLeft} more days`,
            "renew it, and the clients' certificates",
          )
        : report("ok", `clients' authority ${file} holds for ${daysLeft} more days`);
    }),
    ...client_crl.map((file) => {
      const lists = examineRevocationLists(readFileSync(file, "latin1"));
      if (lists.kind === "faulty") return report("error", `${file} ${lists.reason}`);
      if (lists.nextUpdateMs === undefined)
        return report("ok", `revocation list ${file} does not say until when it holds`);
      const hoursLeft = Math.floor((lists.nextUpdateMs - nowMs) / HOUR_MS);
      return hoursLeft < WARN_HOURS
        ? report(
            "warning",
            `revocation list ${file} holds for ${hoursLeft} more hours: then no client's certificate counts`,
            "have your timer fetch it; it is read anew as it changes",
          )
        : report("ok", `revocation list ${file} holds for ${hoursLeft} more hours`);
    }),
  ];
}

/** Each certificate of the file by the next one, and the last one by an authority that Node, and so most clients, know. */
export function chainFault(
  pem: string,
  hostsOwn: readonly X509Certificate[] = hostAuthorities(),
): { readonly message: string; readonly mend: string } | undefined {
  const chain = certificatesOf(pem);
  for (const [index, certificate] of chain.slice(0, -1).entries()) {
    const issuer = chain[index + 1]!;
    if (isIssuedBy(certificate, issuer)) continue;
    return {
      message: `has certificate ${index + 2} of the chain in a wrong place: it did not issue the one before it`,
      mend: "put the server's certificate first, then each one's issuer (certbot's fullchain.pem is so)",
    };
  }
  const last = chain.at(-1);
  if (last === undefined || knownAuthorities().some((root) => isIssuedBy(last, root))) return undefined;
  if (last.checkIssued(last)) {
    return chain.length === 1
      ? {
          message: "is signed by itself: clients warn of it",
          mend: "get one from an authority, e.g. by certbot",
        }
      : { message: "leads to an authority of your own", mend: "install that authority on the clients" };
  }
  if (hostsOwn.some((root) => isIssuedBy(last, root)))
    return { message: "leads to an authority of your own", mend: "install that authority on the clients" };
  return {
    message: `lacks the chain: the issuer "${last.issuer.replaceAll("\n", ", ")}" is neither in it nor a known authority`,
    mend: "name the file with the whole chain (certbot's fullchain.pem, not cert.pem)",
  };
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

/** Where Debian's update-ca-certificates(8) puts what this host trusts, which need not be what its users' programs trust. */
function hostAuthorities(): readonly X509Certificate[] {
  try {
    return certificatesOf(readFileSync("/etc/ssl/certs/ca-certificates.crt", "latin1"));
  } catch {
    return [];
  }
}

let known: readonly X509Certificate[] | undefined;
function knownAuthorities(): readonly X509Certificate[] {
  known ??= rootCertificates.map((text) => new X509Certificate(text));
  return known;
}
