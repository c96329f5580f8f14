// The slice of the config that each kind of process is given: a child is told only what it may know.
import { z } from "zod";
import { hashPolicyOf } from "../config/hash-policy.ts";
import { UTF8_HEADERS } from "../config/mail-policy.ts";
import { PASSWORD_SCHEMES } from "../config/schema/auth.ts";
import { POSTFIX_MAP_TYPES } from "../config/schema/mta.ts";
import { LANGUAGE_TAGS } from "../config/schema/server.ts";
import type { Config } from "../config/schema.ts";
import { writesToJournal } from "../host/systemd.ts";
import { WORKAROUNDS } from "../mime/workarounds.ts";
import type { ListenAddress } from "../net/address.ts";
import type { TlsSettings } from "../net/tls-endpoint.ts";
import { nthPlace, PLACE, placeOf } from "./placement.ts";
import { placeKeyOf } from "./ticket.ts";

const log = z.strictObject({
  level: z.enum(["debug", "info", "warn", "error"]),
  format: z.enum(["json", "text"]),
  isJournal: z.boolean(),
});
const milliseconds = z.int().nonnegative();
const key = z.base64().length(44);
const hostId = z.int().min(0).max(4_294_967_294);
export const mailOwner = z.strictObject({ uid: hostId, gid: hostId });

const address = z.strictObject({ host: z.string(), port: z.int() });

/** What every process is given. */
const ownSettings = {
  log,
  /** Above this it asks to be replaced. */
  maxMemoryBytes: z.int().positive(),
  /** How long it may go on with its sessions when it has been replaced. */
  retireTimeMs: milliseconds,
};

const authSettings = z.strictObject({
  ...ownSettings,
  passwdFile: z.string(),
  maildir: z.string(),
  failureDelayMs: milliseconds,
  maxFailureDelayMs: milliseconds,
  throttleExemptNets: z.array(z.string()),
  /** May hold a password: never to be logged. */
  throttleStore: z.string().optional(),
  parallelVerifications: z.int().positive(),
  verificationMemoryKib: z.int().positive(),
  /** Clients of all login processes, of which each may be about to log in. */
  maxSessions: z.int().positive(),
  rehashOnLogin: z.boolean(),
  hashPolicy: z.strictObject({
    scheme: z.enum(PASSWORD_SCHEMES),
    argon2: z.strictObject({
      memoryKib: z.int().positive(),
      iterations: z.int().positive(),
      parallelism: z.int().positive(),
    }),
  }),
  mechanisms: z.array(z.string()).optional(),
  /** Whether clients may log in by a certificate. */
  takesCertificates: z.boolean(),
  expireDays: z.int().positive().nullable(),
  ticketKey: key,
  /** Whose all mail is; left out where each account has an owner of its own. */
  mailOwner: mailOwner.optional(),
  /** How many processes share the accounts where all mail has one owner. */
  mailboxProcesses: z.int().positive(),
  /** Whether login processes are given leave to remember logins. */
  mayRememberLogins: z.boolean(),
  accountsSource: z.enum(["passwd-file", "system"]),
  /** How many sockets of each kind were inherited, in this order behind the login processes' own. */
  saslSockets: z.int().nonnegative(),
  socketmapSockets: z.int().nonnegative(),
  /** One for nginx behind them, or none. */
  authHttpSockets: z.int().min(0).max(1),
  backEnds: z.array(address),
  sharedStorage: z.boolean(),
  /** For who comes by nginx; login processes have their own. */
  plaintextWithoutTls: z.enum(["never", "loopback", "always"]),
  maxUselessCommands: z.int().positive(),
  localDomains: z.array(z.string()),
  postfixMaps: z
    .strictObject({ folder: z.string(), type: z.enum(POSTFIX_MAP_TYPES), postmap: z.array(z.string()) })
    .optional(),
});

const mailboxSettings = z.strictObject({
  ...ownSettings,
  serverName: z.string(),
  language: z.enum(LANGUAGE_TAGS),
  /** The process's name, as tickets have it. */
  place: z.string().regex(PLACE),
  /** Whose mail it serves, where each account has an owner of its own. */
  owner: mailOwner.optional(),
  ticketKey: key,
  idleTimeMs: milliseconds,
  stallTimeMs: milliseconds,
  minOctetsPerSecond: z.int().nonnegative(),
  lockWaitMs: milliseconds,
  takeoverIdleMs: milliseconds,
  maxSessionsPerAccount: z.int().positive(),
  lock: z.enum(["flock", "dotlock", "none"]),
  sharedStorage: z.boolean(),
  markSeen: z.boolean(),
  utf8Headers: z.enum(UTF8_HEADERS),
  workarounds: z.array(z.enum(WORKAROUNDS)),
  keepDeletedMs: milliseconds,
  expireDays: z.int().positive().nullable(),
  maxUselessCommands: z.int().positive(),
  drainTimeMs: milliseconds,
});

