// What every child process of master does alike: waits for its settings, serves, drains when told or when master is
// gone. Runs in auth, login and mailbox processes, as their final user.
import * as net from "node:net";
import type { Handlers, Question } from "../control/questions.ts";
import { createLog, type Log } from "../log/log.ts";
import { FellowWorkers } from "./fellow-workers.ts";
import { Answering } from "./inquiries.ts";
import { type Role, type SettingsOf, settingsSchemas, type ToMaster, toChild } from "./settings.ts";

export interface ChildService<Settings> {
  /** After a reload; sessions that begin from now on follow the new settings. */
  configure(settings: Settings): void | Promise<void>;
  /** Takes no new work, ends what there is in good order; resolves when nothing is left. */
  drain(): Promise<void>;
  /** What it can tell pop3-ctl, part by part. */
  readonly answers?: readonly Handlers[];
}

/** Descriptors of the sockets that master opened for this process; 3 is the channel to master. */
export const FIRST_LISTENER_FD = 4;

/**
 * Runs this process as a child of master.
 *
 * @param listeners how many sockets were inherited is told by the argument after the script's name
 * @param start begins to serve; the process says `ready` once it resolves
 */
export function runChild<R extends Role>(
  role: R,
  start: (
    settings: SettingsOf<R>,
    context: { log: Log; listenerFds: readonly number[]; fellows: FellowWorkers },
  ) => Promise<ChildService<SettingsOf<R>>>,
): void {
  const listenerFds = Array.from(
    { length: Number(process.argv[2] ?? 0) },
    (_, index) => FIRST_LISTENER_FD + index,
  );
  let log = createLog(role, "info");
  let service: Promise<ChildService<SettingsOf<R>>> | undefined;
  let answering: Answering | undefined;
  let isDraining = false;
  const fellows = new FellowWorkers(send);

  const fail = (cause: unknown, what: string): never => {
    log.fatal({ err: cause }, what);
    process.exit(1);
  };

  const drain = (): void => {
    if (isDraining) return;
    isDraining = true;
    if (service === undefined) process.exit(0);
    service
      .then((running) => running.drain())
      .then(
        () => process.exit(0),
        (error: unknown) => fail(error, "draining failed"),
      );
  };

  // A fault in an answer is nobody's trouble but the asker's.
  const answer = (id: number, question: Question): void => {
    const reply = (content: unknown): void => send({ kind: "answer", id, answer: content });
    void (answering ?? new Answering([]))
      .answer(id, question, reply)
      .catch((error: unknown) => log.error({ err: error, question: question.kind }, "cannot answer"))
      .finally(() => send({ kind: "answered", id }));
  };

  process.on("message", (raw) => {
    const message = toChild.safeParse(raw);
    if (!message.success) return fail(message.error, "malformed message from master");
    if (message.data.kind === "drain") return drain();
    if (message.data.kind === "ask") return answer(message.data.id, message.data.question);
    if (message.data.kind === "cancel") return answering?.cancel(message.data.id);
    if (message.data.kind !== "configure") return fellows.handle(message.data);
    const settings = settingsSchemas[role].safeParse(message.data.settings);
    if (!settings.success) return fail(settings.error, "malformed settings from master");
    const given = settings.data as SettingsOf<R>;
    const { logLevel } = "login" in given ? given.login : given;
    if (service !== undefined) {
      log.level = logLevel;
      service
        .then((running) => running.configure(given))
        .catch((error: unknown) => fail(error, "reload failed"));
      return;
    }
    log = createLog(role, logLevel);
    service = start(given, { log, listenerFds, fellows });
    service.then(
      ({ answers = [] }) => {
        answering = new Answering(answers);
        send({ kind: "ready" });
      },
      (error: unknown) => fail(error, "cannot start"),
    );
  });

  // Master is gone, by whatever way: serve nobody that it does not know of.
  process.on("disconnect", drain);
  process.on("SIGTERM", drain);
  // Ctrl-C reaches the whole process group; master tells us when it is time.
  process.on("SIGINT", () => {});
  process.on("SIGHUP", () => {});
  process.on("uncaughtException", (error) => fail(error, "uncaught fault"));
  process.on("unhandledRejection", (error) => fail(error, "uncaught fault"));
}

function send(message: ToMaster): void {
  process.send?.(message);
}

/**
 * Serves on an inherited socket; resolves when it listens.
 *
 * @param allowHalfOpen whether a client that closes its sending side still gets its answers, and the session ends the
 * connection; otherwise its end is ours
 */
export function serveFd(
  fd: number,
  { allowHalfOpen }: { readonly allowHalfOpen: boolean },
  onConnection: (socket: net.Socket) => void,
): Promise<net.Server> {
  const server = net.createServer({ allowHalfOpen, noDelay: true }, onConnection);
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
