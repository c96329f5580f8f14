// The master, run as root or whoever started it: opens sockets, starts and restarts the other processes with their
// final users, reloads, drains. It parses nothing that comes from the network.
import { formatFault, loadConfig } from "../config/load.ts";
import { type Config, configSchema } from "../config/schema.ts";
import { inheritCounts, measure } from "../control/counters/counters.ts";
import { controlSocket, readAnswer } from "../control/link/protocol.ts";
import type { AnswerOf } from "../control/link/questions.ts";
import { serveControl } from "../control/link/server.ts";
import { type ServiceManager, serviceManager, watchdogMs } from "../host/systemd.ts";
import type { ProcessLog } from "../log/log.ts";
import { serveUnix } from "../net/listen.ts";
import { processAnswers } from "./child/process-answers.ts";
import { describeChildren } from "./master/child-descriptions.ts";
import { Inquiries, OwnRespondent } from "./master/inquiries.ts";
import { Liveness } from "./master/liveness.ts";
import { cannotListen, type OpenSockets, openSockets } from "./master/open-sockets.ts";
import type { ProcessUsers } from "./master/process-users.ts";
import type { SupervisedChild } from "./master/supervision.ts";
import { formatTlsFault } from "./master/tls-files.ts";
import { TlsKeeper } from "./master/tls-keeper.ts";
import type { UserMailboxes } from "./master/user-mailboxes.ts";
import { logSettingsOf } from "./settings.ts";

export type StartResult =
  | { readonly kind: "running"; readonly master: Master }
  /** One line that says what to do. */
  | { readonly kind: "failed"; readonly message: string };

/** Starts everything; resolves when each process serves. */
export async function startMaster(
  configFile: string,
  config: Config,
  users: ProcessUsers,
  log: ProcessLog,
): Promise<StartResult> {
  const opened = openSockets(config, users);
  if (opened.kind === "failed") return opened;
  const { sockets } = opened;
  const bound: { close(): void }[] = [sockets];
  const abandon = (message: string): StartResult => {
    for (const socket of bound) socket.close();
    return { kind: "failed", message };
  };

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
  const control = await serveUnix(controlSocket(config.server.runtime_dir), 0o600, (socket) =>
    serveControl(socket, (...asked) => inquiries.ask(...asked)),
  );
  if (control.kind === "failed") return abandon(cannotListen(control.name, control.code));
  bound.push(control);

  const current = { config };
  const {
    fixed: children,
    metrics,
    userMailboxes,
  } = describeChildren({
    users,
    sockets,
    supervision: {
      inquiries,
      retirePatienceMs: () => current.config.limits.retire_time + drainPatienceMs(current.config),
      log,
    },
    config: () => current.config,
    tls: () => tls.settings(),
  });
  const listen = sockets.listeners.map(({ name }) => name);
  const manager = serviceManager();
  const status = (): string => {
    const { running } = userMailboxes.counts();
    const forUsers = users.mail === "each-account" ? `, ${running} users' mailbox processes` : "";
    return `serving on ${listen.join(", ")}${forUsers}`;
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
    ...{ configFile, current, sockets, userMailboxes, bound, tls, liveness, manager, status, log },
    children: [...children, ...metrics],
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
      listen,
      ...(metrics.length === 0 ? {} : { metrics: sockets.metrics.map(({ name }) => name) }),
      processes: config.server.processes,
      children: children.length + metrics.length,
    },
    "ready",
  );
  manager.ready(status());
  liveness.start();
  return { kind: "running", master };
}

interface MasterParts {
  readonly configFile: string;
  readonly current: { config: Config };
  readonly children: readonly SupervisedChild[];
  readonly userMailboxes: UserMailboxes;
  readonly bound: readonly { close(): void }[];
  readonly sockets: OpenSockets;
  readonly tls: TlsKeeper;
  readonly liveness: Liveness;
  readonly manager: ServiceManager;
  status(): string;
  readonly log: ProcessLog;
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
    const { configFile, current, children, sockets, userMailboxes, tls, log } = this.#parts;
    const result = loadConfig(configFile);
    if (result.kind === "faulty") {
      const faults = result.faults.map(formatFault);
      for (const fault of faults) log.error({ fault }, "config is faulty, the old one stays");
      return { faults, later: [], kept: [] };
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
    log.configure(logSettingsOf(current.config));
    sockets.configure(current.config.limits);
    const refused = tls.configure(current.config.tls).map(formatTlsFault);
    for (const fault of refused) log.error({ fault }, "[tls] is refused, the old one stays");
    for (const child of children) child.reload();
    userMailboxes.reload();
    log.info({ configFile }, "reloaded");
    return { faults: [], later, kept: [...refused, ...tls.kept.map(formatTlsFault)] };
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
    const { current, children, userMailboxes, bound, sockets, liveness, manager, tls } = this.#parts;
    liveness.stop();
    manager.stopping();
    await tls.close();
    for (const socket of bound) socket.close();
    const patienceMs = drainPatienceMs(current.config);
    // Auth lives until nobody can ask it any more.
    const [auth, ...others] = children;
    await Promise.all([...others.map((child) => child.drain(patienceMs)), userMailboxes.drain(patienceMs)]);
    await auth?.drain(patienceMs);
    sockets.claim.release();
  }
}

function drainPatienceMs({ limits }: Config): number {
  return limits.drain_time + DRAIN_GRACE_MS;
}

/** Beyond what the processes give their sessions, for the processes themselves, ms. */
const DRAIN_GRACE_MS = 3_000;
