// Addresses and the networks they are in. Pure; used for allow_nets, for the throttle and its config.
import { BlockList, isIP, isIPv6 } from "node:net";

export interface Networks {
  has(address: string): boolean;
}

/** @param entries "192.0.2.0/24", "2001:db8::/32", "192.0.2.1"; one that cannot be read matches nothing */
export function networksOf(entries: readonly string[]): Networks {
  const list = new BlockList();
  let isEmpty = true;
  for (const entry of entries) {
    const network = parseNetwork(entry);
    if (network === undefined) continue;
    list.addSubnet(network.address, network.prefix, familyOf(network.address));
    isEmpty = false;
  }
  return {
    has: (address) => {
      if (isEmpty) return false;
      const plain = plainOf(address);
      return plain !== undefined && list.check(plain, familyOf(plain));
    },
  };
}

export function isNetwork(text: string): boolean {
  return parseNetwork(text) !== undefined;
}

/**
 * What one subscriber has: an IPv4 address, or the /64 of an IPv6 address, within which everybody can take as many
 * addresses as there are.
 *
 * @returns "192.0.2.1" or "2001:db8:0:1::/64"; undefined for what is no address
 */
export function networkOf(address: string): string | undefined {
  const plain = plainOf(address);
  if (plain === undefined || !isIPv6(plain)) return plain;
  // URL writes it in the one canonical form, with any IPv4 part in hexadecimal.
  const [head = "", tail] = new URL(`http://[${plain}]`).hostname.slice(1, -1).split("::");
  const groupsOf = (part: string): string[] => (part === "" ? [] : part.split(":"));
  const [before, after] = [groupsOf(head), groupsOf(tail ?? "")];
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => "0");
  return `${[...before, ...zeros, ...after].slice(0, 4).join(":")}::/64`;
}

function parseNetwork(entry: string): { readonly address: string; readonly prefix: number } | undefined {
  const match = /^\[?([0-9A-Fa-f:.]+)\]?(?:\/([0-9]{1,3}))?$/.exec(entry);
  const address = match?.[1];
  if (address === undefined || isIP(address) === 0) return undefined;
  const bits = isIPv6(address) ? 128 : 32;
  const prefix = match?.[2] === undefined ? bits : Number.parseInt(match[2], 10);
  return prefix <= bits ? { address, prefix } : undefined;
}

// A listener on :: sees IPv4 clients as ::ffff:192.0.2.1, and the zone of fe80::1%eth0 is no part of a network.
function plainOf(address: string): string | undefined {
  const plain = address.replace(/%.*$/, "").replace(/^::ffff:(?=[0-9.]+$)/i, "");
  return isIP(plain) === 0 ? undefined : plain;
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return isIPv6(address) ? "ipv6" : "ipv4";
}
