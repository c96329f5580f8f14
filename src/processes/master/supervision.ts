// Keeps one child process running: restarts it with back-off when it ends, has a successor take over from one that takes too
// much memory, drains it. Runs in master; neither loses a connection that waits in a backlog, because the listening
// sockets stay open in master.
import { count } from "../../control/counters/counters.ts";
import type { Log } from "../../log/log.ts";
import { passOn } from "../child/fellow-workers.ts";
import type { Inquiries } from "./inquiries.ts";
import type { Probed } from "./liveness.ts";
import { type ChildReports, RunningChild, type RunningChildOptions } from "./running-child.ts";

export interface ChildDescription extends RunningChildOptions {
  /** Other children that serve the same accounts as this one; only itself, while it is being replaced, if left out. */
  fellows?(): readonly SupervisedChild[];
  /** The mailbox process of one owner: sessions it has, tickets it was shown since it last told. */
  onSessions?(open: number, presented: number): void;
  /** For a child that is started on demand: it ended without having been told to, and is not started again. */
  onGone?(): void;
}

export type ChildStart = { readonly kind: "serves" } | { readonly kind: "failed"; readonly message: string };

export interface SupervisionOptions {
  readonly inquiries: Inquiries;
  /** As of now: how long one that was replaced may take to end. */
  retirePatienceMs(): number;
  readonly log: Log;
  /** Starts a process. */
  readonly launch?: (
    description: ChildDescription,
    reports: ChildReports,
    context: { readonly inquiries: Inquiries; readonly log: Log; readonly isSuccessor: boolean },
  ) => RunningChild;
}

const FIRST_BACK_OFF_MS = 100;
const LONGEST_BACK_OFF_MS = 10_000;

/** A child that lived this long was well: the next failure starts with the shortest back-off again. */
const WELL_AFTER_MS = 30_000;

/** A successor that needs as much again that soon shows that the limit is too low: a third one would change nothing. */
const NO_USE_AGAIN_FOR_MS = 600_000;

/** One that is to retire has to say within this time what its successor must know. */
const HAND_OVER_MS = 5_000;

export class SupervisedChild implements Probed {
  readonly #description: ChildDescription;
  readonly #options: SupervisionOptions;
  readonly #log: Log;
  /** The one that serves, or will when it has started. */
  #current: RunningChild | undefined;
  /** Starts to take its place. */
  #successor: RunningChild | undefined;
  /** Had its place before, and has sessions yet. */
  #retiring: RunningChild | undefined;
  #handOver: NodeJS.Timeout | undefined;
  #replaceNotBeforeMs = 0;
  #backOffMs = FIRST_BACK_OFF_MS;
  #restart: NodeJS.Timeout | undefined;
  #isDraining = false;
  #onStarted: ((result: ChildStart) => void) | undefined;

  constructor(description: ChildDescription, options: SupervisionOptions) {
    this.#description = description;
    this.#options = options;
    this.#log = options.log.child({ child: description.name });
  }

  /**
   * Starts the child; resolves when it serves. One that ends before has something wrong that a restart won't mend:
   * that is a failure, and it is not started again.
   */
  start(): Promise<ChildStart> {
    return new Promise((resolve) => {
      this.#onStarted = resolve;
      this.#current = this.#launch(false);
    });
  }

  /** Whether it has the private keys, and the clients' connections. */
  get servesClients(): boolean {
    return this.#description.role === "login" || this.#description.role === "combined";
  }

