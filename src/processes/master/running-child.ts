// One child process from exec to exit: started with its final user and a bare environment, asked for signs of life, told
// what to do. Whether there is one at all, and which one is the present one, is for its supervision. Runs in master.
import { type ChildProcess, spawn } from "node:child_process";
import type { Socket } from "node:net";
import { fileURLToPath } from "node:url";
import type { Question } from "../../control/link/questions.ts";
import type { HostUser } from "../../host/user-database.ts";
import type { Log } from "../../log/log.ts";
import type { BoundSocket } from "../../net/listen.ts";
import { Channel } from "../child/channel.ts";
import { OWN_USER } from "../child/child.ts";
import type { FellowMessage, FellowWorker } from "../child/fellow-workers.ts";
import { type PlaceAnswer, type ToChild, type ToMaster, toMaster } from "../child/messages.ts";
import type { Counts } from "../session-counts.ts";
import type { MailOwner, Role } from "../settings.ts";
import type { Inquiries, Respondent } from "./inquiries.ts";
import type { Probed } from "./liveness.ts";
import { nodeOptions } from "./node-options.ts";
import type { CountingProcess, SessionSums } from "./session-sums.ts";

export interface RunningChildOptions {
  readonly role: Role;
  /** For people: "mailbox 0". */
  readonly name: string;
  readonly sockets: readonly BoundSocket[];
  /** Undefined: the starter's own. */
  readonly user: HostUser | undefined;
  /** Size of libuv's thread pool; its own default, 4, where undefined. */
  readonly threads?: number;
  /** Settings as of now; asked again at each reload. */
  settings(): unknown;
  /** Adds up the connections of processes that count them. */
  readonly sums?: SessionSums;
  /** Metrics: it may ask what all processes have counted, and nothing else. */
  readonly readsStats?: true;
  /** Auth: a mailbox process is needed for this owner. */
  onPlace?(owner: MailOwner): Promise<PlaceAnswer>;
}

/** What its supervision hears of it; nothing after `onEnded`, and nothing before the constructor has returned. */
export interface ChildReports {
  /** It serves; a successor: it will, as soon as it is told to take over. */
  onReady(): void;
  onOverMemory(rssBytes: number): void;
  /** Retiring, it has part of what its successor has to know. */
  onHandOn(part: unknown): void;
  /** As a successor, it has the last part. */
  onPartTaken(): void;
  /** It takes nothing new any more. @param handed what its successor has to know */
  onRetired(handed: unknown): void;
  /** @param presented tickets that it was shown since it last told */
  onSessions(presented: number): void;
  onFellowMessage(message: FellowMessage): void;
  onEnded(how: string): void;
}

/** Node starts within a second on an idle machine; login waits a minute for auth's answer. */
const START_PATIENCE_MS = 30_000;

let lastKey = 0;

export class RunningChild implements Respondent, Probed, CountingProcess, FellowWorker {
  readonly #options: RunningChildOptions;
  readonly #inquiries: Inquiries;
  readonly #log: Log;
  readonly #reports: ChildReports;
  readonly #isSuccessor: boolean;
  readonly startedAtMs = Date.now();
  readonly key = `${++lastKey}`;
  readonly #process: ChildProcess | undefined;
  readonly #channel: Channel | undefined;
  #startTimer: NodeJS.Timeout | undefined;
  #killTimer: NodeJS.Timeout | undefined;
  /** Questions for a sign of life since the last answer. */
  #unanswered = 0;
  #isHung = false;
  #isRetiring = false;
  #hasEnded = false;
  #openSessions = 0;
  #settleGone: () => void = () => {};
  /** Resolves at its end. */
  readonly gone = new Promise<void>((resolve) => {
    this.#settleGone = resolve;
  });

