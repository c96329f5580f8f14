// Keeps one child process running: starts it by exec with its final user and a bare environment, restarts it with
// back-off when it ends, drains it. Runs in master; restarting loses no connection that waits in a backlog, because
// the listening sockets stay open in master.
import { type ChildProcess, spawn } from "node:child_process";
import type { Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { count } from "../control/counters.ts";
import type { Question } from "../control/questions.ts";
import type { HostUser } from "../host/user-database.ts";
import type { Log } from "../log/log.ts";
import type { BoundSocket } from "../net/listen.ts";
import { Channel } from "./channel.ts";
import { OWN_USER } from "./child.ts";
import type { FellowMessage } from "./fellow-workers.ts";
import type { Inquiries, Respondent } from "./inquiries.ts";
import type { Probed } from "./liveness.ts";
import type { Counts, SessionSums } from "./session-limits.ts";
import { type MailOwner, type Role, type ToChild, toMaster } from "./settings.ts";

export interface ChildDescription {
  readonly role: Role;
  /** For people: "mailbox 0". */
  readonly name: string;
  readonly sockets: readonly BoundSocket[];
  /** Undefined: the starter's own. */
  readonly user: HostUser | undefined;
  /** Size of libuv's thread pool; its own default, 4, where undefined. */
  readonly threads?: number;
  /** Settings as of now; asked again at each restart and reload. */
  settings(): unknown;
  /** Adds up the connections of login processes. */
  readonly sums?: SessionSums;
  /** A worker says something to its fellows. */
  readonly onFellowMessage?: (message: FellowMessage) => void;
  /** Auth: a mailbox process is needed for this owner. */
  onPlace?(id: number, owner: MailOwner): void;
  /** Metrics: it wants to know what all processes have counted. */
  onAskStats?(): void;
  /** The mailbox process of one owner: sessions it has, tickets it was shown since it last told. */
  onSessions?(open: number, presented: number): void;
  /** For a child that is started on demand: it ended without having been told to, and is not started again. */
  onGone?(): void;
}

export type ChildStart = { readonly kind: "serves" } | { readonly kind: "failed"; readonly message: string };

const FIRST_BACK_OFF_MS = 100;
const LONGEST_BACK_OFF_MS = 10_000;

/** A child that lived this long was well: the next failure starts with the shortest back-off again. */
const WELL_AFTER_MS = 30_000;

/** Node starts within a second on an idle machine; login waits a minute for auth's answer. */
const START_PATIENCE_MS = 30_000;

export class SupervisedChild implements Respondent, Probed {
  readonly #description: ChildDescription;
  readonly #log: Log;
  readonly #inquiries: Inquiries;
  #process: ChildProcess | undefined;
  #channel: Channel | undefined;
  #startedAtMs = 0;
  /** Questions for a sign of life since the last answer. */
  #unanswered = 0;
  #isHung = false;
  #backOffMs = FIRST_BACK_OFF_MS;
  #startTimer: NodeJS.Timeout | undefined;
  #restart: NodeJS.Timeout | undefined;
  #isDraining = false;
  #onStarted: ((result: ChildStart) => void) | undefined;
  #onEnded: (() => void) | undefined;

  constructor(description: ChildDescription, inquiries: Inquiries, log: Log) {
    this.#description = description;
    this.#inquiries = inquiries;
    this.#log = log.child({ child: description.name });
  }

  get name(): string {
    return this.#description.name;
  }

  /**
   * Starts the child; resolves when it serves. One that ends before has something wrong that a restart won't mend:
   * that is a failure, and it is not started again.
   */
  start(): Promise<ChildStart> {
    return new Promise((resolve) => {
      this.#onStarted = resolve;
      this.#spawn();
    });
  }

  /** Whether it has the private keys, and the clients' connections. */
  get servesClients(): boolean {
    return this.#description.role === "login" || this.#description.role === "combined";
  }

  probe(patience: number): boolean {
    // While it starts, its start has a time of its own.
    if (this.#process === undefined || this.#startTimer !== undefined) return false;
    if (this.#unanswered >= patience) {
      this.#log.error({ childPid: this.#process.pid }, "child gives no sign of life, ending it");
      this.#isHung = true;
      this.#process.kill("SIGKILL");
      return false;
    }
    this.#unanswered++;
    this.send({ kind: "ping" });
    return this.#unanswered === 1;
  }

  reload(): void {
    this.send({ kind: "configure", settings: this.#description.settings() });
  }

  ask(id: number, question: Question): boolean {
    if (this.#channel === undefined) return false;
    this.send({ kind: "ask", id, question });
    return true;
  }

  hear(counts: Counts): void {
    this.send({ kind: "sessions-elsewhere", counts });
  }

  cancel(id: number): void {
    this.send({ kind: "cancel", id });
  }

  /** Resolves when the child is gone; it is killed when it takes longer than `patienceMs`. */
  drain(patienceMs: number): Promise<void> {
    this.#isDraining = true;
    clearTimeout(this.#restart);
    const child = this.#process;
    if (child === undefined) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#log.warn({ patienceMs }, "child did not drain in time, killing it");
        child.kill("SIGKILL");
      }, patienceMs);
      this.#onEnded = () => {
        clearTimeout(timer);
        resolve();
      };
      this.send({ kind: "drain" });
    });
  }

  #spawn(): void {
    const { role, sockets, user, threads } = this.#description;
    const script = fileURLToPath(new URL(`./${role}${import.meta.url.slice(-3)}`, import.meta.url));
    this.#startedAtMs = Date.now();
    this.#unanswered = 0;
    this.#isHung = false;
    this.#startTimer = setTimeout(() => this.#process?.kill("SIGKILL"), START_PATIENCE_MS);
    let child: ChildProcess;
    try {
      child = spawn(
        process.execPath,
        [script, `${sockets.length}`, ...(user === undefined ? [] : [OWN_USER])],
        {
          stdio: ["ignore", "inherit", "inherit", "pipe", ...sockets.map(({ fd }) => fd)],
          env: childEnvironment(threads),
          cwd: "/",
          // With a uid given, libuv also drops all supplementary groups.
          ...(user === undefined ? {} : { uid: user.uid, gid: user.gid }),
        },
      );
    } catch (error) {
      // Node throws what it does not tell by event, such as EPERM (no right to change the user) or ENOMEM.
      this.#onExit(undefined, (error as Error).message);
      return;
    }
    this.#process = child;
    this.#channel = new Channel(child.stdio[3] as Socket, {
      onMessage: (message) => {
        if (this.#process === child) this.#onMessage(message);
      },
      onBroken: (reason) => {
        this.#log.error({ childPid: child.pid }, `child ${reason}, ending it`);
        child.kill("SIGKILL");
      },
      // A child that cannot be told to end any more has no reason to go on; one that has ended is not there to be killed.
      onClose: () => child.kill("SIGKILL"),
    });
    child.on("error", (error) => {
      // A child that was never started has no pid; one that may not be killed (EPERM) is still there.
      if (child.pid === undefined) this.#onExit(child, error.message);
      else this.#log.error({ childPid: child.pid, cause: error.message }, "cannot signal child");
    });
    child.on("exit", (code, signal) => this.#onExit(child, signal ?? `exit ${code}`));
    this.send({ kind: "configure", settings: this.#description.settings() });
  }

  #onMessage(raw: unknown): void {
    const message = toMaster.safeParse(raw);
    if (!message.success) {
      this.#log.error("malformed message from child, ending it");
      this.#process?.kill("SIGKILL");
      return;
    }
    const said = message.data;
    switch (said.kind) {
      case "ready":
        this.#log.debug({ childPid: this.#process?.pid }, "child serves");
        this.#endStart();
        this.#settleStart({ kind: "serves" });
        this.#inquiries.joined(this);
        this.#description.sums?.joined(this);
        return;
      case "pong":
        this.#unanswered = 0;
        return;
      case "answer":
        this.#inquiries.answer(this, said.id, said.answer);
        return;
      case "answered":
        this.#inquiries.answered(this, said.id);
        return;
      case "place":
        this.#description.onPlace?.(said.id, said.owner);
        return;
      case "last-stats":
        this.#inquiries.toldStats(this, said.answer);
        this.send({ kind: "stats-kept" });
        return;
      case "ask-stats":
        this.#description.onAskStats?.();
        return;
      case "sessions":
        this.#description.onSessions?.(said.open, said.presented);
        return;
      case "ask-holder":
      case "tell-holder":
        this.#description.onFellowMessage?.(said);
        return;
      case "sessions-here":
        this.#description.sums?.told(this, said.counts);
        return;
      default:
        said satisfies never;
    }
  }

  #settleStart(start: ChildStart): void {
    this.#onStarted?.(start);
    this.#onStarted = undefined;
  }

  #endStart(): void {
    clearTimeout(this.#startTimer);
    this.#startTimer = undefined;
  }

  #onExit(child: ChildProcess | undefined, how: string): void {
    if (this.#process !== child) return;
    this.#process = undefined;
    this.#inquiries.left(this);
    this.#description.sums?.left(this);
    this.#channel = undefined;
    this.#endStart();
    if (this.#isDraining) {
      this.#settleStart({ kind: "failed", message: "the server is shutting down" });
      this.#onEnded?.();
      return;
    }
    if (this.#onStarted !== undefined) {
      const message = `the ${this.#description.name} process ended before it served (${how}), its reason stands above`;
      this.#settleStart({ kind: "failed", message });
      return;
    }
    count("processes_ended", [this.#description.role, this.#isHung ? "hung" : "died"]);
    if (this.#description.onGone !== undefined) {
      this.#log.error({ childPid: child?.pid, how }, "child ended");
      this.#description.onGone();
      return;
    }
    if (Date.now() - this.#startedAtMs > WELL_AFTER_MS) this.#backOffMs = FIRST_BACK_OFF_MS;
    this.#log.error(
      { childPid: child?.pid, how, restartInMs: this.#backOffMs },
      "child ended, restarting it",
    );
    this.#restart = setTimeout(() => this.#spawn(), this.#backOffMs);
    this.#backOffMs = Math.min(this.#backOffMs * 2, LONGEST_BACK_OFF_MS);
  }

  send(message: ToChild): void {
    // A child that has just ended gets its settings when it is started again.
    this.#channel?.send(message);
  }
}

/** What a child may know of the starter's environment: nothing that steers Node, no secret that happens to be there. */
function childEnvironment(threads: number | undefined): NodeJS.ProcessEnv {
  const { TZ, LANG } = process.env;
  return {
    // Message buffers are mapped one by one and given back when they are free. Left to itself, glibc takes the first one that
    // is freed for a reason to keep the others: after a rush of clients a worker would stay as large as it was.
    MALLOC_MMAP_THRESHOLD_: "131072",
    // argon2 takes memory anew for each verification: in huge pages it costs a fifth less, for the page faults that are spared.
    ...(threads === undefined
      ? {}
      : { UV_THREADPOOL_SIZE: `${threads}`, GLIBC_TUNABLES: "glibc.malloc.hugetlb=1" }),
    ...(TZ === undefined ? {} : { TZ }),
    ...(LANG === undefined ? {} : { LANG }),
  };
}