  /** More than one while it is being replaced. */
  get processes(): readonly RunningChild[] {
    return [this.#current, this.#successor, this.#retiring].filter((child) => child !== undefined);
  }

  probe(patience: number): boolean {
    const answers = this.processes.map((child) => ({ child, isAlive: child.probe(patience) }));
    return answers.some(({ child, isAlive }) => isAlive && child === this.#current);
  }

  reload(): void {
    for (const child of this.processes) child.reload();
  }

  /** Resolves when the child is gone; it is killed when it takes longer than `patienceMs`. */
  async drain(patienceMs: number): Promise<void> {
    this.#isDraining = true;
    clearTimeout(this.#restart);
    clearTimeout(this.#handOver);
    await Promise.all(this.processes.map((child) => child.drain(patienceMs)));
  }

  #launch(isSuccessor: boolean): RunningChild {
    const { inquiries, launch = launchProcess } = this.#options;
    const child: RunningChild = launch(
      this.#description,
      {
        onReady: () => this.#onReady(child),
        onOverMemory: (rssBytes) => this.#onOverMemory(child, rssBytes),
        // What comes too late to count is not waited for either.
        onHandOn: (part) => {
          if (child !== this.#retiring || this.#handOver === undefined) child.partTaken();
          else this.#current?.takePart(part);
        },
        onPartTaken: () => {
          if (child === this.#current) this.#retiring?.partTaken();
        },
        onRetired: (handed) => {
          if (child === this.#retiring) this.#takeOver(handed);
        },
        onSessions: (presented) => this.#tellSessions(presented),
        onFellowMessage: (message) => {
          const fellows = this.#description.fellows?.() ?? [this];
          passOn(
            child,
            message,
            fellows.flatMap(({ processes }) => processes),
          );
        },
        onEnded: (how) => this.#onEnded(child, how),
      },
      { inquiries, log: this.#log, isSuccessor },
    );
    return child;
  }

  #onReady(child: RunningChild): void {
    if (child === this.#successor && !this.#isDraining) this.#replaceBy(child);
    this.#settleStart({ kind: "serves" });
  }

  #onOverMemory(child: RunningChild, rssBytes: number): void {
    const isBusy =
      this.#isDraining ||
      child !== this.#current ||
      this.processes.length > 1 ||
      this.#onStarted !== undefined;
    const nowMs = Date.now();
    if (isBusy || nowMs < this.#replaceNotBeforeMs) return;
    const childPid = child.pid;
    if (this.#replaceNotBeforeMs > 0 && nowMs - child.startedAtMs < WELL_AFTER_MS) {
      this.#replaceNotBeforeMs = nowMs + NO_USE_AGAIN_FOR_MS;
      this.#log.warn(
        { childPid, rssBytes },
        "child takes more than limits.process_memory as soon as it has been replaced, raise the limit",
      );
      return;
    }
    this.#log.warn({ childPid, rssBytes }, "child takes more than limits.process_memory, replacing it");
    this.#replaceNotBeforeMs = nowMs;
    this.#successor = this.#launch(true);
  }

  #replaceBy(successor: RunningChild): void {
    this.#successor = undefined;
    const before = this.#current;
    this.#current = successor;
    if (before === undefined) {
      successor.takeOver(undefined);
      return;
    }
    this.#retiring = before;
    count("processes_ended", [this.#description.role, "memory"]);
    before.retire(this.#options.retirePatienceMs());
    this.#handOver = setTimeout(() => this.#takeOver(undefined), HAND_OVER_MS);
  }

  /** Until now nobody accepts: who comes waits in the backlog. */
  #takeOver(handed: unknown): void {
    if (this.#handOver === undefined) return;
    clearTimeout(this.#handOver);
    this.#handOver = undefined;
    // In case it waits for that yet.
    this.#retiring?.partTaken();
    this.#current?.takeOver(handed);
    this.#log.info(
      { childPid: this.#current?.pid, retiringPid: this.#retiring?.pid },
      "successor has taken over, the one before it ends with its last session",
    );
  }

  #tellSessions(presented: number): void {
    const open = this.processes.reduce((sum, { openSessions }) => sum + openSessions, 0);
    this.#description.onSessions?.(open, presented);
  }

  #settleStart(start: ChildStart): void {
    this.#onStarted?.(start);
    this.#onStarted = undefined;
  }

  #onEnded(child: RunningChild, how: string): void {
    if (child === this.#retiring) this.#onRetiredEnded(child, how);
    else if (child === this.#successor) this.#onSuccessorEnded(child, how);
    else if (child === this.#current) this.#onCurrentEnded(child, how);
  }

  #onSuccessorEnded(child: RunningChild, how: string): void {
    this.#successor = undefined;
    if (this.#isDraining) return;
    this.#log.error({ childPid: child.pid, how }, "successor ended before it could take over");
    this.#replaceNotBeforeMs = Date.now() + WELL_AFTER_MS;
    if (this.#current === undefined) this.#onGone(child, how);
  }

  #onCurrentEnded(child: RunningChild, how: string): void {
    this.#current = undefined;
    clearTimeout(this.#handOver);
    this.#handOver = undefined;
    this.#retiring?.partTaken();
    if (this.#isDraining) {
      this.#settleStart({ kind: "failed", message: "the server is shutting down" });
      return;
    }
    if (this.#onStarted !== undefined) {
      const message = `the ${this.#description.name} process ended before it served (${how}), its reason stands above`;
      this.#settleStart({ kind: "failed", message });
      return;
    }
    count("processes_ended", [this.#description.role, child.isHung ? "hung" : "died"]);
    // One that is on its way already serves sooner than a new one.
    if (this.#successor === undefined) this.#onGone(child, how);
    else this.#log.error({ childPid: child.pid, how }, "child ended, its successor is about to serve");
  }

  #onRetiredEnded(child: RunningChild, how: string): void {
    this.#retiring = undefined;
    if (!this.#isDraining) this.#takeOver(undefined);
    const wasClean = how === "exit 0";
    this.#log[wasClean ? "info" : "error"]({ childPid: child.pid, how }, "child that was replaced has ended");
    this.#tellSessions(0);
  }

  #onGone(child: RunningChild, how: string): void {
    const childPid = child.pid;
    if (this.#description.onGone !== undefined) {
      this.#log.error({ childPid, how }, "child ended");
      this.#description.onGone();
      return;
    }
    if (Date.now() - child.startedAtMs > WELL_AFTER_MS) this.#backOffMs = FIRST_BACK_OFF_MS;
    this.#log.error({ childPid, how, restartInMs: this.#backOffMs }, "child ended, restarting it");
    this.#restart = setTimeout(() => {
      this.#current = this.#launch(false);
    }, this.#backOffMs);
    this.#backOffMs = Math.min(this.#backOffMs * 2, LONGEST_BACK_OFF_MS);
  }
}

const launchProcess: NonNullable<SupervisionOptions["launch"]> = (description, reports, context) =>
  new RunningChild(description, reports, context);
