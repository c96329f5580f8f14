// [metrics]: who may read what was counted.
import { z } from "zod";
import { listenAddress, network, ownedSocket } from "./values.ts";

const metricsPlace = z.union([ownedSocket, listenAddress]);

export const metrics = z
  .strictObject({
    listen: z
      .union(
        [metricsPlace.transform((place) => [place]), z.array(metricsPlace)],
        'expected such as "127.0.0.1:9911", "/run/dewey-pop3/metrics", { path = "/…", group = "…", mode = "0660" }, or a list of these',
      )
      .meta({ form: "address, absolute path, or { path, user, group, mode }, or a list of these" })
      .prefault([])
      .meta({
        description:
          "Where Prometheus finds what the server has counted, by HTTP at /metrics, from a process of its own " +
          "(server.metrics_user): addresses, or paths of UNIX sockets:\n" +
          '  listen = ["127.0.0.1:9911", { path = "/run/dewey-pop3/metrics", group = "prometheus", mode = "0660" }]\n' +
          "etc/prometheus has what Prometheus needs, etc/grafana a dashboard.",
        reason: "Not every host is watched, and a process that nobody asks is left out.",
        example: '["127.0.0.1:9911"]',
      }),
    allow_nets: z.array(network).prefault(["127.0.0.0/8", "::1/128"]).meta({
      description: "Who may ask by TCP, whatever addresses are listened on.",
      reason:
        "Numbers tell when a host is idle, ill or attacked: nobody but this host learns them unless you say so.",
    }),
  })
  .prefault({})
  .meta({ description: "What the server has counted, for Prometheus." });
