// How many connections a process has, in all and by network: it counts them and tells master, which adds up what all have
// (master/session-sums.ts) and tells those that let clients in (login/session-limits.ts).
import { z } from "zod";
import { networkOf } from "../host/networks.ts";

/** Networks, as networkOf() gives them, and their connections; ALL for those of everybody. 0: none any more. */
const counts = z.record(z.string().max(64), z.int().nonnegative().max(1_000_000));

export type Counts = z.infer<typeof counts>;

/** Any process that counts to master: what has changed. */
export const sessionsHere = z.strictObject({ kind: z.literal("sessions-here"), counts });

/** Master to a login process: what all the others have, where that has changed. */
export const sessionsElsewhere = z.strictObject({ kind: z.literal("sessions-elsewhere"), counts });

/** Master to a login process: all together have too many, this many are its part of what may be. */
export const sessionsPart = z.strictObject({ kind: z.literal("sessions-part"), counts });

/** A login process's answer, where it has more and can turn nobody away: so many stay. */
export const sessionsKept = z.strictObject({ kind: z.literal("sessions-kept"), counts });

export const ALL = "";

/** Of one message. */
export const MAX_KEYS = 1_000;

/** How late other processes may be with a connection, beside the message's own way, ms. */
const TELL_MS = 20;

/** Connections that a process has, which it tells master. In a mailbox process: those that no login process counts any more. */
export class SessionsHere {
  readonly #counts = new Map<string, number>();
  readonly #changed = new Set<string>();
  readonly #tell: ((counts: Counts) => void) | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param tell tells master; undefined where nobody else counts */
  constructor(tell: ((counts: Counts) => void) | undefined) {
    this.#tell = tell;
  }

  /** Counts one whole connection. @returns counts it no more */
  enter(address: string): () => void {
    const keys = [ALL, networkOf(address)].filter((key) => key !== undefined);
    for (const key of keys) this.add(key, 1);
    return () => {
      for (const key of keys) this.add(key, -1);
    };
  }

  of(key: string): number {
    return this.#counts.get(key) ?? 0;
  }

  add(key: string, change: number): void {
    const count = this.of(key) + change;
    if (count === 0) this.#counts.delete(key);
    else this.#counts.set(key, count);
    if (this.#tell === undefined) return;
    this.#changed.add(key);
    this.#timer ??= setTimeout(() => this.#tellChanges(), TELL_MS);
  }

  #tellChanges(): void {
    this.#timer = undefined;
    const told = [...this.#changed].slice(0, MAX_KEYS);
    for (const key of told) this.#changed.delete(key);
    this.#tell?.(Object.fromEntries(told.map((key) => [key, this.of(key)])));
    if (this.#changed.size > 0) this.#timer = setTimeout(() => this.#tellChanges(), TELL_MS);
  }
}
