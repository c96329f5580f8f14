// The extra fields that restrict a login: nologin, and allow_nets with the networks it may come from.
// Called by verifier.ts in the auth process, after the password was found right.
import { isNetwork, networksOf } from "../host/networks.ts";
import type { Account } from "./account.ts";

/**
 * Whether the account may log in from this address (Dovecot's passdb extra fields nologin and allow_nets).
 *
 * @param address the client's IPv4 or IPv6 address; undefined when it came through a UNIX socket, which allow_nets calls "local"
 */
export function mayLogIn(account: Pick<Account, "extra">, address: string | undefined): boolean {
  // Dovecot takes nologin with whatever value as set; being laxer would open an account that it keeps shut.
  if (account.extra.has("nologin")) return false;
  const networks = account.extra.get("allow_nets");
  if (networks === undefined) return true;
  if (networks === true) return false;
  return isInNetworks(networks, address);
}

/** Whether each entry can be read; for whoever writes allow_nets. */
export function isNetworkList(networks: string): boolean {
  return networks.split(",").every((entry) => entry.trim() === "local" || isNetwork(entry.trim()));
}

// An entry that cannot be read matches nothing: a typing error shuts out, it never lets in.
function isInNetworks(networks: string, address: string | undefined): boolean {
  const entries = networks.split(",").map((entry) => entry.trim());
  if (address === undefined || address === "") return entries.includes("local");
  return networksOf(entries).has(address);
}
