// [limits]: how many, how long, how slow. Each with the reason for its default, which the table of limits shows.
import { z } from "zod";
import { duration, memory } from "./values.ts";

export const limits = z
  .strictObject({
    sessions: z
      .int()
      .min(1)
      .max(1_000_000)
      .default(5_000)
      .meta({
        description:
          "Connections at one time, logged in or not. One takes two descriptors in login processes, three where processes are " +
          '"combined": where the unit\'s LimitNOFILE allows fewer, so many are served and the others refused.',
        reason: "Memory: each takes some in two processes. More are a large host, or an attack.",
        unit: "connections",
      }),
    sessions_per_address: z
      .int()
      .min(1)
      .max(1_000_000)
      .default(100)
      .meta({
        description:
          "Connections from one IPv4 address or one IPv6 /64, and behind a proxy (PROXY protocol) from the client's own. A webmail, " +
          "or a proxy that does not tell whom it brings, needs more.",
        reason: "An office behind one address, and a small part of all for one attacker.",
        unit: "connections",
      }),
    sessions_per_account: z.int().min(1).max(1_000).default(10).meta({
      description:
        "Sessions of one account at one time. A maildrop has one session: the others wait for its end.",
      reason: "One has the maildrop, the others wait for it, lock_wait long.",
      unit: "sessions",
    }),
    login_time: duration("3m").meta({
      description: "From connecting to being logged in.",
      reason: "Time for a person who types; a stranger holds a connection no longer.",
    }),
    idle_time: duration("10m").meta({
      description: "Without a command after login.",
      reason: "What RFC 1939 asks for at least.",
    }),
    stall_time: duration("100s").meta({
      description:
        "A client that takes none of the octets that wait for it, or that acknowledges nothing on the network, counts as gone " +
        "after this, and its maildrop is free.",
      reason: "Somebody whose connection broke can come back within two minutes.",
    }),
    min_rate: z
      .int()
      .min(0)
      .max(1_000_000)
      .default(100)
      .meta({
        description:
          "A client that takes fewer octets a second than this, over stall_time in which octets wait for it, counts as gone, too; " +
          "0: one octet is enough.",
        reason: "Slower than any modem: whoever reads so slowly only wants to hold a session.",
        unit: "octets a second",
      }),
    lock_wait: duration("3s").meta({
      description: "A login to a maildrop that another session has waits this long for it to end.",
      reason:
        "A client that comes back at once finds its last session ending; one that waits longer gives up.",
    }),
    takeover_idle: duration("60s").meta({
      description:
        "Then a session without a command for this long is ended in favour of the new one; nothing is deleted for it.",
      reason: "A client that lost its connection has nothing to say; one that is fetching has.",
    }),
    useless_commands_before_login: z.int().min(1).default(10).meta({
      description:
        "Unknown, malformed or misplaced commands, and failed logins, before a connection that is not logged in is closed.",
      reason: "Typing errors, and as many passwords on one connection.",
      unit: "commands",
    }),
    useless_commands: z.int().min(1).default(30).meta({
      description: "The same after login.",
      reason: "A client that speaks something else than POP3.",
      unit: "commands",
    }),
    hang_time: duration("30s").meta({
      description: "A process that gives no sign of life for so long is killed and started again.",
      reason: "Nothing that it does takes so long, and its clients give up about then.",
    }),
    process_memory: memory("1GiB", 32 * 1024).meta({
      description:
        "A process that takes more is replaced: a successor accepts what comes, and the old one ends with its last session. A " +
        "fresh one takes 60 to 100 MiB, most of it shared; auth may take auth.verification_memory in addition.",
      reason: "Thousands of sessions fit; a process that needs more has grown by a fault or an attack.",
    }),
    retire_time: duration("30m").meta({
      description:
        "How long a process that was replaced may go on with its sessions. They are then closed as at SIGTERM: nothing is deleted. " +
        "Where it is a login process that passes their octets on, they are closed without a reply: it cannot tell where one may stand.",
      reason: "Nearly every session is over by then.",
    }),
    drain_time: duration("10s").meta({
      description: "How long SIGTERM waits for commands that are running.",
      reason: "Most downloads end in that time, and systemd waits for longer.",
    }),
  })
  .prefault({})
  .meta({
    description:
      'At each limit a client is told so ("-ERR [SYS/TEMP] ...") and the log says which one: once, then once a minute with how ' +
      "many were refused. Several login processes tell each other what they have and may be some connections late with it.",
  });

/** Limits that are no keys: RFCs set them, or nobody has a reason to change them. */
export const FIXED_LIMITS: readonly { name: string; limit: string; reason: string }[] = [
  { name: "a command's line", limit: "255 octets", reason: "RFC 2449, with CRLF." },
  {
    name: "a line of a SASL exchange",
    limit: "12288 octets",
    reason: "RFC 4954: base64 of what a mechanism may send.",
  },
  {
    name: "output that waits, of one session",
    limit: "0.5 MB",
    reason: "Reading stops until the client has taken it: memory of a session stays bounded.",
  },
];
