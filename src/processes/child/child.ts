// What every child process of master does alike: waits for its settings, serves, makes room for a successor, drains when
// told or when master is gone. Runs in auth, login and mailbox processes, as their final user.
import * as net from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { type Handlers, isStreaming, type Question } from "../../control/link/questions.ts";
import { harden } from "../../host/harden.ts";
import { createLog, type Log } from "../../log/log.ts";
import type { Counts } from "../session-counts.ts";
import { type OwnSettings, ownSettingsIn, type Role, type SettingsOf, settingsSchemas } from "../settings.ts";
import { Answering } from "./answering.ts";
import { Channel } from "./channel.ts";
import { FellowWorkers } from "./fellow-workers.ts";
import { watchMemory } from "./memory-watch.ts";
import { type PlaceAnswer, type ToMaster, toChild } from "./messages.ts";
import { ownStats, processAnswers } from "./process-answers.ts";
import type { StatsMessage } from "./stats-requests.ts";

export interface ChildService<Settings> {
  /**
   * @param index of the socket it came by, in the order in which they were inherited; left out by a service that listens by
   * itself
   */
  accept?(socket: net.Socket, index: number): void;
  /**
   * Whether a client that closes its sending side still gets its answers, and the session ends the connection, which is so
   * where this is left out; otherwise its end is ours.
   */
  allowsHalfOpen?(index: number): boolean;
  /** After a reload; sessions that begin from now on follow the new settings. */
  configure(settings: Settings): void | Promise<void>;
  /** Takes no new work, ends what there is in good order; resolves when nothing is left. */
  drain(): Promise<void>;
  /**
   * Another process is about to take over, and nothing is accepted any more. What is under way goes on.
   *
   * @returns what its successor has to know, as JSON
   */
  retire?(): Promise<unknown>;
  /** What its successor has to know before that and does not fit one message: each part comes to `succeed`. */
  handOn?(): readonly unknown[];
  /** Resolves when nothing is under way any more. */
  whenIdle(): Promise<void>;
  /** What the one before it has left; undefined if it could not say all. Before the first connection is accepted. */
  succeed?(handed: unknown): void;
  /** In a login process: what the others have. */
  heardCounts?(counts: Counts): void;
  /** In a login process: together they have too many, and this is its part of what may be. @returns what stays beyond it */
  keepTo?(parts: Counts): Counts;
  /** What it can tell pop3-ctl, part by part. */
  readonly answers?: readonly Handlers[];
  /** In metrics: what it has asked for. */
  statsCame?(message: StatsMessage): void;
  /** In auth: what came of a request for a mailbox process. */
  placed?(id: number, answer: PlaceAnswer): void;
}

/** An argument of processes that do not run as the starter. */
export const OWN_USER = "own-user";

/** For master to take note of what was counted, at the end. */
const LAST_STATS_MS = 1_000;

const CHANNEL_FD = 3;

/** Descriptors of the sockets that master opened for this process come behind the channel to master. */
const FIRST_LISTENER_FD = 4;

/**
 * Runs this process as a child of master.
 *
 * The arguments after the script's name tell how many sockets were inherited, and whether the user is one of our own.
 *
 * @param start begins to serve; the process says `ready` once it resolves
 */
