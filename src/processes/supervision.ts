// Keeps one child process running: starts it by exec with its final user and a bare environment, restarts it with
// back-off when it ends, drains it. Runs in master; restarting loses no connection that waits in a backlog, because
// the listening sockets stay open in master.
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Question } from "../control/questions.ts";
import type { HostUser } from "../host/user-database.ts";
import type { Log } from "../log/log.ts";
import type { BoundSocket } from "../net/listen.ts";
import type { FellowMessage } from "./fellow-workers.ts";
import type { Inquiries, Respondent } from "./inquiries.ts";
import { type Role, type ToChild, toMaster } from "./settings.ts";

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
  /** A worker says something to its fellows. */
  readonly onFellowMessage?: (message: FellowMessage) => void;
}

export type ChildStart = { readonly kind: "serves" } | { readonly kind: "failed"; readonly message: string };

const FIRST_BACK_OFF_MS = 100;
const LONGEST_BACK_OFF_MS = 10_000;

/** A child that lived this long was well: the next failure starts with the shortest back-off again. */
const WELL_AFTER_MS = 30_000;

export class SupervisedChild implements Respondent {
  readonly #description: ChildDescription;
  readonly #log: Log;
  readonly #inquiries: Inquiries;
  #process: ChildProcess | undefined;
  #startedAtMs = 0;
  #backOffMs = FIRST_BACK_OFF_MS;
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

  reload(): void {
    this.send({ kind: "configure", settings: this.#description.settings() });
  }

  ask(id: number, question: Question): boolean {
    if (!this.#process?.connected) return false;
    this.send({ kind: "ask", id, question });
    return true;
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
    let child: ChildProcess;
    try {
      child = spawn(process.execPath, [script, `${sockets.length}`], {
        stdio: ["ignore", "inherit", "inherit", "ipc", ...sockets.map(({ fd }) => fd)],
        env: childEnvironment(threads),
        cwd: "/",
        // With a uid given, libuv also drops all supplementary groups.
        ...(user === undefined ? {} : { uid: user.uid, gid: user.gid }),
      });
    } catch (error) {
      // Node throws what it does not tell by event, such as EPERM (no right to change the user) or ENOMEM.
      this.#onExit(undefined, (error as Error).message);
      return;
    }
    this.#process = child;
    child.on("message", (message) => this.#onMessage(message));
    child.on("error", (error) => this.#onExit(child, error.message));
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
    switch (message.data.kind) {
      case "ready":
        this.#log.debug({ childPid: this.#process?.pid }, "child serves");
        this.#onStarted?.({ kind: "serves" });
        this.#onStarted = undefined;
        this.#inquiries.joined(this);
        return;
      case "answer":
        this.#inquiries.answer(this, message.data.id, message.data.answer);
        return;
      case "answered":
        this.#inquiries.answered(this, message.data.id);
        return;
      default:
        this.#description.onFellowMessage?.(message.data);
    }
  }

  #onExit(child: ChildProcess | undefined, how: string): void {
    if (this.#process !== child) return;
    this.#process = undefined;
    this.#inquiries.left(this);
    if (this.#isDraining) {
      this.#onEnded?.();
      return;
    }
    if (this.#onStarted !== undefined) {
      const message = `the ${this.#description.name} process ended before it served (${how}), its reason stands above`;
      this.#onStarted({ kind: "failed", message });
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
    if (this.#process?.connected) this.#process.send(message, () => {});
  }
}

/** What a child may know of the starter's environment: nothing that steers Node, no secret that happens to be there. */
function childEnvironment(threads: number | undefined): NodeJS.ProcessEnv {
  const { TZ, LANG } = process.env;
  return {
    ...(threads === undefined ? {} : { UV_THREADPOOL_SIZE: `${threads}` }),
    ...(TZ === undefined ? {} : { TZ }),
    ...(LANG === undefined ? {} : { LANG }),
  };
}
