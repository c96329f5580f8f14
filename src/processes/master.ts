// The master, run as root or whoever started it: opens sockets, starts and restarts the other processes with their
// final users, reloads, drains. It parses nothing that comes from the network.
import { randomBytes } from "node:crypto";
import { formatFault, loadConfig } from "../config/load.ts";
import { type Config, configSchema } from "../config/schema.ts";
import { controlSocket } from "../control/protocol.ts";
import type { AnswerOf } from "../control/questions.ts";
import { serveControl } from "../control/server.ts";
import { findGroup, findUser, type HostUser } from "../host/user-database.ts";
import type { Log } from "../log/log.ts";
import { type BindResult, type BoundSocket, bindTcp, bindUnix, serveUnix } from "../net/listen.ts";
import type { TlsSettings } from "../net/tls-endpoint.ts";
import { passOn } from "./fellow-workers.ts";
import { Inquiries, OwnRespondent } from "./inquiries.ts";
import { type MtaSockets, mtaSockets } from "./mta-sockets.ts";
import { authSocket, mailboxSocket } from "./placement.ts";
import { claimRuntimeDir, type RuntimeDirClaim } from "./runtime-dir.ts";
import {
  type AuthInheritance,
  authSettingsOf,
  type CombinedSettings,
  listenersOf,
  loginSettingsOf,
  mailboxSettingsOf,
} from "./settings.ts";
import { type ChildDescription, SupervisedChild } from "./supervision.ts";
import { formatTlsFault, TlsKeeper } from "./tls-keeper.ts";

/** Who each kind of process runs as; undefined: the starter itself. */
export interface ProcessUsers {
  /** Who may connect to the MTA's sockets. */
  readonly sockets: MtaSockets;
  readonly auth: HostUser | undefined;
  readonly login: HostUser | undefined;
  readonly mail: HostUser | undefined;
}

export type UsersResult =
  | { readonly kind: "users"; readonly users: ProcessUsers }
  /** `key` of the config that is to blame. */
  | { readonly kind: "unknown"; readonly key: string; readonly message: string };

/** Finds the users that the config names. Without root, or with `server.run_as = "starter"`, all keep the starter's uid. */
export function processUsers(config: Config, isRoot: boolean): UsersResult {
  const unknown = (key: string, message: string): UsersResult => ({ kind: "unknown", key, message });
  const sockets = mtaSockets(config.mta);
  if (sockets.kind === "unknown") return sockets;
  if (!isRoot || config.server.run_as === "starter") {
    return { kind: "users", users: { auth: undefined, login: undefined, mail: undefined, sockets } };
  }
  const { login_user, auth_user } = config.server;
  const login = findUser(login_user);
  if (login === undefined) return unknown("server.login_user", noSuchUser(login_user));
  const auth = findUser(auth_user);
  if (auth === undefined) return unknown("server.auth_user", noSuchUser(auth_user));
  if (config.mail.user === undefined) {
    return unknown(
      "mail.user",
      "set it to the owner of the mail: started as root, mail is never touched as root",
    );
  }
  const owner = findUser(config.mail.user);
  if (owner === undefined) return unknown("mail.user", noSuchUser(config.mail.user));
  const gid = config.mail.group === undefined ? owner.gid : findGroup(config.mail.group);
  if (gid === undefined) return unknown("mail.group", `no group "${config.mail.group}" on this host`);
  const mail = { uid: owner.uid, gid };
  for (const [key, user] of Object.entries({
    "mail.user": mail,
    "server.login_user": login,
    "server.auth_user": auth,
  })) {
    if (user.uid === 0 || user.gid === 0) return unknown(key, "must not be root, nor in root's group");
  }
  if (new Set([login.uid, auth.uid, mail.uid]).size < 3) {
    return unknown(
      "mail.user",
      "server.login_user, server.auth_user and mail.user must be three different users",
    );
  }
  return { kind: "users", users: { auth, login, mail, sockets } };
}

function noSuchUser(name: string): string {
  return `no user "${name}" on this host, make it with: useradd --system --no-create-home --shell /usr/sbin/nologin ${name}`;
}

export type StartResult =
  | { readonly kind: "running"; readonly master: Master }
  /** One line that says what to do. */
  | { readonly kind: "failed"; readonly message: string };

