// [cluster]: several hosts behind one name.
import { z } from "zod";
import { isLoopback } from "../../net/address.ts";
import { listenAddress, ownedSocket } from "./values.ts";

export const cluster = z
  .strictObject({
    auth_http: z
      .union(
        [
          ownedSocket,
          listenAddress
            .refine(({ host }) => isLoopback(host), "must be a loopback address")
            .transform((address) => ({ address })),
        ],
        'expected an absolute path of at most 107 bytes, or { path = "/…", user = "…", group = "…", mode = "0660" }, or a loopback address such as "127.0.0.1:9143"',
      )
      .meta({ form: "absolute path, or { path, user, group, mode }, or a loopback address" })
      .optional()
      .meta({
        description:
          "Where nginx's mail proxy asks who may log in, and which back end serves them (auth_http in etc/nginx/dewey-pop3.conf). A " +
          'UNIX socket is for nginx\'s group alone, a loopback address such as "127.0.0.1:9143" for everybody who has a shell here.',
        reason:
          "Whoever can connect may try passwords and name any client's address: nobody, unless you say so.",
        defaultText: "nowhere",
        example: '{ path = "/run/dewey-pop3/nginx-auth", group = "www-data" }',
      }),
    backends: z
      .array(listenAddress)
      .refine(
        (addresses) => addresses.every(({ host, port }) => port > 0 && host !== "::" && host !== "0.0.0.0"),
        'expected an address that can be connected to, such as "192.0.2.11:10110"',
      )
      .prefault([])
      .meta({
        description:
          "The hosts that accounts are spread over, by their names: the listen_proxy addresses of their dewey-pop3. An account " +
          "whose passwd line has the extra field host=192.0.2.11 is served there. One that is down is left out where " +
          "mail.shared_storage is true.",
        reason: "IP addresses, since nginx takes no names; most mail hosts are one.",
        example: '["192.0.2.11:10110", "192.0.2.12:10110"]',
      }),
  })
  .prefault({})
  .meta({ description: "Several hosts that serve as one." });
