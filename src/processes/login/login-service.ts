// The clients of one login process (or worker) before login, and how many have been handed over. Knows neither
// Maildirs nor the passwd file.
import { randomUUID } from "node:crypto";
import type * as net from "node:net";
import { AuthClient, type AuthClientEvent } from "../../auth/client.ts";
import { count, measure } from "../../control/counters/counters.ts";
import type { Handlers } from "../../control/link/questions.ts";
import { OpenSet, whenAllEmpty } from "../../host/open-set.ts";
import type { Log } from "../../log/log.ts";
import { TlsEndpoint } from "../../net/tls-endpoint.ts";
import { BurstLog, type TurningAway } from "../child/burst-log.ts";
import { authSocket } from "../placement.ts";
import { ALL, type Counts } from "../session-counts.ts";
import type { Listener, LoginSettings } from "../settings.ts";
import { Arrivals, type Client, plainClient } from "./arrival.ts";
import { AuthorizationSession } from "./authorization-session.ts";
import { type Admittance, Gate } from "./gate.ts";
import type { HandOver } from "./hand-over.ts";
import type { Authenticator, RememberedLogins } from "./remembered-logins.ts";
import { Place } from "./session-limits.ts";

/** On its way through PROXY header and handshake. */
interface Arriving {
  readonly socket: net.Socket;
  /** The proxy's, where there is one. */
  readonly address: string;
  admittance: Admittance;
}

export class LoginService {
  readonly #log: Log;
  readonly #auth: AuthClient;
  readonly #authenticator: Authenticator;
  readonly #handOver: HandOver;
  readonly #gate: Gate;
  /** On listeners for proxies. */
  readonly #strangers: BurstLog;
  readonly #arriving = new OpenSet<Arriving>();
  /** Those that are relayed, too. */
  readonly #sessions = new OpenSet<AuthorizationSession>();
  /** Resolves once auth has told its mechanisms, since earlier clients would be offered none; or when it takes too long. */
  readonly ready: Promise<void>;
  /** What each of those takes of the limits. */
  readonly #places = new WeakMap<AuthorizationSession, Place>();
  #settings: LoginSettings;
  #arrivals: Arrivals;
  /** Their TRANSACTION parts have their own connections. */
  #passedOn = 0;
  #isDraining = false;