/** Starts everything; resolves when each process serves. */
export async function startMaster(
  configFile: string,
  config: Config,
  users: ProcessUsers,
  log: Log,
): Promise<StartResult> {
  const bound: { close(): void }[] = [];
  const abandon = (message: string): StartResult => {
    for (const socket of bound) socket.close();
    return { kind: "failed", message };
  };
  const keep = (result: BindResult): BoundSocket | string => {
    if (result.kind === "failed") return cannotListen(result.name, result.code);
    bound.push(result.socket);
    return result.socket;
  };

  // The public addresses first: a second server on the same port stops here and disturbs nothing.
  const listeners: BoundSocket[] = [];
  for (const { address } of listenersOf(config)) {
    const socket = keep(bindTcp(address, config.limits.stall_time + VANISHED_GRACE_MS));
    if (typeof socket === "string") return abandon(socket);
    listeners.push(socket);
  }
  const claim = claimRuntimeDir(config.server.runtime_dir);
  if (claim.kind === "failed") return abandon(claim.message);

  const { runtime_dir, processes, mailbox_processes, login_processes } = config.server;
  const isCombined = processes === "combined";
  // Only login processes may connect; they are the only ones with this uid.
  const clientUser = isCombined ? users.mail : users.login;
  const owner = { uid: clientUser?.uid, gid: clientUser?.gid, mode: 0o600 };
  const authListener = keep(bindUnix(authSocket(runtime_dir), owner));
  if (typeof authListener === "string") return abandon(authListener);
  const mtaListeners: BoundSocket[] = [];
  for (const { path, owner } of [...users.sockets.sasl, ...users.sockets.socketmap]) {
    const socket = keep(bindUnix(path, owner));
    if (typeof socket === "string") return abandon(socket);
    mtaListeners.push(socket);
  }
  const mailboxListeners: BoundSocket[] = [];
  for (let index = 0; !isCombined && index < mailbox_processes; index++) {
    const socket = keep(bindUnix(mailboxSocket(runtime_dir, index), owner));
    if (typeof socket === "string") return abandon(socket);
    mailboxListeners.push(socket);
  }

  const tls = new TlsKeeper({ log, onChange: () => master.tellLogins() });
  const [fault] = tls.configure(config.tls);
  if (fault !== undefined) {
    await tls.close();
    return abandon(`${configFile}: ${formatTlsFault(fault)}`);
  }

  const inquiries = new Inquiries();
  const control = await serveUnix(controlSocket(runtime_dir), 0o600, (socket) =>
    serveControl(socket, (...asked) => inquiries.ask(...asked)),
  );
  if (control.kind === "failed") return abandon(cannotListen(control.name, control.code));
  bound.push(control);

  const ticketKey = randomBytes(32).toString("base64");
  const inheritance: AuthInheritance = {
    ticketKey,
    mailOwner: users.mail ?? starter(),
    saslSockets: users.sockets.sasl.length,
    socketmapSockets: users.sockets.socketmap.length,
  };
  const current = { config };
  const workers: SupervisedChild[] = [];
  const children = [
    ...[
      {
        role: "auth" as const,
        name: "auth",
        sockets: [authListener, ...mtaListeners],
        user: users.auth,
        // Each verification keeps a thread busy; file access must not wait behind them.
        threads: config.auth.parallel_verifications + 2,
        settings: () => authSettingsOf(current.config, inheritance),
      },
    ],
    ...mailboxListeners.map((socket, index) => ({
      role: "mailbox" as const,
      name: `mailbox ${index}`,
      sockets: [socket],
      user: users.mail,
      settings: () => mailboxSettingsOf(current.config, ticketKey, index),
    })),
    ...Array.from(
      { length: login_processes },
      (_, index): ChildDescription =>
        isCombined
          ? {
              role: "combined",
              name: `worker ${index}`,
              sockets: listeners,
              user: users.mail,
              settings: () => combinedSettingsOf(current.config, ticketKey, tls.settings()),
              onFellowMessage: (message) => passOn(`worker ${index}`, message, workers),
            }
          : {
              role: "login",
              name: `login ${index}`,
              sockets: listeners,
              user: users.login,
              settings: () => loginSettingsOf(current.config, tls.settings()),
            },
    ),
  ].map((description) => new SupervisedChild(description, inquiries, log));
  if (isCombined) workers.push(...children.slice(1));

  const master: Master = new Master({ configFile, current, children, bound, claim, tls, log });
  inquiries.joined(new OwnRespondent(inquiries, { reload: (_, reply) => reply(master.reload()) }));
  // Auth first: whoever asks it finds it listening.
  const [auth, ...others] = children;
  const starts = [await auth!.start(), ...(await Promise.all(others.map((child) => child.start())))];
  const failed = starts.find((start) => start.kind === "failed");
  if (failed?.kind === "failed") {
    await master.drain();
    return { kind: "failed", message: failed.message };
  }
  log.info({ listen: listeners.map(({ name }) => name), processes, children: children.length }, "ready");
  return { kind: "running", master };
}

