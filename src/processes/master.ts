// The master, run as root or whoever started it: opens sockets, starts and restarts the other processes with their
// final users, reloads, drains. It parses nothing that comes from the network.
import { randomBytes } from "node:crypto";
import { formatFault, loadConfig } from "../config/load.ts";
import { type Config, configSchema } from "../config/schema.ts";
import { inheritCounts, measure } from "../control/counters.ts";
import { controlSocket, readAnswer } from "../control/protocol.ts";
import type { AnswerOf } from "../control/questions.ts";
import { serveControl } from "../control/server.ts";
import { passedDescriptors, type ServiceManager, serviceManager, watchdogMs } from "../host/systemd.ts";
import type { Log } from "../log/log.ts";
import { isSameAddress, type ListenAddress } from "../net/address.ts";
import {
  type BindResult,
  type BoundSocket,
  bindTcp,
  bindUnix,
  passedSockets,
  serveUnix,
} from "../net/listen.ts";
import type { TlsSettings } from "../net/tls-endpoint.ts";
import { passOn } from "./fellow-workers.ts";
import { Inquiries, OwnRespondent } from "./inquiries.ts";
import { Liveness } from "./liveness.ts";
import { authSocket, mailboxSocket, nthPlace } from "./placement.ts";
import { processAnswers } from "./process-answers.ts";
import type { ProcessUsers } from "./process-users.ts";
import { claimRuntimeDir, type RuntimeDirClaim } from "./runtime-dir.ts";
import { SessionSums } from "./session-limits.ts";
import {
  type AuthInheritance,
  authSettingsOf,
  type CombinedSettings,
  listenersOf,
  loginSettingsOf,
  type MailOwner,
  mailboxSettingsOf,
  metricsSettingsOf,
} from "./settings.ts";
import { type ChildDescription, SupervisedChild } from "./supervision.ts";
import { formatTlsFault, TlsKeeper } from "./tls-keeper.ts";
import { type PlaceAnswer, type UserLimits, UserMailboxes } from "./user-mailboxes.ts";

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

  const vanishedMs = config.limits.stall_time + VANISHED_GRACE_MS;
  const passed = passedSockets(passedDescriptors(), vanishedMs);
  if (passed.kind === "failed") {
    return abandon(`descriptor ${passed.fd}, passed by systemd, is no TCP socket (${passed.code})`);
  }
  const unclaimed = new Set(passed.sockets);
  const openTcp = (address: ListenAddress): BoundSocket | string => {
    const socket = [...unclaimed].find((each) => isSameAddress(each.address, address));
    if (socket === undefined) return keep(bindTcp(address, vanishedMs));
    unclaimed.delete(socket);
    bound.push(socket);
    return socket;
  };
  // The public addresses first: a second server on the same port stops here and disturbs nothing.
  const listeners: BoundSocket[] = [];
  for (const { address } of listenersOf(config)) {
    const socket = openTcp(address);
    if (typeof socket === "string") return abandon(socket);
    listeners.push(socket);
  }
  for (const { name } of unclaimed) {
    return abandon(
      `systemd passed a socket on ${name} that no key of [server] names: add it there, or take it out of the .socket unit`,
    );
  }
  const claim = claimRuntimeDir(config.server.runtime_dir);
  if (claim.kind === "failed") return abandon(claim.message);

  const { runtime_dir, processes, mailbox_processes, login_processes } = config.server;
  const isCombined = processes === "combined";
  const sharedOwner = users.mail === "each-account" ? undefined : users.mail;
  // Only login processes may connect; they are the only ones with this uid.
  const clientUser = isCombined ? sharedOwner : users.login;
  const owner = { uid: clientUser?.uid, gid: clientUser?.gid, mode: 0o600 };
  const authListener = keep(bindUnix(authSocket(runtime_dir), owner));
  if (typeof authListener === "string") return abandon(authListener);
  const mtaListeners: BoundSocket[] = [];
  for (const { path, owner } of [...users.sockets.sasl, ...users.sockets.socketmap]) {
    const socket = keep(bindUnix(path, owner));
    if (typeof socket === "string") return abandon(socket);
    mtaListeners.push(socket);
  }
  const { authHttp } = users.sockets;
  if (authHttp !== undefined) {
    const socket = keep(
      "path" in authHttp ? bindUnix(authHttp.path, authHttp.owner) : bindTcp(authHttp, vanishedMs),
    );
    if (typeof socket === "string") return abandon(socket);
    mtaListeners.push(socket);
  }
  const metricsListeners: BoundSocket[] = [];
  for (const place of users.sockets.metrics) {
    const socket = keep("port" in place ? bindTcp(place, vanishedMs) : bindUnix(place.path, place.owner));
    if (typeof socket === "string") return abandon(socket);
    metricsListeners.push(socket);
  }
  const mailboxListeners: BoundSocket[] = [];
  const sharedProcesses = isCombined || users.mail === "each-account" ? 0 : mailbox_processes;
  for (let index = 0; index < sharedProcesses; index++) {
    const socket = keep(bindUnix(mailboxSocket(runtime_dir, nthPlace(index)), owner));
    if (typeof socket === "string") return abandon(socket);
    mailboxListeners.push(socket);
  }

  const tls = new TlsKeeper({ log, onChange: () => master.tellLogins() });
  measure("certificate_days_left", () => tls.daysLeft());
  const [fault] = tls.configure(config.tls);
  if (fault !== undefined) {
    await tls.close();
    return abandon(`${configFile}: ${formatTlsFault(fault)}`);
  }

  const inquiries = new Inquiries();
  inquiries.onStatsLeft = (told) => {
    const stats = readAnswer("stats", told);
    if (stats.kind === "read") inheritCounts(stats.value.counters, stats.value.commandTimes);
  };
  const control = await serveUnix(controlSocket(runtime_dir), 0o600, (socket) =>
    serveControl(socket, (...asked) => inquiries.ask(...asked)),
  );
  if (control.kind === "failed") return abandon(cannotListen(control.name, control.code));
  bound.push(control);

  const ticketKey = randomBytes(32).toString("base64");
  const inheritance: AuthInheritance = {
    ticketKey,
    mailOwner: users.mail === "each-account" ? undefined : (users.mail ?? starter()),
    // Any worker opens any account's maildrop, and only with tickets that it has just been given: each is process 0.
    mailboxProcesses: isCombined ? 1 : mailbox_processes,
    saslSockets: users.sockets.sasl.length,
    socketmapSockets: users.sockets.socketmap.length,
    authHttpSockets: authHttp === undefined ? 0 : 1,
  };
  const current = { config };
  const sums = new SessionSums();
  const workers: SupervisedChild[] = [];
  const userMailboxes = new UserMailboxes({
    runtimeDir: runtime_dir,
    socketOwner: owner,
    reservedUids: [users.auth, users.login, users.metrics].flatMap((user) => user?.uid ?? []),
    limits: () => userLimitsOf(current.config),
    settings: (mailOwner) => mailboxSettingsOf(current.config, ticketKey, mailOwner),
    makeChild: (description) => new SupervisedChild(description, inquiries, log),
    log,
  });
  const children: SupervisedChild[] = [
    ...[
      {
        role: "auth" as const,
        name: "auth",
        // Where one user has all mail, auth has no reason to ask.
        onPlace: (id: number, mailOwner: MailOwner): void => {
          const answer: PlaceAnswer | Promise<PlaceAnswer> =
            users.mail === "each-account" ? userMailboxes.place(mailOwner) : "not-allowed";
          void Promise.resolve(answer).then((placed) =>
            children[0]!.send({ kind: "placed", id, answer: placed }),
          );
        },
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
      user: sharedOwner,
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
              sums,
              user: sharedOwner,
              settings: () => combinedSettingsOf(current.config, ticketKey, tls.settings()),
              onFellowMessage: (message) => passOn(`worker ${index}`, message, workers),
            }
          : {
              role: "login",
              name: `login ${index}`,
              sockets: listeners,
              sums,
              user: users.login,
              settings: () => loginSettingsOf(current.config, tls.settings()),
            },
    ),
  ].map((description) => new SupervisedChild(description, inquiries, log));
  if (isCombined) workers.push(...children.slice(1));
  const metrics =
    metricsListeners.length === 0
      ? []
      : [
          new SupervisedChild(
            {
              role: "metrics",
              name: "metrics",
              sockets: metricsListeners,
              user: users.metrics,
              settings: () => metricsSettingsOf(current.config),
              onAskStats: () => void tellStats(inquiries, metrics[0]!),
            },
            inquiries,
            log,
          ),
        ];

  const manager = serviceManager();
  const status = (): string => {
    const { running } = userMailboxes.counts();
    const forUsers = users.mail === "each-account" ? `, ${running} users' mailbox processes` : "";
    return `serving on ${listeners.map(({ name }) => name).join(", ")}${forUsers}`;
  };
  const liveness = new Liveness({
    children,
    others: () => [...userMailboxes.children(), ...metrics],
    hangMs: () => current.config.limits.hang_time,
    watchdogMs: watchdogMs(),
    manager,
    status,
  });
  const master: Master = new Master({
    configFile,
    current,
    children: [...children, ...metrics],
    userMailboxes,
    bound,
    claim,
    tls,
    liveness,
    manager,
    status,
    log,
  });
  inquiries.joined(
    new OwnRespondent(inquiries, {
      ...processAnswers("master"),
      reload: (_, reply) => reply(master.reload()),
    }),
  );
  // Auth first: whoever asks it finds it listening.
  const [auth, ...others] = children;
  const starts = [
    await auth!.start(),
    ...(await Promise.all([...others, ...metrics].map((child) => child.start()))),
  ];
  const failed = starts.find((start) => start.kind === "failed");
  if (failed?.kind === "failed") {
    await master.drain();
    return { kind: "failed", message: failed.message };
  }
  log.info(
    {
      listen: listeners.map(({ name }) => name),
      ...(metrics.length === 0 ? {} : { metrics: metricsListeners.map(({ name }) => name) }),
      processes,
      children: children.length + metrics.length,
    },
    "ready",
  );
  manager.ready(status());
  liveness.start();
  return { kind: "running", master };
}

