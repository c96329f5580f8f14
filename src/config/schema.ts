// Every key of config.toml: its type, default, unit and reason. `load.ts` reads the file against it.
import { availableParallelism, hostname } from "node:os";
import { createSecureContext } from "node:tls";
import { z } from "zod";
import { isNetwork } from "../host/networks.ts";
import { isLoopback, parseListenAddress } from "../net/address.ts";
import { parseDuration } from "./duration.ts";
import { EXPIRE_FORM, KEEP_DELETED_FORM, parseExpireDays, parseKeepDeleted } from "./mail-policy.ts";
import { parseMemory } from "./memory.ts";
import { POSTFIX_MAP_TYPES } from "./postfix-map-types.ts";

const listenAddress = z.string().transform((text, context) => {
  const address = parseListenAddress(text);
  if (address !== undefined) return address;
  context.addIssue({
    code: "custom",
    message: `"${text}" is no address, expected "127.0.0.1:110", "[::1]:110" or "*:110"`,
  });
  return z.NEVER;
});

const network = z
  .string()
  .refine(isNetwork, 'expected such as "192.0.2.0/24", "2001:db8::/32" or "192.0.2.1"');

const duration = (fallback: string) =>
  z
    .string()
    .default(fallback)
    .transform((text, context) => {
      const ms = parseDuration(text);
      if (ms !== undefined) return ms;
      context.addIssue({
        code: "custom",
        message: `"${text}" is no duration, expected such as "10m", "90s" or "36h"`,
      });
      return z.NEVER;
    });

/** In KiB. */
const memory = (fallback: string, leastKib: number) =>
  z
    .string()
    .default(fallback)
    .transform((text, context) => {
      const kib = parseMemory(text);
      if (kib !== undefined && kib >= leastKib && kib <= MAX_MEMORY_KIB) return kib;
      const message =
        kib === undefined
          ? `"${text}" is no amount of memory, expected such as "19MiB", "1GiB" or "19456KiB"`
          : `"${text}" is out of range, expected ${leastKib}KiB to ${MAX_MEMORY_KIB / 1024 ** 2}GiB`;
      context.addIssue({ code: "custom", message });
      return z.NEVER;
    });
const MAX_MEMORY_KIB = 64 * 1024 * 1024;
/** A value in a form of its own. @param form what is expected, for the error */
const written = <T>(parse: (text: string) => T | undefined, form: string) =>
  z.string().transform((text, context) => {
    const value = parse(text);
    if (value !== undefined) return value;
    context.addIssue({ code: "custom", message: `"${text}": ${form}` });
    return z.NEVER;
  });

const absolutePath = z
  .string()
  .refine((path) => path.startsWith("/") && !path.includes("\0"), "expected an absolute path");

/** A socket's address holds 108 bytes, the final NUL included (unix(7)); our names in the folder take up to 20. */
const socketFolder = absolutePath.refine(
  (path) => Buffer.byteLength(path) <= 87,
  "too long for the sockets in it, at most 87 bytes",
);

/** A name or a number, as in chown(1). */
const userOrGroup = z.union([z.string().min(1), z.int().nonnegative().transform(String)]);

/** 4294967295, (uid_t)-1, means "no change" to chown(2). */
const id = z.int().min(1).max(4_294_967_294);

/** As src/pop3/language.ts has them, which master, who reads the config, must not know. */
export const LANGUAGE_TAGS = ["i-default", "en", "de"] as const;