const listener = z.strictObject({
  /** TLS from the first octet. */
  tls: z.boolean(),
  /** Each connection begins with a PROXY header. */
  proxy: z.boolean(),
});

/** Secrets: never to be logged. */
const tlsSettings = z.strictObject({
  keyPairs: z.array(z.strictObject({ certificate: z.string(), privateKey: z.string() })).min(1),
  minVersion: z.enum(["TLSv1.2", "TLSv1.3"]),
  ciphers: z.string().optional(),
  clientAuthorities: z.array(z.string()),
  revocationLists: z.array(z.string()),
  ticketKeys: z.array(z.base64().length(64)).min(1).max(2),
  ticketLifetimeMs: milliseconds,
});

const loginSettings = z.strictObject({
  ...ownSettings,
  serverName: z.string(),
  language: z.enum(LANGUAGE_TAGS),
  runtimeDir: z.string(),
  /** What the inherited sockets are, in their order. */
  listeners: z.array(listener),
  proxyNetworks: z.array(z.string()),
  proxyEndsTls: z.boolean(),
  certificateUserField: z.enum(["email", "cn"]),
  /** Undefined: no certificate. */
  tls: tlsSettings.optional(),
  plaintextWithoutTls: z.enum(["never", "loopback", "always"]),
  loginTimeMs: milliseconds,
  maxSessions: z.int().positive(),
  maxSessionsPerAddress: z.int().positive(),
  stallTimeMs: milliseconds,
  minOctetsPerSecond: z.int().nonnegative(),
  maxUselessCommands: z.int().positive(),
  drainTimeMs: milliseconds,
});

const metricsSettings = z.strictObject({ ...ownSettings, allowNets: z.array(z.string()) });

const combinedSettings = z.strictObject({
  login: loginSettings,
  mailbox: mailboxSettings,
  /** Looked at, never read. */
  passwdFile: z.string(),
});

export type Listener = z.infer<typeof listener>;
export type MailOwner = z.infer<typeof mailOwner>;
export type AuthSettings = z.infer<typeof authSettings>;
export type MailboxSettings = z.infer<typeof mailboxSettings>;
export type LoginSettings = z.infer<typeof loginSettings>;
export type MetricsSettings = z.infer<typeof metricsSettings>;
export type CombinedSettings = z.infer<typeof combinedSettings>;

export const settingsSchemas = {
  auth: authSettings,
  mailbox: mailboxSettings,
  login: loginSettings,
  combined: combinedSettings,
  metrics: metricsSettings,
} as const;

export type OwnSettings = Pick<LoginSettings, keyof typeof ownSettings>;

/** Of whichever role. */
export function ownSettingsIn(settings: SettingsOf<Role>): OwnSettings {
  return "login" in settings ? settings.login : settings;
}

export type Role = keyof typeof settingsSchemas;
export type SettingsOf<R extends Role> = z.infer<(typeof settingsSchemas)[R]>;

/** What auth is given that does not change while master runs. */
export interface AuthInheritance
  extends Pick<
    AuthSettings,
    | "mailOwner"
    | "mailboxProcesses"
    | "mayRememberLogins"
    | "saslSockets"
    | "socketmapSockets"
    | "authHttpSockets"
  > {
  /** 32 random bytes in base64. */
  readonly ticketKey: string;
}

function ownSettingsOf(config: Config) {
  return {
    log: logSettingsOf(config),
    maxMemoryBytes: config.limits.process_memory * 1024,
    retireTimeMs: config.limits.retire_time,
  };
}

export function logSettingsOf(config: Config): z.infer<typeof log> {
  return { ...config.log, isJournal: writesToJournal() };
}

