// Which mechanisms the auth process offers, by the config and by what the accounts have. Pure.
import type { Mechanism, ScramHash } from "../../sasl/mechanism.ts";
import { mechanisms } from "../../sasl/mechanisms.ts";

/**
 * @param configured `auth.mechanisms`; without it SCRAM is offered as soon as an account has something stored for it, and
 * not before: clients that find it take it, and don't fall back to PLAIN when it fails
 * @param client an MTA's client has no TLS that we know of: nothing to bind a channel to, no certificate
 * @param takesCertificates whether there are authorities for client certificates. Without them nobody logs in by EXTERNAL, and a
 * login process's word for a certificate is worth nothing: it may have been taken over
 */
export function mechanismsToOffer(
  configured: readonly string[] | undefined,
  scramHashes: ReadonlySet<ScramHash>,
  client: "login" | "mta",
  takesCertificates: boolean,
): ReadonlyMap<string, Mechanism> {
  const offered = [...mechanisms].filter(([name, { parameters }]) => {
    if (name === "EXTERNAL" && !takesCertificates) return false;
    if (client === "mta" && (name === "EXTERNAL" || parameters.includes("channel-binding"))) return false;
    if (configured !== undefined) return configured.includes(name);
    const hash = /^SCRAM-(SHA-1|SHA-256)(?:-PLUS)?$/.exec(name)?.[1];
    return hash === undefined || scramHashes.has(hash as ScramHash);
  });
  return new Map(offered);
}