  /** @param isSuccessor it is to take over from another one, and accepts nothing before */
  constructor(
    options: RunningChildOptions,
    reports: ChildReports,
    { inquiries, log, isSuccessor }: { inquiries: Inquiries; log: Log; isSuccessor: boolean },
  ) {
    this.#options = options;
    this.#reports = reports;
    this.#inquiries = inquiries;
    this.#log = log;
    this.#isSuccessor = isSuccessor;
    const { role, sockets, user, threads } = options;
    const script = fileURLToPath(new URL(`../${role}${import.meta.url.slice(-3)}`, import.meta.url));
    let child: ChildProcess;
    try {
      child = spawn(
        process.execPath,
        [...nodeOptions(), script, `${sockets.length}`, ...(user === undefined ? [] : [OWN_USER])],
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
      setImmediate(() => this.#onExit((error as Error).message));
      return;
    }
    this.#process = child;
    this.#startTimer = setTimeout(() => child.kill("SIGKILL"), START_PATIENCE_MS);
    this.#channel = new Channel(child.stdio[3] as Socket, {
      onMessage: (message) => {
        if (!this.#hasEnded) this.#onMessage(message);
      },
      onBroken: (reason) => {
        log.error({ childPid: child.pid }, `child ${reason}, ending it`);
        child.kill("SIGKILL");
      },
      // A child that cannot be told to end any more has no reason to go on; one that has ended is not there to be killed.
      onClose: () => child.kill("SIGKILL"),
    });
    child.on("error", (error) => {
      // A child that was never started has no pid; one that may not be killed (EPERM) is still there.
      if (child.pid === undefined) this.#onExit(error.message);
      else log.error({ childPid: child.pid, cause: error.message }, "cannot signal child");
    });
    child.on("exit", (code, signal) => this.#onExit(signal ?? `exit ${code}`));
    this.reload();
  }

  get name(): string {
    return this.#isRetiring ? `${this.#options.name} (retiring)` : this.#options.name;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Sessions of a mailbox process that tells them. */
  get openSessions(): number {
    return this.#openSessions;
  }

  /** It was ended because it gave no sign of life. */
  get isHung(): boolean {
    return this.#isHung;
  }

  reload(): void {
    this.send({
      kind: "configure",
      settings: this.#options.settings(),
      ...(this.#isSuccessor ? { isSuccessor: true } : {}),
    });
  }

  probe(patience: number): boolean {
    // While it starts, its start has a time of its own.
    if (this.#hasEnded || this.#startTimer !== undefined) return false;
    if (this.#unanswered >= patience) {
      this.#log.error({ childPid: this.pid }, "child gives no sign of life, ending it");
      this.#isHung = true;
      this.#process?.kill("SIGKILL");
      return false;
    }
    this.#unanswered++;
    this.send({ kind: "ping" });
    return this.#unanswered === 1;
  }

  ask(id: number, question: Question): boolean {
    if (this.#hasEnded) return false;
    this.send({ kind: "ask", id, question });
    return true;
  }

  cancel(id: number): void {
    this.send({ kind: "cancel", id });
  }

  get turnsAway(): boolean {
    return this.#options.role !== "mailbox";
  }

  hear(counts: Counts): void {
    if (this.turnsAway) this.send({ kind: "sessions-elsewhere", counts });
  }

  keepTo(counts: Counts): void {
    this.send({ kind: "sessions-part", counts });
  }

  /** To a successor, before `takeOver`. */
  takePart(part: unknown): void {
    this.send({ kind: "take-part", part });
  }

  /** To one that retires: it may go on handing on. */
  partTaken(): void {
    this.send({ kind: "part-taken" });
  }

  /** To a successor that is ready. @param handed what the one before it has left */
  takeOver(handed: unknown): void {
    this.send({ kind: "take-over", handed });
  }

  /** Tells it to take nothing new and to end with its last session; it is killed when that takes longer. */
  retire(patienceMs: number): void {
    this.#isRetiring = true;
    this.send({ kind: "retire" });
    this.#killAfter(patienceMs);
  }

  /** Resolves when the child is gone; it is killed when it takes longer than `patienceMs`. */
  drain(patienceMs: number): Promise<void> {
    this.send({ kind: "drain" });
    this.#killAfter(patienceMs);
    return this.gone;
  }

  send(message: ToChild): void {
    this.#channel?.send(message);
  }

  #killAfter(patienceMs: number): void {
    clearTimeout(this.#killTimer);
    this.#killTimer = setTimeout(() => {
      this.#log.warn({ childPid: this.pid, patienceMs }, "child did not drain in time, killing it");
      this.#process?.kill("SIGKILL");
    }, patienceMs);
  }

  #onMessage(raw: unknown): void {
    const message = toMaster.safeParse(raw);
    if (message.success) {
      this.#hear(message.data);
      return;
    }
    this.#log.error("malformed message from child, ending it");
    this.#process?.kill("SIGKILL");
  }

  #hear(said: ToMaster): void {
    switch (said.kind) {
      case "ready":
        this.#log.debug({ childPid: this.pid }, "child serves");
        this.#endStart();
        this.#reports.onReady();
        this.#inquiries.joined(this);
        this.#options.sums?.joined(this);
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
        void this.#place(said.id, said.owner);
        return;
      case "last-stats":
        this.#inquiries.toldStats(this, said.answer);
        this.send({ kind: "stats-kept" });
        return;
      case "ask-stats":
        if (this.#options.readsStats === true) void this.#tellStats();
        return;
      case "sessions":
        this.#openSessions = said.open;
        this.#reports.onSessions(said.presented);
        return;
      case "ask-holder":
      case "tell-holder":
      case "ask-sessions":
      case "tell-sessions":
        this.#reports.onFellowMessage(said);
        return;
      case "sessions-here":
        this.#options.sums?.told(this, said.counts);
        return;
      case "sessions-kept":
        this.#options.sums?.kept(this, said.counts);
        return;
      case "over-memory":
        this.#reports.onOverMemory(said.rssBytes);
        return;
      case "hand-on":
        this.#reports.onHandOn(said.part);
        return;
      case "part-taken":
        this.#reports.onPartTaken();
        return;
      case "retired":
        this.#reports.onRetired(said.handed);
        return;
      default:
        said satisfies never;
    }
  }

  async #place(id: number, owner: MailOwner): Promise<void> {
    const answer = (await this.#options.onPlace?.(owner)) ?? "not-allowed";
    this.send({ kind: "placed", id, answer });
  }

  async #tellStats(): Promise<void> {
    const silent = await this.#inquiries.ask(
      { kind: "stats" },
      (from, answer) => this.send({ kind: "stats", from, answer }),
      new AbortController().signal,
    );
    this.send({ kind: "stats-end", silent: silent.length });
  }

  #endStart(): void {
    clearTimeout(this.#startTimer);
    this.#startTimer = undefined;
  }

  #onExit(how: string): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#openSessions = 0;
    this.#endStart();
    clearTimeout(this.#killTimer);
    this.#inquiries.left(this);
    this.#options.sums?.left(this);
    this.#reports.onEnded(how);
    this.#settleGone();
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