/** A client that is there and takes nothing is for the session to end, which can tell it apart in the log. */
const VANISHED_GRACE_MS = 5_000;

interface MasterParts {
  readonly configFile: string;
  readonly current: { config: Config };
  readonly children: readonly SupervisedChild[];
  readonly userMailboxes: UserMailboxes;
  readonly bound: readonly { close(): void }[];
  readonly claim: RuntimeDirClaim;
  readonly tls: TlsKeeper;
  readonly liveness: Liveness;
  readonly manager: ServiceManager;
  status(): string;
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
    this.#parts.manager.reloading();
    const answer = this.#reload();
    this.#parts.manager.ready(this.#parts.status());
    return answer;
  }

  #reload(): AnswerOf<"reload"> {
    const { configFile, current, children, userMailboxes, tls, log } = this.#parts;
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
    if (JSON.stringify(result.config.cluster.auth_http) !== JSON.stringify(current.config.cluster.auth_http))
      takesEffectLater("cluster.auth_http");
    if (JSON.stringify(result.config.metrics.listen) !== JSON.stringify(current.config.metrics.listen))
      takesEffectLater("metrics.listen");
    current.config = { ...result.config, server: { ...current.config.server, name } };
    log.level = current.config.log.level;
    const faults = tls.configure(current.config.tls).map(formatTlsFault);
    for (const fault of faults) log.error({ fault }, "[tls] is refused, the old one stays");
    for (const child of children) child.reload();
    userMailboxes.reload();
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
    const { current, children, userMailboxes, bound, claim, liveness, manager, tls } = this.#parts;
    liveness.stop();
    manager.stopping();
    await tls.close();
    for (const socket of bound) socket.close();
    const patienceMs = current.config.limits.drain_time + DRAIN_GRACE_MS;
    // Auth lives until nobody can ask it any more.
    const [auth, ...others] = children;
    await Promise.all([...others.map((child) => child.drain(patienceMs)), userMailboxes.drain(patienceMs)]);
    await auth?.drain(patienceMs);
    claim.release();
  }
}

/** All that the metrics process may ask. */
async function tellStats(inquiries: Inquiries, asker: SupervisedChild): Promise<void> {
  const silent = await inquiries.ask(
    { kind: "stats" },
    (from, answer) => asker.send({ kind: "stats", from, answer }),
    new AbortController().signal,
  );
  asker.send({ kind: "stats-end", silent: silent.length });
}

function userLimitsOf({ mail }: Config): UserLimits {
  return {
    firstUid: mail.first_uid,
    lastUid: mail.last_uid,
    firstGid: mail.first_gid,
    lastGid: mail.last_gid,
    maxProcesses: mail.max_user_processes,
    idleMs: mail.process_idle,
  };
}

/** Without users of their own, all processes are the starter's, and so is the mail. */
function starter(): MailOwner {
  return { uid: process.getuid!(), gid: process.getgid!() };
}

/** Beyond what the processes give their sessions, for the processes themselves, ms. */
const DRAIN_GRACE_MS = 3_000;

function combinedSettingsOf(
  config: Config,
  ticketKey: string,
  tls: TlsSettings | undefined,
): CombinedSettings {
  return { login: loginSettingsOf(config, tls), mailbox: mailboxSettingsOf(config, ticketKey, 0) };
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
