// Several hosts on one machine, for a cluster: network namespaces on a bridge, each with an address of its own, where they can be
// made; else loopback addresses, with ports that nobody else has.
import { spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { atExit } from "../../support/at-exit.ts";
import { freePort } from "../../support/free-port.ts";

export interface ClusterHost {
  readonly address: string;
  /** What a program that runs on this host is started with. */
  readonly wrapper: readonly string[];
  /** What an administrator's file calls `port`, as it can be had here. */
  port(port: number): Promise<number>;
}

export interface ClusterNetwork {
  readonly kind: "network namespaces" | "loopback addresses";
  readonly hosts: readonly ClusterHost[];
  /** Holds the addresses of all hosts as they see each other. */
  readonly addresses: string;
  /** Addresses that clients in this very process may come from. */
  readonly clients: readonly string[];
  close(): void;
}

const CLIENTS = 12;
const FIRST_CLIENT = 101;
const FIRST_HOST = 11;

export function makeClusterNetwork(hosts: number): ClusterNetwork {
  return makeNamespaces(hosts) ?? loopbackAddresses(hosts);
}

/** Undefined where this machine, or this user, cannot make them. */
function makeNamespaces(hosts: number): ClusterNetwork | undefined {
  const id = randomInt(0x1_0000).toString(16).padStart(4, "0");
  // 198.18.0.0/15 is for measurements within one's own network (RFC 2544): nobody's addresses.
  const net = `198.18.${randomInt(1, 255)}`;
  const bridge = `dw${id}`;
  const names = Array.from({ length: hosts }, (_, index) => `${bridge}-${index}`);
  const close = (): void => {
    for (const name of names) run("netns", "del", name);
    run("link", "del", bridge);
  };
  const steps: string[][] = [
    ["link", "add", bridge, "type", "bridge"],
    ["addr", "add", `${net}.1/24`, "dev", bridge],
    ...Array.from({ length: CLIENTS }, (_, index) => [
      ...["addr", "add", `${net}.${FIRST_CLIENT + index}/24`, "dev", bridge],
    ]),
    ["link", "set", bridge, "up"],
    ...names.flatMap((name, index) => [
      ["netns", "add", name],
      ["link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name],
      ["link", "set", name, "master", bridge, "up"],
      ["-n", name, "addr", "add", `${net}.${FIRST_HOST + index}/24`, "dev", "eth0"],
      ["-n", name, "link", "set", "eth0", "up"],
      ["-n", name, "link", "set", "lo", "up"],
    ]),
  ];
  const forget = atExit(close);
  if (!steps.every((step) => run(...step))) {
    forget();
    close();
    return undefined;
  }
  return {
    kind: "network namespaces",
    addresses: `${net}.0/24`,
    hosts: names.map((name, index) => ({
      address: `${net}.${FIRST_HOST + index}`,
      wrapper: ["ip", "netns", "exec", name],
      port: async (port) => port,
    })),
    clients: clientAddresses(net),
    close: () => {
      forget();
      close();
    },
  };
}

function loopbackAddresses(hosts: number): ClusterNetwork {
  const net = `127.${randomInt(1, 255)}.${randomInt(1, 255)}`;
  return {
    kind: "loopback addresses",
    // A program that does not say where it connects from has 127.0.0.1.
    addresses: "127.0.0.0/8",
    hosts: Array.from({ length: hosts }, (_, index) => {
      const drawn = new Map<number, Promise<number>>();
      return {
        address: `${net}.${FIRST_HOST + index}`,
        wrapper: [],
        port: (port) => {
          const free = drawn.get(port) ?? freePort();
          drawn.set(port, free);
          return free;
        },
      };
    }),
    clients: clientAddresses(net),
    close: () => {},
  };
}

function clientAddresses(net: string): readonly string[] {
  return Array.from({ length: CLIENTS }, (_, index) => `${net}.${FIRST_CLIENT + index}`);
}

function run(...args: readonly string[]): boolean {
  return spawnSync("ip", args, { stdio: "ignore" }).status === 0;
}