/** A client that is there and takes nothing is for the session to end, which can tell it apart in the log. */
const VANISHED_GRACE_MS = 5_000;

interface MasterParts {
  readonly configFile: string;
  readonly current: { config: Config };
  readonly children: readonly SupervisedChild[];
  readonly bound: readonly { close(): void }[];
  readonly claim: RuntimeDirClaim;
  readonly tls: TlsKeeper;
  readonly log: Log;
}

export class Master {
  readonly #parts: MasterParts;
  #drained: Promise<void> | undefined;

  constructor(parts: MasterParts) {
    this.#parts = parts;
  }

  /** Reads the config again and tells every process. A faulty config changes nothing. */
  reload(): AnswerOf<"reload"> {
    const { configFile, current, children, tls, log } = this.#parts;
    const result = loadConfig(configFile);
    if (result.kind === "faulty") {
      const faults = result.faults.map(formatFault);
      for (const fault of faults) log.error({ fault }, "config is faulty, the old one stays");
      return { faults, later: [] };
    }
    const later: string[] = [];
    const takesEffectLater = (key: string): void => {
      later.push(key);
      log.warn({ key }, "changed key takes effect at the next start");
    };
    // What sockets and processes were made from can't change under them.
    const { name, ...fixed } = result.config.server;
    for (const key of Object.keys(configSchema.shape.server.unwrap().shape) as (keyof typeof fixed)[]) {
      if (
        JSON.stringify(fixed[key]) === JSON.stringify(current.config.server[key]) ||
        (key as string) === "name"
      )
        continue;
      takesEffectLater(`server.${key}`);
    }
    for (const key of ["user", "group"] as const) {
      if (result.config.mail[key] === current.config.mail[key]) continue;
      takesEffectLater(`mail.${key}`);
    }
    for (const key of [
      "sasl_socket",
      "socketmap_socket",
      "socket_user",
      "socket_group",
      "socket_mode",
    ] as const) {
      if (JSON.stringify(result.config.mta[key]) === JSON.stringify(current.config.mta[key])) continue;
      takesEffectLater(`mta.${key}`);
    }
    current.config = { ...result.config, server: { ...current.config.server, name } };
    log.level = current.config.log.level;
    const faults = tls.configure(current.config.tls).map(formatTlsFault);
    for (const fault of faults) log.error({ fault }, "[tls] is refused, the old one stays");
    for (const child of children) child.reload();
    log.info({ configFile }, "reloaded");
    return { faults, later };
  }

  /** Hands certificates and ticket keys to those who serve with them. */
  tellLogins(): void {
    for (const child of this.#parts.children) if (child.servesClients) child.reload();
  }

  /** Stops accepting, lets running commands finish, ends every process. */
  drain(): Promise<void> {
    this.#drained ??= this.#drainOnce();
    return this.#drained;
  }

  async #drainOnce(): Promise<void> {
    const { current, children, bound, claim, tls } = this.#parts;
    await tls.close();
    for (const socket of bound) socket.close();
    const patienceMs = current.config.limits.drain_time + DRAIN_GRACE_MS;
    // Auth lives until nobody can ask it any more.
    const [auth, ...others] = children;
    await Promise.all(others.map((child) => child.drain(patienceMs)));
    await auth?.drain(patienceMs);
    claim.release();
  }
}

/** Without users of their own, all processes are the starter's, and so is the mail. */
function starter(): HostUser {
  return { uid: process.getuid!(), gid: process.getgid!() };
}

/** Beyond what the processes give their sessions, for the processes themselves, ms. */
const DRAIN_GRACE_MS = 3_000;

function combinedSettingsOf(
  config: Config,
  ticketKey: string,
  tls: TlsSettings | undefined,
): CombinedSettings {
  // A worker opens any account's maildrop, and only with tickets that it has just been given: it is process 0 of 1.
  const mailbox = { ...mailboxSettingsOf(config, ticketKey, 0), mailboxProcesses: 1 };
  return { login: loginSettingsOf(config, tls), mailbox };
}

function cannotListen(name: string, code: string): string {
  switch (code) {
    case "EADDRINUSE":
      return `cannot listen on ${name}: the address is in use by another program (ss -ltnp shows which)`;
    case "EACCES":
      return name.startsWith("/")
        ? `cannot listen on ${name}: permission denied (its folder must be writable for who starts the server)`
        : `cannot listen on ${name}: permission denied (ports below 1024 need root or socket activation)`;
    case "EADDRNOTAVAIL":
      return `cannot listen on ${name}: no such address on this host`;
    default:
      return `cannot listen on ${name}: ${code}`;
  }
}
