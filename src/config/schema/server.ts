// [server]: where it listens and what it runs as.
import { availableParallelism, hostname } from "node:os";
import { z } from "zod";
import { listenAddress, network, socketFolder, userOrGroup } from "./values.ts";

/** As src/pop3/language.ts has them, which master, who reads the config, must not know. */
export const LANGUAGE_TAGS = ["i-default", "en", "de"] as const;

const processCount = z
  .int()
  .min(1)
  .max(64)
  .default(() => availableParallelism());

export const server = z
  .strictObject({
    name: z
      .string()
      .regex(/^[\x21-\x7e]{1,64}$/, "expected up to 64 visible ASCII characters without spaces")
      .refine(
        (name) => !/[<>@]/.test(name),
        "must not contain <, > or @: it would look like an APOP timestamp",
      )
      .meta({ form: "up to 64 visible ASCII characters without <, > and @" })
      .default(() => hostname())
      .meta({
        description: "The name in greeting and sign-off.",
        reason: "People see it when they wonder which server they have reached.",
        defaultText: "the host's name",
        example: '"mail.example.org"',
      }),
    language: z
      .enum(LANGUAGE_TAGS)
      .default("i-default")
      .meta({
        description:
          'Language of the replies until a client chooses another by LANG, and what "LANG *" means: "i-default" (English), ' +
          '"en" or "de", which is written in ASCII until LANG.',
        reason:
          'RFC 6856 wants "i-default", English that programs know; another is for hosts whose people read what their mail ' +
          "programs show.",
      }),
    listen: z
      .array(listenAddress)
      .prefault(["127.0.0.1:110"])
      .meta({
        description:
          'POP3, with STLS where [tls] has a certificate. "127.0.0.1:110", "[::1]:110", or "*:110" for every address of the ' +
          "host.",
        reason: "Nobody else's password comes by before you say so.",
      }),
    listen_tls: z.array(listenAddress).prefault([]).meta({
      description: 'POP3S: TLS from the first octet, such as ["*:995"]; needs [tls].',
      reason: "RFC 8314 prefers it to STLS; it is not the default since it needs a certificate.",
    }),
    listen_proxy: z.array(listenAddress).prefault([]).meta({
      description:
        "POP3 behind a proxy such as HAProxy, whose every connection begins with a PROXY header (version 1 or 2).",
      reason:
        "The client's address in it is what counts for throttle, limits and log, instead of the proxy's.",
    }),
    listen_tls_proxy: z.array(listenAddress).prefault([]).meta({
      description: "POP3S behind such a proxy, which passes TLS on.",
      reason: "The header comes before TLS; a port of its own leaves no doubt whether one is due.",
    }),
    proxy_networks: z.array(network).prefault([]).meta({
      description:
        'Where such proxies are: "192.0.2.1" or "192.0.2.0/24". Others get no answer on the two addresses above.',
      reason: "Whoever may send the header may name any address.",
    }),
    proxy_ends_tls: z.boolean().default(false).meta({
      description: "Whether TLS that a proxy ended, and tells of (send-proxy-v2-ssl), counts as TLS.",
      reason: "The way from the proxy to this server has to be safe, too, and only you know.",
    }),
    processes: z
      .enum(["separate", "combined"])
      .default("separate")
      .meta({
        description:
          '"separate": login and mailbox processes with users of their own. "combined": one worker does both, where all mail ' +
          "belongs to one user.",
        reason: "Combined is faster, but the code that reads a stranger's first octets may then read mail.",
      }),
    login_processes: processCount.meta({
      description: "How many login processes there are.",
      reason: "One for each core keeps them all busy.",
      unit: "processes",
      defaultText: "one for each core",
      example: "2",
    }),
    mailbox_processes: processCount.meta({
      description: "How many mailbox processes there are, where all mail belongs to one user.",
      reason: "One for each core keeps them all busy.",
      unit: "processes",
      defaultText: "one for each core",
      example: "2",
    }),
    runtime_dir: socketFolder.default("/run/dewey-pop3").meta({
      description: "The folder of the sockets between the processes, and of pop3-ctl's.",
      reason: "It is where systemd makes a folder for a service that is gone with it.",
    }),
    run_as: z
      .enum(["users", "starter"])
      .default("users")
      .meta({
        description:
          'When the server is started as root: "users" gives each process a user of its own, "starter" leaves all of them ' +
          "root, on loopback addresses only.",
        reason:
          "A process that was taken over can do no more than its user; the other is for trying the server out.",
      }),
    login_user: userOrGroup.default("dewey-login").meta({
      description: "Who login processes run as when the server is started as root.",
      reason: "A user that owns nothing: strangers talk to these processes.",
    }),
    auth_user: userOrGroup.default("dewey-auth").meta({
      description: "Who the auth process runs as when the server is started as root.",
      reason: "Nobody else but root has to read the passwd file.",
    }),
    metrics_user: userOrGroup.default("dewey-metrics").meta({
      description:
        "Who the process that serves metrics runs as when the server is started as root, where metrics.listen asks for one.",
      reason: "A user that owns nothing: it knows numbers alone.",
    }),
  })
  .prefault({})
  .meta({ description: "Where the server listens, and what its processes run as." });
