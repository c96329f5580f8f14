// Lets a login process's clients in as far as the limits go, and tells the others so: -ERR, and the connection is closed.
// Never so many descriptors that accept(2) fails: the kernel would leave clients without a word.
import type * as net from "node:net";
import { maxOpenFiles } from "../../host/open-files.ts";
import type { Log } from "../../log/log.ts";
import { endGently } from "../../net/end-gently.ts";
import { type LanguageTag, speechOf } from "../../pop3/language.ts";
import { err } from "../../pop3/reply.ts";
import { english } from "../../pop3/texts/english.ts";
import type { Texts } from "../../pop3/texts/texts.ts";
import { atLimits, BurstLog } from "../child/burst-log.ts";
import { type Counts, type Excess, type SessionLimit, SessionLimits } from "../session-limits.ts";

export interface GateSettings {
  readonly maxSessions: number;
  readonly maxSessionsPerAddress: number;
  readonly language: LanguageTag;
}

export type Admittance = SessionLimit | "welcome";

export class Gate {
  readonly #limits: SessionLimits;
  readonly #log: Log;
  readonly #limitLog: BurstLog;
  readonly #openFiles = maxOpenFiles();
  readonly #descriptorsPerSession: number;
  readonly #maxRefusing: number;
  /** What is to be done when one that was let in is gone. */
  readonly #leaving = new WeakMap<net.Socket, () => void>();
  #refusing = 0;
  #texts: Texts = english;

  /**
   * @param descriptorsPerSession that this process needs
   * @param tell tells master how many there are here
   */
  constructor(
    settings: GateSettings,
    {
      descriptorsPerSession,
      tell,
      log,
    }: { descriptorsPerSession: number; tell(counts: Counts): void; log: Log },
  ) {
    this.#descriptorsPerSession = descriptorsPerSession;
    this.#maxRefusing = Math.min(MAX_REFUSING, Math.floor(this.#openFiles / 8));
    this.#log = log;
    this.#limitLog = new BurstLog(log, atLimits);
    this.#limits = new SessionLimits(this.#optionsOf(settings), (counts) => tell(counts));
    this.configure(settings);
  }

  configure(settings: GateSettings): void {
    this.#texts = speechOf(undefined, settings.language).texts;
    const options = this.#optionsOf(settings);
    this.#limits.configure(options);
    if (options.maxSessionsHere >= settings.maxSessions) return;
    this.#log.warn(
      {
        openFiles: this.#openFiles,
        maxSessionsHere: options.maxSessionsHere,
        sessions: settings.maxSessions,
      },
      "fewer open files are allowed than limits.sessions needs, raise LimitNOFILE",
    );
  }

  /** What the other login processes have. @returns what is too many here */
  heard(counts: Counts): readonly Excess[] {
    return this.#limits.heard(counts);
  }

  /** One that had been let in is turned away, since others came in elsewhere at the same time. */
  turnedAway(limit: SessionLimit, address: string): void {
    this.#limitLog.refused(nameOf(limit), { address });
  }

  /**
   * For every connection, first of all: counts it until it is closed.
   *
   * @param address undefined where a proxy is about to tell it: `admitFrom` comes later
   */
  admit(socket: net.Socket, address: string | undefined): Admittance {
    const limit = this.#limits.enter();
    if (limit !== undefined) return this.#turnedAway(socket, limit, address);
    const admittance = address === undefined ? "welcome" : this.admitFrom(socket, address);
    if (admittance === "welcome") this.#whenGone(socket, () => this.#limits.leave());
    else this.#limits.leave();
    return admittance;
  }

  admitFrom(socket: net.Socket, address: string): Admittance {
    const limit = this.#limits.enterFrom(address);
    if (limit !== undefined) return this.#turnedAway(socket, limit, address);
    this.#whenGone(socket, () => this.#limits.leaveFrom(address));
    return "welcome";
  }

  /** A client is served by another process on its own connection, which is closed here. @returns called when it is gone */
  passedOn(socket: net.Socket): () => void {
    const leave = this.#leaving.get(socket);
    this.#leaving.delete(socket);
    this.#limits.passedOn();
    return () => {
      leave?.();
      this.#limits.passedIsOver();
    };
  }

  #whenGone(socket: net.Socket, leave: () => void): void {
    const before = this.#leaving.get(socket);
    this.#leaving.set(socket, () => {
      before?.();
      leave();
    });
    if (before !== undefined) return;
    socket.once("close", () => {
      this.#leaving.get(socket)?.();
      this.#leaving.delete(socket);
    });
  }

  /** Tells a client that was not welcome why. @param socket the one that `admit` saw, or TLS above it */
  refuse(socket: net.Socket, limit: SessionLimit): void {
    socket.on("error", () => {
      // It left first.
    });
    socket.write(err(refusalText(limit, this.#texts), "SYS/TEMP"), "latin1");
    // Beyond those that are given time to read, it has to be enough that the kernel has taken it.
    if (this.#refusing > this.#maxRefusing) socket.destroy();
    else endGently(socket);
  }

  #turnedAway(socket: net.Socket, limit: SessionLimit, address: string | undefined): Admittance {
    this.#limitLog.refused(nameOf(limit), { address });
    this.#refusing++;
    socket.once("close", () => this.#refusing--);
    return limit;
  }

  /** Whether there is no time for a handshake with one that is to be refused. */
  get isCrowded(): boolean {
    return this.#refusing > this.#maxRefusing;
  }

  #optionsOf({ maxSessions, maxSessionsPerAddress }: GateSettings) {
    const left = this.#openFiles - OWN_DESCRIPTORS - this.#maxRefusing;
    const maxSessionsHere = Math.max(1, Math.floor(left / this.#descriptorsPerSession));
    return { maxSessions, maxSessionsPerAddress, maxSessionsHere };
  }
}

export function refusalText(limit: SessionLimit, texts: Texts): string {
  return limit === "sessions_per_address" ? texts.tooManyConnectionsFromAddress : texts.tooManyConnections;
}

function nameOf(limit: SessionLimit): string {
  return limit === "open_files" ? "LimitNOFILE" : `limits.${limit}`;
}

/** Clients that are told why they may not come in, and given time to read it. */
const MAX_REFUSING = 100;

/** Of the process itself: the loop, listeners, channel, auth, log, what Node opens for a moment. */
const OWN_DESCRIPTORS = 48;
