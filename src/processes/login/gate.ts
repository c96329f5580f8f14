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
import type { Counts } from "../session-counts.ts";
import { type Excess, Place, type SessionLimit, SessionLimits } from "./session-limits.ts";

export interface GateSettings {
  readonly maxSessions: number;
  readonly maxSessionsPerAddress: number;
  readonly language: LanguageTag;
}

/** Whoever is let in has a place; others are told which limit keeps them out. */
export type Admittance = Place | SessionLimit;

export class Gate {
  readonly #limits: SessionLimits;
  readonly #log: Log;
  readonly #limitLog: BurstLog;
  readonly #openFiles = maxOpenFiles();
  readonly #descriptorsPerSession: number;
  readonly #maxRefusing: number;
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

  /** What the other login processes have. */
  heard(counts: Counts): void {
    this.#limits.heard(counts);
  }

  /** All together have let in too many. @returns what is too many here */
  excessOver(parts: Counts): Iterable<Excess> {
    return this.#limits.excessOver(parts);
  }

  /**
   * For every connection, first of all: counts it until it is closed.
   *
   * @param address undefined where a proxy is about to tell it: `admitFrom` comes later
   */
  admit(socket: net.Socket, address: string | undefined): Admittance {
    const place = this.#limits.enter();
    if (!(place instanceof Place)) return this.#turnedAway(socket, place, address);
    socket.once("close", () => place.closed());
    return address === undefined ? place : this.admitFrom(socket, place, address);
  }

  /** The same with its address. One that is not let in has no place any more. */
  admitFrom(socket: net.Socket, place: Place, address: string): Admittance {
    const limit = place.enterFrom(address);
    if (limit === undefined) return place;
    // From now on its descriptor is one of those that are kept for refusing.
    place.closed();
    return this.#turnedAway(socket, limit, address);
  }

  /** One that had been let in has to go, since others came in elsewhere at the same time. */
  takeBack(place: Place, limit: SessionLimit, address: string | undefined): void {
    place.giveUp();
    this.#limitLog.refused(nameOf(limit), { address });
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