export function runChild<R extends Role>(
  role: R,
  start: (
    settings: SettingsOf<R>,
    context: {
      log: Log;
      listenerFds: readonly number[];
      fellows: FellowWorkers;
      send(message: ToMaster): void;
    },
  ) => Promise<ChildService<SettingsOf<R>>>,
): void {
  harden(process.argv[3] === OWN_USER);
  const listenerFds = Array.from(
    { length: Number(process.argv[2] ?? 0) },
    (_, index) => FIRST_LISTENER_FD + index,
  );
  // As the config has it once master has told.
  const log = createLog(role, { level: "info", format: "json", isJournal: false });
  let service: Promise<ChildService<SettingsOf<R>>> | undefined;
  let answering: Answering | undefined;
  let own: OwnSettings;
  let listening: readonly net.Server[] = [];
  let isRetiring = false;
  let isDraining = false;
  const fellows = new FellowWorkers((message) => send(message));

  const fail = (cause: unknown, what: string): never => {
    log.fatal({ err: cause }, what);
    process.exit(1);
  };

  // Master goes on counting from there.
  let statsKept = (): void => {};
  const sayLastStats = async (): Promise<void> => {
    if (!channel.isOpen) return;
    await new Promise<void>((resolve) => {
      statsKept = resolve;
      setTimeout(resolve, LAST_STATS_MS);
      send({ kind: "last-stats", answer: ownStats(role) });
    });
  };

  const listen = async (running: ChildService<SettingsOf<R>>): Promise<void> => {
    if (running.accept === undefined) return;
    listening = await Promise.all(listenerFds.map((fd, index) => serveFd(fd, index, running)));
    if (isDraining) stopListening();
  };
  const stopListening = (): void => {
    for (const server of listening) server.close();
    listening = [];
  };

  const drain = (): void => {
    if (isDraining) return;
    isDraining = true;
    if (service === undefined) process.exit(0);
    stopListening();
    service
      .then((running) => running.drain())
      .then(sayLastStats)
      .then(
        () => process.exit(0),
        (error: unknown) => fail(error, "draining failed"),
      );
  };

  const takeOver = async (handed: unknown): Promise<void> => {
    const running = await service;
    if (running === undefined) return;
    running.succeed?.(handed);
    await listen(running);
  };

  /** One part at a time: master keeps none, and its channel to a slow successor is not to overflow. */
  let partTaken = (): void => {};
  const retire = async (): Promise<void> => {
    const running = await service;
    if (running === undefined || isRetiring || isDraining) return;
    isRetiring = true;
    stopListening();
    const handed = await running.retire?.();
    for (const part of running.handOn?.() ?? []) {
      const taken = new Promise<void>((resolve) => {
        partTaken = resolve;
      });
      send({ kind: "hand-on", part });
      await taken;
    }
    send({ kind: "retired", handed });
    await Promise.race([running.whenIdle(), delay(own.retireTimeMs)]);
    drain();
  };

  // A fault in an answer is nobody's trouble but the asker's.
  const answer = (id: number, question: Question): void => {
    const say = (content: unknown): void => send({ kind: "answer", id, answer: content });
    // Who follows a log that is written faster than it is read misses lines; a list has to be whole.
    const whole: unknown[] = [];
    const reply = (content: unknown): void => {
      if (!isStreaming(question.kind)) whole.push(content);
      else if (!channel.isBusy) say(content);
    };
    void (answering ?? new Answering([]))
      .answer(id, question, reply)
      .then(async () => {
        for (const content of whole) {
          if (channel.isBusy) await channel.whenRead();
          say(content);
        }
      })
      .catch((error: unknown) => log.error({ err: error, question: question.kind }, "cannot answer"))
      .finally(() => send({ kind: "answered", id }));
  };

  const onMessage = (raw: unknown) => {
    const message = toChild.safeParse(raw);
    if (!message.success) return fail(message.error, "malformed message from master");
    if (message.data.kind === "drain") return drain();
    if (message.data.kind === "ask") return answer(message.data.id, message.data.question);
    if (message.data.kind === "cancel") return answering?.cancel(message.data.id);
    if (message.data.kind === "retire") {
      retire().catch((error: unknown) => fail(error, "retiring failed"));
      return;
    }
    if (message.data.kind === "take-over") {
      takeOver(message.data.handed).catch((error: unknown) => fail(error, "cannot take over"));
      return;
    }
    if (message.data.kind === "part-taken") return partTaken();
    if (message.data.kind === "take-part") {
      const { part } = message.data;
      void service?.then(({ succeed }) => {
        succeed?.(part);
        send({ kind: "part-taken" });
      });
      return;
    }
    if (message.data.kind === "ping") return send({ kind: "pong" });
    if (message.data.kind === "stats-kept") return statsKept();
    if (message.data.kind === "sessions-elsewhere") {
      const { counts } = message.data;
      void service?.then(({ heardCounts }) => heardCounts?.(counts));
      return;
    }
    if (message.data.kind === "sessions-part") {
      const { counts } = message.data;
      void service?.then(({ keepTo }) => {
        const kept = keepTo?.(counts) ?? {};
        if (Object.keys(kept).length > 0) send({ kind: "sessions-kept", counts: kept });
      });
      return;
    }
    if (message.data.kind === "placed") {
      const { id, answer } = message.data;
      void service?.then(({ placed }) => placed?.(id, answer));
      return;
    }
    if (message.data.kind === "stats" || message.data.kind === "stats-end") {
      const said = message.data;
      void service
        ?.then(({ statsCame }) => statsCame?.(said))
        .catch((error: unknown) => fail(error, "malformed stats"));
      return;
    }
    if (message.data.kind !== "configure") return fellows.handle(message.data);
    const settings = settingsSchemas[role].safeParse(message.data.settings);
    if (!settings.success) return fail(settings.error, "malformed settings from master");
    const given = settings.data as SettingsOf<R>;
    own = ownSettingsIn(given);
    log.configure(own.log);
    if (service !== undefined) {
      service
        .then((running) => running.configure(given))
        .catch((error: unknown) => fail(error, "reload failed"));
      return;
    }
    service = start(given, { log, listenerFds, fellows, send });
    const { isSuccessor = false } = message.data;
    const begun = service.then(async (running) => {
      if (!isSuccessor) await listen(running);
      return running;
    });
    begun.then(
      ({ answers = [] }) => {
        answering = new Answering([processAnswers(role), ...answers]);
        watchMemory({
          maxBytes: () => own.maxMemoryBytes,
          onOver: (rssBytes) => send({ kind: "over-memory", rssBytes }),
        });
        send({ kind: "ready" });
      },
      (error: unknown) => fail(error, "cannot start"),
    );
  };

  const channel = new Channel(new net.Socket({ fd: CHANNEL_FD }), {
    onMessage,
    onBroken: (reason) => fail(new Error(`master ${reason}`), "malformed message from master"),
    // Master is gone, by whatever way: serve nobody that it does not know of.
    onClose: drain,
  });
  const send = (message: ToMaster): void => channel.send(message);

  process.on("SIGTERM", drain);
  // Ctrl-C reaches the whole process group; master tells us when it is time.
  process.on("SIGINT", () => {});
  process.on("SIGHUP", () => {});
  process.on("uncaughtException", (error) => fail(error, "uncaught fault"));
  process.on("unhandledRejection", (error) => fail(error, "uncaught fault"));
}

/** Serves on an inherited socket; resolves when it listens. */
function serveFd(
  fd: number,
  index: number,
  service: Pick<ChildService<never>, "accept" | "allowsHalfOpen">,
): Promise<net.Server> {
  const allowHalfOpen = service.allowsHalfOpen?.(index) ?? true;
  const server = net.createServer({ allowHalfOpen, noDelay: true }, (socket) =>
    service.accept?.(socket, index),
  );
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    // Beside `fd`, Node takes the backlog as an argument only.
    server.listen({ fd }, LISTEN_BACKLOG, () => {
      server.off("error", reject);
      resolve(server);
    });
  });
}

/** Connections that wait while every process is busy; the kernel caps it at net.core.somaxconn. */
const LISTEN_BACKLOG = 4096;