const server = z
  .strictObject({
    /** Greeting and sign-off. */
    name: z
      .string()
      .regex(/^[\x21-\x7e]{1,64}$/, "expected up to 64 visible ASCII characters without spaces")
      .refine(
        (name) => !/[<>@]/.test(name),
        "must not contain <, > or @: it would look like an APOP timestamp",
      )
      .default(() => hostname()),
    /**
     * Language of the replies, until a client chooses another by LANG; also what LANG * means. RFC 6856 §3 wants
     * "i-default", English that programs know. Another is for hosts whose people read what their mail programs show; it
     * is written in ASCII until LANG.
     */
    language: z.enum(LANGUAGE_TAGS).default("i-default"),
    /** POP3, with STLS where [tls] has a certificate. */
    listen: z.array(listenAddress).default([{ host: "127.0.0.1", port: 110 }]),
    /** POP3S: TLS from the first octet, which RFC 8314 prefers. */
    listen_tls: z.array(listenAddress).default([]),
    /** The same two for a proxy such as HAProxy, whose every connection begins with a PROXY header (version 1 or 2). */
    listen_proxy: z.array(listenAddress).default([]),
    listen_tls_proxy: z.array(listenAddress).default([]),
    /** Where such proxies are: others get no answer there, since whoever may send the header may name any address. */
    proxy_networks: z.array(network).default([]),
    /** Whether TLS that a proxy ended and tells of (PP2_TYPE_SSL) counts as TLS: its way to us must be safe, too. */
    proxy_ends_tls: z.boolean().default(false),
    /** "separate": login and mailbox processes; "combined": one worker does both, faster, one mail uid only. */
    processes: z.enum(["separate", "combined"]).default("separate"),
    /** Sockets between the processes. */
    runtime_dir: socketFolder.default("/run/dewey-pop3"),
    /**
     * When started as root: "users" gives each process a user of its own; "starter" leaves all of them root, for trying
     * the server out on loopback addresses. Without root it makes no difference.
     */
    run_as: z.enum(["users", "starter"]).default("users"),
    /** Who login and auth processes run as when the server is started as root. */
    login_user: userOrGroup.default("dewey-login"),
    auth_user: userOrGroup.default("dewey-auth"),
    /** The same for the process that serves metrics, where metrics.listen asks for one. */
    metrics_user: userOrGroup.default("dewey-metrics"),
    /** How many processes of each kind; one for each core keeps them all busy. */
    login_processes: z
      .int()
      .min(1)
      .max(64)
      .default(() => availableParallelism()),
    mailbox_processes: z
      .int()
      .min(1)
      .max(64)
      .default(() => availableParallelism()),
  })
  .prefault({});

const oneOrMorePaths = z.union([absolutePath.transform((path) => [path]), z.array(absolutePath).min(1)]);

const tls = z
  .strictObject({
    /** PEM files: the server's certificate, then those that lead to its authority. Each serves the names that it holds. */
    certificate: oneOrMorePaths,
    /** One for each certificate, in the same order. */
    private_key: oneOrMorePaths,
    /** RFC 8314 §4.1, RFC 8996: nothing before TLS 1.2. */
    min_version: z.enum(["TLSv1.2", "TLSv1.3"]).default("TLSv1.2"),
    /** In OpenSSL's notation; default: what Node.js takes of its OpenSSL. */
    ciphers: z
      .string()
      .refine((ciphers) => cipherFault(ciphers) === undefined, "OpenSSL knows no such list of ciphers")
      .optional(),
    /** For how long a client may resume its session without a full handshake; the keys for that change as often. */
    ticket_lifetime: duration("2h"),
    /** Authorities (PEM files) whose certificates let clients log in with AUTH EXTERNAL; none: they are asked for none. */
    client_ca: z.union([absolutePath.transform((path) => [path]), z.array(absolutePath)]).default([]),
    /** Which part of a client's certificate is its user name: the e-mail address among its names, or its common name. */
    client_certificate_user: z.enum(["email", "cn"]).default("email"),
  })
  .optional();

