// The extra fields that restrict a login: nologin, and allow_nets with the networks it may come from.
// Called by verifier.ts in the auth process, after the password was found right.
import { BlockList, isIP, isIPv6 } from "node:net";
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

// An entry that cannot be read matches nothing: a typing error shuts out, it never lets in.
function isInNetworks(networks: string, address: string | undefined): boolean {
  const entries = networks.split(",").map((entry) => entry.trim());
  if (address === undefined || address === "") return entries.includes("local");
  const plainAddress = unmapped(address.replace(/%.*$/, "")); // fe80::1%eth0: the zone is no part of the network
  if (isIP(plainAddress) === 0) return false;
  const list = new BlockList();
  for (const entry of entries) addEntry(list, entry);
  return list.check(plainAddress, family(plainAddress));
}

function addEntry(list: BlockList, entry: string): void {
  const match = /^\[?([0-9A-Fa-f:.]+)\]?(?:\/([0-9]{1,3}))?$/.exec(entry);
  const network = match?.[1];
  if (network === undefined || isIP(network) === 0) return;
  const bits = isIPv6(network) ? 128 : 32;
  const prefix = match?.[2] === undefined ? bits : Number.parseInt(match[2], 10);
  if (prefix <= bits) list.addSubnet(network, prefix, family(network));
}

// A listener on :: sees IPv4 clients as ::ffff:192.0.2.1; the administrator wrote 192.0.2.0/24.
function unmapped(address: string): string {
  const ipv4 = /^::ffff:([0-9.]+)$/i.exec(address)?.[1];
  return ipv4 ?? address;
}

function family(address: string): "ipv4" | "ipv6" {
  return isIPv6(address) ? "ipv6" : "ipv4";
}
