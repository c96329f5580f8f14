// "host:port" as the config writes it. Pure.
import { SocketAddress } from "node:net";

export interface ListenAddress {
  /** An IP address literal; "*" in the config is "::", every address of the host. */
  readonly host: string;
  readonly port: number;
}

/** Reads "127.0.0.1:110", "[::1]:110" or "*:110"; undefined when it is none of these. */
export function parseListenAddress(text: string): ListenAddress | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)|(\*)):([0-9]{1,5})$/.exec(text);
  if (match === null) return undefined;
  const port = Number.parseInt(match[4] ?? "", 10);
  const host = match[1] ?? match[2] ?? "::";
  if (port > 65_535) return undefined;
  if (match[2] !== undefined && !/^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/.test(host))
    return undefined;
  return { host, port };
}

export function formatListenAddress({ host, port }: ListenAddress): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Whether both mean the same socket, however their IPv6 addresses are written. */
export function isSameAddress(a: ListenAddress, b: ListenAddress): boolean {
  return a.port === b.port && canonical(a.host) === canonical(b.host);
}

function canonical(host: string): string {
  return new SocketAddress({ address: host, family: host.includes(":") ? "ipv6" : "ipv4" }).address;
}

/** An IPv4 client on an IPv6 socket shows as "::ffff:192.0.2.1"; people and rules mean "192.0.2.1". */
export function plainAddress(address: string | undefined): string {
  return (address ?? "").replace(/^::ffff:(?=[0-9.]+$)/i, "");
}

/** True for 127.0.0.0/8 and ::1. @param address as `plainAddress` returns it */
export function isLoopback(address: string): boolean {
  return address === "::1" || /^127\.[0-9.]+$/.test(address);
}