/** What OpenSSL says against a list of ciphers; undefined when it takes it. */
function cipherFault(ciphers: string): string | undefined {
  try {
    createSecureContext({ ciphers });
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** As src/sasl/mechanisms.ts has them, which master, who reads the config, must not know. */
const MECHANISMS = [
  "PLAIN",
  "LOGIN",
  "SCRAM-SHA-256",
  "SCRAM-SHA-1",
  "SCRAM-SHA-256-PLUS",
  "SCRAM-SHA-1-PLUS",
  "EXTERNAL",
] as const;

/** What accounts/hash-policy.ts can write; named here again, since this file is read by processes that may know no accounts. */
export const PASSWORD_SCHEMES = [
  "argon2id",
  "yescrypt",
  "sha512-crypt",
  "sha256-crypt",
  "bcrypt",
  "scram-sha-256",
  "scram-sha-1",
] as const;

const auth = z
  .strictObject({
    passwd_file: absolutePath.default("/etc/dewey-pop3/passwd"),
    /** Where a password is taken without TLS: nowhere, from this host's own addresses 127.0.0.0/8 and ::1, anywhere. */
    plaintext_without_tls: z.enum(["never", "loopback", "always"]).default("loopback"),
    /**
     * SASL mechanisms, exactly these; PLAIN stands for USER and PASS, too. Unset: every one that works, which leaves SCRAM
     * out as long as no account has anything stored for it.
     */
    mechanisms: z.array(z.enum(MECHANISMS)).min(1).optional(),
    /**
     * A refused login is answered no sooner than this: it slows guessing down and hides how long checking took. Failures
     * beyond a handful (of an account, an address, or both) double it, up to max_failure_delay, and no more attempts are
     * checked in that time, however many connections they come by. At most 8s towards an MTA: Postfix waits for 10.
     * "0s" slows nobody down.
     */
    failure_delay: duration("2s"),
    /** Longer than this and mail programs give up; one attempt in 15 seconds is 5,760 a day, from everywhere together. */
    max_failure_delay: duration("15s"),
    /**
     * Networks whose addresses stand for many people, as webmail's and proxies' do: an address in them is not slowed down
     * for what different accounts got wrong. Each account's failures count from there, too.
     */
    throttle_exempt_nets: z
      .array(z.string().refine(isNetwork, 'expected networks such as "192.0.2.0/24" or "2001:db8::/32"'))
      .default(["127.0.0.0/8", "::1/128"]),
    /** Verifications at one time: each argon2id holds its memory while it runs, the others wait their turn. */
    parallel_verifications: z
      .int()
      .min(1)
      .max(256)
      .default(() => availableParallelism()),
    /**
     * What all verifications under way may hold together; more wait their turn. A hash in the file that asks for more than this
     * alone is refused: its line must not be able to end the process.
     */
    verification_memory: memory("512MiB", 1024),
    /** How new passwords are hashed: argon2id, or what an MTA that reads the passwd file itself can check. */
    password_scheme: z.enum(PASSWORD_SCHEMES).default("argon2id"),
    /** argon2id's cost for new hashes. OWASP's recommended minimum: a POP3 client logs in anew at every poll. */
    argon2_memory: memory("19MiB", 8),
    argon2_time: z.int().min(1).max(100).default(2),
    argon2_parallelism: z.int().min(1).max(16).default(1),
    /**
     * Replaces a weak hash after a login that showed the password. Off: it takes server.auth_user the right to replace the
     * passwd file, and with it whoever takes that process over; and Exim, where it reads the file itself, checks crypt alone.
     */
    rehash_on_login: z.boolean().default(false),
  })
  .refine((auth) => auth.argon2_memory <= auth.verification_memory, {
    path: ["argon2_memory"],
    message: "must not be more than auth.verification_memory, or nobody could log in",
  })
  .refine((auth) => auth.argon2_memory >= 8 * auth.argon2_parallelism, {
    path: ["argon2_memory"],
    message: "must be 8KiB for each of auth.argon2_parallelism at least",
  })
  .prefault({});

const accounts = z
  .strictObject({
    /**
     * Where uid, gid and home of an account come from when its line in the passwd file leaves them empty: "passwd-file":
     * nowhere; "system": from the host's user of the same name (getent(1): /etc/passwd, LDAP, sssd).
     */
    source: z.enum(["passwd-file", "system"]).default("passwd-file"),
  })
  .prefault({});

const mail = z
  .strictObject({
    /** "~" is the account's home, %u user@domain, %n user, %d domain; absolute or under "~". */
    maildir: z
      .string()
      .regex(/^(?:~(?:\/|$)|\/)/, 'expected an absolute path or one under "~"')
      .refine((path) => !path.includes("\0") && !/%[^und%]/.test(path), "only %u, %n, %d and %% are replaced")
      .default("~/Maildir"),
    /**
     * Whose uid and gid all mail belongs to. Without it, started as root, each account's mail belongs to the account's own
     * uid and gid, which get a mailbox process of their own, with no other groups than that gid.
     */
    user: userOrGroup.optional(),
    group: userOrGroup.optional(),
    /**
     * How a session has its maildrop to itself: "flock" by the kernel, across hosts where NFS's lock manager runs;
     * "dotlock" by a file, for file systems that cannot lock; "none" where something else sees to it.
     */
    lock: z.enum(["flock", "dotlock", "none"]).default("flock"),
    /**
     * The Maildirs stand on a file system that other hosts serve, too (NFS, CephFS): what it says is asked for anew instead of
     * believed from memory, its clock may differ from this host's by a minute, and ESTALE is tried again.
     */
    shared_storage: z.boolean().default(false),
    /** Whose mail is served where mail.user is not set; never root's. Debian's people begin at 1000, and 65534 is nobody. */
    first_uid: id.default(1000),
    last_uid: id.default(59_999),
    /** Debian's groups for people begin at 100 (users); disk, shadow, docker's like and adm lie elsewhere or need thought. */
    first_gid: id.default(100),
    last_gid: id.default(59_999),
    /** A user's mailbox process ends so long after its last session: starting one costs a login a moment, keeping it memory. */
    process_idle: duration("5m"),
    /** Mailbox processes at one time, each some 25 MB of its own; at the limit an idle one ends, else logins are refused. */
    max_user_processes: z.int().min(1).max(10_000).default(100),
    /** Moves messages that a client has got whole to cur/ with flag S, so that IMAP programs show them as read. */
    mark_seen: z.boolean().default(true),
    /** How long removed messages are kept in .dewey-deleted/ of their Maildir, for an undo; "off": not at all. */
    keep_deleted: written(parseKeepDeleted, KEEP_DELETED_FORM).default(0),
    /** A session's UPDATE removes what has been there for longer, in days; "never" (null). CAPA tells it as EXPIRE. */
    expire: written(parseExpireDays, EXPIRE_FORM).default(null),
  })
  .prefault({});

const socketPath = absolutePath.refine(
  (path) => Buffer.byteLength(path) <= 107,
  "too long for a UNIX socket, at most 107 bytes (unix(7))",
);

const octalMode = z
  .string()
  .regex(/^0?[0-7]{3}$/, 'expected an octal mode such as "0660"')
  .transform((mode) => Number.parseInt(mode, 8));

const mtaSocket = z.union([
  socketPath.transform((path) => ({ path })),
  z.strictObject({
    path: socketPath,
    user: userOrGroup.optional(),
    group: userOrGroup.optional(),
    mode: octalMode.optional(),
  }),
]);

const mtaSockets = z
  .union(
    [mtaSocket.transform((socket) => [socket]), z.array(mtaSocket)],
    'expected an absolute path of at most 107 bytes, or { path = "/…", user = "…", group = "…", mode = "0660" }, or a list of these',
  )
  .default([]);

const mta = z
  .strictObject({
    /** Dovecot auth protocol, for Postfix (a path in its chroot) and Exim. */
    sasl_socket: mtaSockets,
    /** Postfix socketmap: recipient, mailbox, uid, gid, sender-login. */
    socketmap_socket: mtaSockets,
    /**
     * Who may connect to the sockets that don't say so themselves. Whoever may, can try passwords: the MTA's user or
     * group, and nobody else.
     */
    socket_user: userOrGroup.optional(),
    socket_group: userOrGroup.optional(),
    socket_mode: z.string().default("0660").pipe(octalMode),
    /** Domains of the accounts without a domain in their names: mail for name@domain is theirs. */
    local_domains: z
      .array(
        z
          .string()
          .regex(/^[^\s@]+$/, 'expected a domain such as "example.org"')
          .toLowerCase(),
      )
      .default([]),
    /** The same maps as files, for the daemons of Postfix that refuse a socketmap (virtual(8)), and for Exim's lsearch. */
    postfix_maps: z
      .strictObject({
        /** Must be auth_user's: it writes there and runs postmap, which needs no root. */
        folder: absolutePath,
        /** As main.cf names it. "texthash": text alone, no postmap; Postfix would need a reload to see a change. */
        type: z.enum(POSTFIX_MAP_TYPES).default("hash"),
        /** Program and first arguments; another instance of Postfix: ["/usr/sbin/postmap", "-c", "/etc/postfix-two"]. */
        postmap: z.array(z.string().min(1)).min(1).default(["/usr/sbin/postmap"]),
      })
      .optional(),
  })
  .prefault({});

const cluster = z
  .strictObject({
    /**
     * Where nginx's mail proxy asks who may log in, and at which back end (auth_http). Whoever can connect may try passwords and
     * name any address as the client's: nginx's group on a UNIX socket, everybody on this host on a loopback address.
     */
    auth_http: z
      .union(
        [
          mtaSocket,
          listenAddress
            .refine(({ host }) => isLoopback(host), "must be a loopback address")
            .transform((address) => ({ address })),
        ],
        'expected an absolute path of at most 107 bytes, or { path = "/…", user = "…", group = "…", mode = "0660" }, or a loopback address such as "127.0.0.1:9143"',
      )
      .optional(),
    /** The hosts among which accounts are spread: IP addresses, since nginx takes no names, and ports of their listen_proxy. */
    backends: z
      .array(listenAddress)
      .refine(
        (addresses) => addresses.every(({ host, port }) => port > 0 && host !== "::" && host !== "0.0.0.0"),
        'expected an address that can be connected to, such as "192.0.2.11:10110"',
      )
      .default([]),
  })
  .prefault({});

const metricsPlace = z.union([mtaSocket, listenAddress]);

const metrics = z
  .strictObject({
    /** Where Prometheus finds what was counted, by HTTP at /metrics: addresses, or paths of UNIX sockets; none: nowhere. */
    listen: z
      .union(
        [metricsPlace.transform((place) => [place]), z.array(metricsPlace)],
        'expected such as "127.0.0.1:9911", "/run/dewey-pop3/metrics", { path = "/…", group = "…", mode = "0660" }, or a list of these',
      )
      .default([]),
    /**
     * Who may ask by TCP, whatever addresses are listened on. Numbers tell when a host is idle, ill or attacked: nobody but
     * this host unless you say so.
     */
    allow_nets: z.array(network).default(["127.0.0.0/8", "::1/128"]),
  })
  .prefault({});

const limits = z
  .strictObject({
    /**
     * Connections at one time, logged in or not. POP3 sessions last seconds: thousands at one time are a large host or an
     * attack, and each takes memory in two processes.
     */
    sessions: z.int().min(1).max(1_000_000).default(5_000),
    /**
     * From one IPv4 address or one IPv6 /64: enough for an office behind one address, and a small part of all for one
     * attacker. A webmail or a proxy without PROXY protocol needs more.
     */
    sessions_per_address: z.int().min(1).max(1_000_000).default(100),
    /** Of one account: one has the maildrop, the others wait for it, each with `lock_wait` to go. */
    sessions_per_account: z.int().min(1).max(1_000).default(10),
    /** From connecting to being logged in. */
    login_time: duration("3m"),
    /** Without a command after login; RFC 1939 §3 asks for ten minutes at least. */
    idle_time: duration("10m"),
    /**
     * A client that takes none of the octets that wait for it, or that acknowledges nothing on the network, counts as
     * gone after this, and its maildrop is free: within two minutes, so that somebody whose connection broke can come
     * back.
     */
    stall_time: duration("100s"),
    /**
     * Octets a second: a client that takes fewer while octets wait for it, over stall_time, counts as gone, too. Slower
     * than any modem; whoever reads so slowly only wants to hold a session.
     */
    min_rate: z.int().min(0).max(1_000_000).default(100),
    /** A login to a maildrop that another session has waits this long for it to end. */
    lock_wait: duration("3s"),
    /** Then a session without a command for this long is ended in favour of the new one. */
    takeover_idle: duration("60s"),
    /** Unknown, malformed or misplaced commands, and failed logins, before the connection is closed. */
    useless_commands_before_login: z.int().min(1).default(10),
    useless_commands: z.int().min(1).default(30),
    /** A process that gives master no sign of life for so long is killed and started again. */
    hang_time: duration("30s"),
    /** How long SIGTERM waits for commands that are running. */
    drain_time: duration("10s"),
  })
  .prefault({});

const log = z
  .strictObject({ level: z.enum(["debug", "info", "warn", "error"]).default("info") })
  .prefault({});

export const configSchema = z.strictObject({
  server,
  tls,
  auth,
  accounts,
  mail,
  mta,
  cluster,
  limits,
  metrics,
  log,
});

/** The whole config with its defaults; durations in ms. */
export type Config = z.infer<typeof configSchema>;