export function authSettingsOf(config: Config, inheritance: AuthInheritance): AuthSettings {
  return {
    ...ownSettingsOf(config),
    passwdFile: config.auth.passwd_file,
    maildir: config.mail.maildir,
    expireDays: config.mail.expire,
    failureDelayMs: config.auth.failure_delay,
    maxFailureDelayMs: config.auth.max_failure_delay,
    throttleExemptNets: config.auth.throttle_exempt_nets,
    throttleStore: config.auth.throttle_store,
    parallelVerifications: config.auth.parallel_verifications,
    mechanisms: config.auth.mechanisms,
    takesCertificates: config.tls !== undefined && config.tls.client_ca.length > 0,
    accountsSource: config.accounts.source,
    localDomains: config.mta.local_domains,
    backEnds: config.cluster.backends,
    sharedStorage: config.mail.shared_storage,
    plaintextWithoutTls: config.auth.plaintext_without_tls,
    maxUselessCommands: config.limits.useless_commands_before_login,
    postfixMaps: config.mta.postfix_maps,
    verificationMemoryKib: config.auth.verification_memory,
    maxSessions: config.limits.sessions,
    // What verifications hold for a moment comes and goes.
    maxMemoryBytes: ownSettingsOf(config).maxMemoryBytes + config.auth.verification_memory * 1024,
    rehashOnLogin: config.auth.rehash_on_login,
    hashPolicy: hashPolicyOf(config),
    ...inheritance,
  };
}

/**
 * @param ticketKey auth's, of which the process gets what is made for it
 * @param whose the process's index among `server.mailbox_processes`, or the one owner that it is for
 */
export function mailboxSettingsOf(
  config: Config,
  ticketKey: string,
  whose: number | MailOwner,
): MailboxSettings {
  const place = typeof whose === "number" ? nthPlace(whose) : placeOf(whose);
  return {
    ...ownSettingsOf(config),
    serverName: config.server.name,
    language: config.server.language,
    place,
    ...(typeof whose === "number" ? {} : { owner: whose }),
    ticketKey: placeKeyOf(ticketKey, place),
    idleTimeMs: config.limits.idle_time,
    stallTimeMs: config.limits.stall_time,
    minOctetsPerSecond: config.limits.min_rate,
    lockWaitMs: config.limits.lock_wait,
    takeoverIdleMs: config.limits.takeover_idle,
    maxSessionsPerAccount: config.limits.sessions_per_account,
    lock: config.mail.lock,
    sharedStorage: config.mail.shared_storage,
    markSeen: config.mail.mark_seen,
    utf8Headers: config.mail.utf8_headers,
    workarounds: config.mail.workarounds,
    keepDeletedMs: config.mail.keep_deleted,
    expireDays: config.mail.expire,
    maxUselessCommands: config.limits.useless_commands,
    drainTimeMs: config.limits.drain_time,
  };
}

/** What `server.listen` and its like open, in the order in which login processes inherit their sockets. */
export function listenersOf({ server }: Config): readonly (Listener & { readonly address: ListenAddress })[] {
  const { listen, listen_tls, listen_proxy, listen_tls_proxy } = server;
  return [
    ...listen.map((address) => ({ address, tls: false, proxy: false })),
    ...listen_tls.map((address) => ({ address, tls: true, proxy: false })),
    ...listen_proxy.map((address) => ({ address, tls: false, proxy: true })),
    ...listen_tls_proxy.map((address) => ({ address, tls: true, proxy: true })),
  ];
}

/** @param tls with private keys and ticket keys, for login processes alone */
export function loginSettingsOf(config: Config, tls: TlsSettings | undefined): LoginSettings {
  return {
    ...ownSettingsOf(config),
    serverName: config.server.name,
    language: config.server.language,
    runtimeDir: config.server.runtime_dir,
    listeners: listenersOf(config).map(({ tls, proxy }) => ({ tls, proxy })),
    proxyNetworks: config.server.proxy_networks,
    proxyEndsTls: config.server.proxy_ends_tls,
    certificateUserField: config.tls?.client_certificate_user ?? "email",
    tls: tls && {
      ...tls,
      keyPairs: [...tls.keyPairs],
      clientAuthorities: [...tls.clientAuthorities],
      revocationLists: [...tls.revocationLists],
      ticketKeys: [...tls.ticketKeys],
    },
    plaintextWithoutTls: config.auth.plaintext_without_tls,
    loginTimeMs: config.limits.login_time,
    maxSessions: config.limits.sessions,
    maxSessionsPerAddress: config.limits.sessions_per_address,
    stallTimeMs: config.limits.stall_time,
    minOctetsPerSecond: config.limits.min_rate,
    maxUselessCommands: config.limits.useless_commands_before_login,
    drainTimeMs: config.limits.drain_time,
  };
}

export function metricsSettingsOf(config: Config): MetricsSettings {
  return { ...ownSettingsOf(config), allowNets: config.metrics.allow_nets };
}
