// Which child processes there are, and what each of them gets: sockets, user, settings. Runs in master.
import { randomBytes } from "node:crypto";
import type { Config } from "../../config/schema.ts";
import type { TlsSettings } from "../../net/tls-endpoint.ts";
import {
  type AuthInheritance,
  authSettingsOf,
  type CombinedSettings,
  loginSettingsOf,
  type MailOwner,
  mailboxSettingsOf,
  metricsSettingsOf,
} from "../settings.ts";
import type { OpenSockets } from "./open-sockets.ts";
import type { ProcessUsers } from "./process-users.ts";
import { SessionSums } from "./session-sums.ts";
import { type ChildDescription, SupervisedChild, type SupervisionOptions } from "./supervision.ts";
import { type UserLimits, UserMailboxes } from "./user-mailboxes.ts";

export interface Children {
  /** Those that there are all the time. Auth first: whoever asks it must find it listening. */
  readonly fixed: readonly SupervisedChild[];
  /** Whom no client needs. */
  readonly metrics: readonly SupervisedChild[];
  /** Those of system users. */
  readonly userMailboxes: UserMailboxes;
}

export interface ChildrenOptions {
  readonly users: ProcessUsers;
  readonly sockets: OpenSockets;
  readonly supervision: SupervisionOptions;
  /** As of now: after a reload, another one. What processes and sockets are made from stays. */
  config(): Config;
  /** As of now, for those who serve clients. */
  tls(): TlsSettings | undefined;
}

export function describeChildren({ users, sockets, supervision, config, tls }: ChildrenOptions): Children {
  const { runtime_dir, processes, mailbox_processes, login_processes } = config().server;
  const isCombined = processes === "combined";
  const ticketKey = randomBytes(32).toString("base64");
  const inheritance: AuthInheritance = {
    ticketKey,
    mailOwner: users.mail === "each-account" ? undefined : (users.mail ?? starter()),
    // Any worker opens any account's maildrop, and only with tickets that it has just been given: each is process 0.
    mailboxProcesses: isCombined ? 1 : mailbox_processes,
    mayRememberLogins: isCombined,
    saslSockets: users.sockets.sasl.length,
    socketmapSockets: users.sockets.socketmap.length,
    authHttpSockets: users.sockets.authHttp === undefined ? 0 : 1,
  };
  const sums = new SessionSums(() => {
    const { sessions, sessions_per_address } = config().limits;
    return { maxSessions: sessions, maxSessionsPerAddress: sessions_per_address };
  });
  const sharedOwner = users.mail === "each-account" ? undefined : users.mail;
  const make = (description: ChildDescription): SupervisedChild =>
    new SupervisedChild(description, supervision);
  const userMailboxes = new UserMailboxes({
    runtimeDir: runtime_dir,
    socketOwner: sockets.clientsOwner,
    reservedUids: [users.auth, users.login, users.metrics].flatMap((user) => user?.uid ?? []),
    limits: () => userLimitsOf(config()),
    settings: (mailOwner) => mailboxSettingsOf(config(), ticketKey, mailOwner),
    makeChild: (description) => make({ ...description, sums }),
    log: supervision.log,
  });
  const auth = make({
    role: "auth",
    name: "auth",
    // Where one user has all mail, auth has no reason to ask.
    onPlace: async (mailOwner: MailOwner) =>
      users.mail === "each-account" ? userMailboxes.place(mailOwner) : "not-allowed",
    sockets: sockets.auth,
    user: users.auth,
    // Each verification keeps a thread busy; file access must not wait behind them.
    threads: config().auth.parallel_verifications + 2,
    settings: () => authSettingsOf(config(), inheritance),
  });
  const mailboxes = sockets.mailboxes.map((socket, index) =>
    make({
      role: "mailbox",
      name: `mailbox ${index}`,
      sockets: [socket],
      sums,
      user: sharedOwner,
      settings: () => mailboxSettingsOf(config(), ticketKey, index),
    }),
  );
  const clientServers: SupervisedChild[] = Array.from({ length: login_processes }, (_, index) =>
    make(
      isCombined
        ? {
            role: "combined",
            name: `worker ${index}`,
            sockets: sockets.listeners,
            sums,
            user: sharedOwner,
            settings: () => combinedSettingsOf(config(), ticketKey, tls()),
            fellows: () => clientServers,
          }
        : {
            role: "login",
            name: `login ${index}`,
            sockets: sockets.listeners,
            sums,
            user: users.login,
            settings: () => loginSettingsOf(config(), tls()),
          },
    ),
  );
  const metrics =
    sockets.metrics.length === 0
      ? []
      : [
          make({
            role: "metrics",
            name: "metrics",
            sockets: sockets.metrics,
            user: users.metrics,
            settings: () => metricsSettingsOf(config()),
            readsStats: true,
          }),
        ];
  return { fixed: [auth, ...mailboxes, ...clientServers], metrics, userMailboxes };
}

function userLimitsOf({ mail }: Config): UserLimits {
  return {
    ...mail,
    maxProcesses: mail.max_user_processes,
    idleMs: mail.process_idle,
  };
}

/** Without users of their own, all processes are the starter's, and so is the mail. */
function starter(): MailOwner {
  return { uid: process.getuid!(), gid: process.getgid!() };
}

function combinedSettingsOf(
  config: Config,
  ticketKey: string,
  tls: TlsSettings | undefined,
): CombinedSettings {
  return {
    login: loginSettingsOf(config, tls),
    mailbox: mailboxSettingsOf(config, ticketKey, 0),
    passwdFile: config.auth.passwd_file,
  };
}