  constructor(
    settings: LoginSettings,
    {
      handOver,
      remembered,
      descriptorsPerSession,
      tellCounts,
      log,
    }: {
      readonly handOver: HandOver;
      /** Asked before auth is. */
      readonly remembered?: RememberedLogins;
      /** That this process needs. */
      readonly descriptorsPerSession: number;
      /** Tells master how many connections are here. */
      tellCounts(counts: Counts): void;
      readonly log: Log;
    },
  ) {
    this.#settings = settings;
    this.#gate = new Gate(settings, { descriptorsPerSession, tell: tellCounts, log });
    this.#strangers = new BurstLog(log, withoutHeader);
    this.#arrivals = arrivalsOf(settings);
    this.#handOver = handOver;
    this.#log = log;
    measure("connections_open", () => [
      { labels: [], value: this.#arriving.size + this.#sessions.size + this.#passedOn },
    ]);
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
        remembered?.heard(event);
        logAuthEvent(log, event);
      },
    });
    this.#authenticator = remembered?.before(this.#auth) ?? this.#auth;
  }

  configure(settings: LoginSettings): void {
    this.#settings = settings;
    this.#arrivals = arrivalsOf(settings);
    this.#gate.configure(settings);
  }

  /** What the other login processes have. */
  heardCounts(counts: Counts): void {
    this.#gate.heard(counts);
  }

  /**
   * All login processes together have let in too many: what is beyond this one's part has to go.
   *
   * @returns how many stay where that is more, since nobody else can be turned away
   */
  keepTo(parts: Counts): Counts {
    const kept: Counts = {};
    for (const { limit, network, count } of this.#gate.excessOver(parts)) {
      let left = count;
      // Who came last has least to lose; who has logged in stays.
      for (const arriving of [...this.#arriving].reverse()) {
        if (left === 0) break;
        const { admittance: place, address } = arriving;
        if (!(place instanceof Place && isFrom(place, network))) continue;
        this.#gate.takeBack(place, limit, address);
        // It is told so when TLS is there to tell it by.
        arriving.admittance = limit;
        left--;
      }
      for (const session of [...this.#sessions].reverse()) {
        if (left === 0) break;
        const place = this.#places.get(session);
        if (!session.isDispensable || !isFrom(place, network)) continue;
        this.#gate.takeBack(place, limit, session.address);
        session.turnAway(limit);
        left--;
      }
      const key = network ?? ALL;
      if (left > 0) kept[key] = left + (parts[key] ?? 0);
    }
    return kept;
  }

  /** @param index of the listener, in the order of the settings */
  accept(socket: net.Socket, index: number): void {
    count("connections");
    const listener = this.#settings.listeners[index];
    if (listener === undefined) throw new Error(`listener ${index} is not in the settings`);
    const { loginTimeMs } = this.#settings;
    const arrivals = this.#arrivals;
    const plain = plainClient(socket);
    const admittance = this.#gate.admit(socket, listener.proxy ? undefined : plain.address);
    const isWelcome = admittance instanceof Place;
    if (!listener.tls && !listener.proxy) {
      if (isWelcome) this.#serve(socket, plain, admittance, loginTimeMs);
      else this.#gate.refuse(socket, admittance);
      return;
    }
    if (!isWelcome && this.#gate.isCrowded) {
      socket.destroy();
      return;
    }
    const acceptedAtMs = performance.now();
    const timer = setTimeout(
      () => {
        if (isWelcome) count("limits_reached", ["limits.login_time"]);
        socket.destroy();
      },
      isWelcome ? loginTimeMs : Math.min(loginTimeMs, REFUSAL_TIME_MS),
    );
    const arriving: Arriving = { socket, address: plain.address, admittance };
    this.#arriving.add(arriving);
    void arrivals.receive(socket, listener).then((arrival) => {
      clearTimeout(timer);
      this.#arriving.delete(arriving);
      if (arrival.kind === "arrived") {
        const { client } = arrival;
        const place = arriving.admittance;
        const isCounted = !(place instanceof Place) || !listener.proxy || !client.isKnown;
        const verdict = isCounted ? place : this.#gate.admitFrom(socket, place, client.address);
        if (verdict instanceof Place)
          this.#serve(arrival.socket, client, verdict, loginTimeMs - (performance.now() - acceptedAtMs));
        else this.#gate.refuse(arrival.socket, verdict);
        return;
      }
      const { fault, reason, address } = arrival;
      const about = { address, listener: nameOf(listener) };
      // A stranger who talks no TLS is nothing special; a proxy that is not let in is a fault in somebody's config.
      if (fault === "proxy" && reason !== undefined) this.#strangers.refused(reason, about);
      else this.#log.debug({ ...about, reason }, "connection did not arrive");
    });
  }

  #serve(socket: net.Socket, client: Client, place: Place, loginTimeMs: number): void {
    // Undefined once it is passed on: what is told of the client's end lives as long as the client.
    let session: AuthorizationSession | undefined = new AuthorizationSession(socket, client, {
      session: randomUUID().replaceAll("-", "").slice(0, 16),
      arrivals: this.#arrivals,
      loginTimeMs,
      settings: this.#settings,
      auth: this.#authenticator,
      handOver: this.#handOver,
      log: this.#log,
      onPassed: () => {
        place.passOn();
        this.#passedOn++;
        if (session !== undefined) this.#sessions.delete(session);
        session = undefined;
      },
      onOver: () => {
        if (session !== undefined) {
          this.#sessions.delete(session);
          return;
        }
        place.giveUp();
        this.#passedOn--;
      },
    });
    this.#sessions.add(session);
    this.#places.set(session, place);
    if (this.#isDraining) session.drain();
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

  /** Resolves when no client is left by itself, those that are relayed in the TRANSACTION state included. */
  whenIdle(): Promise<void> {
    return whenAllEmpty(this.#arriving, this.#sessions);
  }

  /** Resolves when no client is left, those that are relayed in the TRANSACTION state included. */
  async drain(): Promise<void> {
    this.#isDraining = true;
    for (const { socket } of this.#arriving) socket.destroy();
    for (const session of this.#sessions) session.drain();
    const timer = setTimeout(() => {
      for (const session of this.#sessions) session.destroy();
    }, this.#settings.drainTimeMs + RELAY_GRACE_MS);
    await this.#sessions.whenEmpty();
    clearTimeout(timer);
    this.#auth.close();
  }
}

/** @param network undefined: from wherever */
function isFrom(place: Place | undefined, network: string | undefined): place is Place {
  return place !== undefined && (network === undefined || place.network === network);
}

const withoutHeader: TurningAway = {
  counter: "proxies_refused",
  fieldOf: (reason) => ({ reason }),
  begins: "connection did not arrive",
  goesOn: "connections still do not arrive, refused since the last line",
};

/** For the log. */
function nameOf({ tls, proxy }: Listener): string {
  return `${tls ? "pop3s" : "pop3"}${proxy ? " proxy" : ""}`;
}

function arrivalsOf(settings: LoginSettings): Arrivals {
  return new Arrivals(settings, settings.tls && new TlsEndpoint(settings.tls));
}

/** Auth listens before login starts; it may be slow to come back where both died. */
const WAIT_FOR_AUTH_MS = 10_000;

/** Within this a client that is not welcome has to be far enough to be told so. */
const REFUSAL_TIME_MS = 10_000;

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
    case "forget":
      return;
    default:
      event satisfies never;
  }
}
