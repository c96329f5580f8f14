// Several hosts that serve as one: whether nginx may ask where `cluster.auth_http` says, the back ends serve, and the store
// for failures is reached.
import { statSync } from "node:fs";
import * as net from "node:net";
import { ThrottleStore } from "../accounts/throttle/throttle-store.ts";
import type { Config } from "../config/schema.ts";
import { findGroup } from "../host/user-database.ts";
import { formatListenAddress } from "../net/address.ts";
import { probeBackEnd } from "../net/probe-back-end.ts";
import { folderFinding } from "./check-metrics.ts";
import { holderOf } from "./check-ports.ts";
import { type Finding, reporter } from "./finding.ts";

const report = reporter("cluster");
const PATIENCE_MS = 5_000;

export async function checkCluster(
  { cluster, auth }: Config,
  isRunning: boolean,
): Promise<readonly Finding[]> {
  const found = await Promise.all([
    cluster.auth_http === undefined ? [] : checkAuthHttp(cluster.auth_http, isRunning),
    ...cluster.backends.map(async (backend): Promise<Finding[]> => {
      const name = formatListenAddress(backend);
      const probed = await probeBackEnd(backend, PATIENCE_MS);
      if (probed.kind === "serves") return [report("ok", `back end ${name} serves`)];
      const mend = `on that host: server.listen_proxy has to name it, server.proxy_networks this host, and a firewall let it through`;
      return [report("error", `back end ${name}: ${probed.reason}`, mend)];
    }),
    auth.throttle_store === undefined ? [] : checkThrottleStore(auth.throttle_store),
  ]);
  return found.flat();
}

async function checkAuthHttp(
  place: NonNullable<Config["cluster"]["auth_http"]>,
  isRunning: boolean,
): Promise<Finding[]> {
  const isTcp = "address" in place;
  const name = isTcp ? formatListenAddress(place.address) : place.path;
  const group = "group" in place ? place.group : undefined;
  const findings: Finding[] = [];
  if (!isTcp && group === undefined && !("user" in place)) {
    findings.push(
      report(
        "warning",
        `cluster.auth_http names no group: nobody but root and the auth process may ask at ${name}`,
        `auth_http = { path = "${name}", group = "www-data" }`,
      ),
    );
  }
  const code = await connectTo(isTcp ? place.address : { path: place.path });
  if (!isRunning) {
    if (!isTcp) return [...findings, folderFinding(place.path, report)];
    return [
      ...findings,
      code === undefined
        ? report(
            "error",
            `${name} is taken by ${await holderOf(place.address.port)}, and this server does not run`,
            "end the other program, or name another address in cluster.auth_http",
          )
        : report("ok", `${name} is free`),
    ];
  }
  if (code !== undefined) {
    const mend = "it was added after the start: systemctl restart dewey-pop3, then read its log";
    return [...findings, report("error", `${name} does not answer nginx (${code})`, mend)];
  }
  const wrong = isTcp || group === undefined ? undefined : otherGroup(place.path, group);
  return [
    ...findings,
    wrong === undefined
      ? report("ok", `${name} answers nginx`)
      : report("error", `${name} ${wrong}`, `restart the server, or chgrp ${group} ${name}`),
  ];
}

/** Where the socket is somebody else's than the config says. */
function otherGroup(path: string, group: string): string | undefined {
  const gid = findGroup(group);
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined || gid === undefined || stats.gid === gid) return undefined;
  return `belongs to gid ${stats.gid}, not to group ${group} (${gid}): nginx may not connect`;
}

/** Undefined: somebody listens. */
function connectTo(
  target: { readonly path: string } | { readonly host: string; readonly port: number },
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = net.connect(target);
    socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error("no answer")));
    socket.once("connect", () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
}

/** As the auth process does it, and without the password that may stand in the URL. */
async function checkThrottleStore(url: string): Promise<Finding[]> {
  const { host, protocol } = new URL(url);
  const name = `auth.throttle_store (${protocol}//${host})`;
  let timer: NodeJS.Timeout | undefined;
  let store: ThrottleStore | undefined;
  const state = await new Promise<"reached" | { readonly away: string }>((resolve) => {
    timer = setTimeout(() => resolve({ away: `no answer for ${PATIENCE_MS / 1000}s` }), PATIENCE_MS);
    store = new ThrottleStore({ url, onEvent: () => {}, onState: resolve });
  });
  clearTimeout(timer);
  store?.close();
  return [
    state === "reached"
      ? report("ok", `${name} is reached`)
      : report(
          "error",
          `${name} is not reached: ${state.away}; until then each host counts wrong passwords for itself`,
          "start Redis or Valkey there; redis-cli -u URL ping shows whether address, user and password are right",
        ),
  ];
}
