// The metrics process, run as `dewey-metrics`: serves what all processes have counted to Prometheus, by HTTP. A process of its
// own, since HTTP comes from the network: master must not parse it, and whoever breaks into its parser must not find
// passwords (login, auth) or mail (mailbox) there. It knows numbers alone, and may ask master for nothing else.
import { readFileSync } from "node:fs";
import { exposition } from "../control/figures/exposition.ts";
import { networksOf } from "../host/networks.ts";
import { servePage } from "../net/http-page.ts";
import { runChild } from "./child/child.ts";
import { StatsRequests } from "./child/stats-requests.ts";

runChild("metrics", async (settings, { listenerFds, send }) => {
  const requests = new StatsRequests(send);
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    readonly version: string;
  };
  let allowed = networksOf(settings.allowNets);
  const read = async () => {
    const gathered = await within(PATIENCE_MS, requests.ask());
    if (gathered === undefined) return undefined;
    const { stats, silent } = gathered;
    return exposition(stats, { version, nodeVersion: process.versions.node, silent, nowMs: Date.now() });
  };
  const servers = await Promise.all(
    listenerFds.map((fd) => servePage(fd, { path: "/metrics", allowed: () => allowed, read })),
  );
  return {
    statsCame: (message) => requests.came(message),
    whenIdle: async () => {
      await Promise.all(servers.map((server) => server.close()));
    },
    configure: (changed) => {
      allowed = networksOf(changed.allowNets);
    },
    drain: async () => {
      await within(PATIENCE_MS, Promise.all(servers.map((server) => server.close())));
    },
  };
});

/** Master gives up on a process that is silent after five seconds, and Prometheus on us after ten. */
const PATIENCE_MS = 8_000;

function within<T>(ms: number, promise: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, ms, undefined);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
