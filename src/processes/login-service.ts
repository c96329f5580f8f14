// The clients of one login process (or worker) before login, and how many have been handed over. Knows neither
// Maildirs nor the passwd file.
import { randomBytes } from "node:crypto";
import type * as net from "node:net";
import { AuthClient, type AuthClientEvent } from "../auth/client.ts";
import type { Handlers } from "../control/questions.ts";
import type { Log } from "../log/log.ts";
import { AuthorizationSession } from "./authorization-session.ts";
import type { HandOver } from "./hand-over.ts";
import { authSocket } from "./placement.ts";
import type { LoginSettings } from "./settings.ts";

export class LoginService {
  readonly #log: Log;
  readonly #auth: AuthClient;
  readonly #handOver: HandOver;
  readonly #sessions = new Set<AuthorizationSession>();
  /** Resolves once auth has told its mechanisms, since earlier clients would be offered none; or when it takes too long. */
  readonly ready: Promise<void>;
  #settings: LoginSettings;
  #onEmpty: (() => void) | undefined;

  constructor(settings: LoginSettings, handOver: HandOver, log: Log) {
    this.#settings = settings;
    this.#handOver = handOver;
    this.#log = log;
    let connected = (): void => {};
    this.ready = new Promise((resolve) => {
      const timer = setTimeout(resolve, WAIT_FOR_AUTH_MS);
      connected = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#auth = new AuthClient({
      path: authSocket(settings.runtimeDir),
      pid: process.pid,
      onEvent: (event) => {
        if (event.kind === "connected") connected();
        logAuthEvent(log, event);
      },
    });
  }

  configure(settings: LoginSettings): void {
    this.#settings = settings;
  }

  accept(socket: net.Socket): void {
    const session = new AuthorizationSession(socket, {
      session: randomBytes(8).toString("hex"),
      settings: this.#settings,
      auth: this.#auth,
      handOver: this.#handOver,
      log: this.#log,
      onOver: () => {
        this.#sessions.delete(session);
        if (this.#sessions.size === 0) this.#onEmpty?.();
      },
    });
    this.#sessions.add(session);
  }

  readonly answers: Handlers = {
    sessions: (_, reply) => {
      for (const session of this.#sessions) {
        const described = session.describe();
        if (described !== undefined) reply(described);
      }
    },
    kick: ({ sessions }, reply) => {
      for (const session of this.#sessions) {
        const id = session.describe()?.session;
        if (id === undefined || !sessions.includes(id)) continue;
        session.kick();
        reply({ session: id });
      }
    },
  };

  /** Resolves when no client is left, those in the TRANSACTION state included. */
  async drain(): Promise<void> {
    if (this.#sessions.size > 0) {
      const empty = new Promise<void>((resolve) => {
        this.#onEmpty = resolve;
      });
      for (const session of this.#sessions) session.drain();
      const timer = setTimeout(() => {
        for (const session of this.#sessions) session.destroy();
      }, this.#settings.drainTimeMs + RELAY_GRACE_MS);
      await empty;
      clearTimeout(timer);
    }
    this.#auth.close();
  }
}

/** Auth listens before login starts; it may be slow to come back where both died. */
const WAIT_FOR_AUTH_MS = 10_000;

/** Mailbox processes end their sessions within `limits.drain_time`; what they said last needs a moment to pass. */
const RELAY_GRACE_MS = 1_000;

function logAuthEvent(log: Log, event: AuthClientEvent): void {
  switch (event.kind) {
    case "connected":
      log.debug({ authPid: event.serverPid }, "connected to auth");
      return;
    case "disconnected":
      log.warn(
        { pendingRequests: event.pendingRequests, cause: event.error?.message },
        "connection to auth lost",
      );
      return;
    case "connect-failed":
      log.warn({ cause: event.error?.message }, "cannot reach auth, trying again");
      return;
    case "malformed":
      log.error({ reason: event.reason }, "malformed message from auth");
      return;
    default:
      event satisfies never;
  }
}
