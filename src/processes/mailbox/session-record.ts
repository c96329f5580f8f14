// What one session has done: for `pop3-ctl who` while it lasts, and at its end for the counters, the log and `pop3-ctl why`.
// Kept by TransactionSession.
import { count } from "../../control/counters/counters.ts";
import type { AnswerOf } from "../../control/link/questions.ts";
import type { Log } from "../../log/log.ts";
import type { SessionEndReason } from "../../log/reasons.ts";
import type { Ticket } from "../ticket.ts";

export type EndedSession = Extract<AnswerOf<"history">, { kind: "session" }>;

/** What stands in each line that the log has of a session. */
export type SessionIdentity = Pick<Ticket, "session" | "account" | "address">;

export type HowLoggedIn = Pick<Ticket, "mechanism" | "device" | "secured" | "tls">;

export interface SessionEnd {
  /** That its maildrop had when it was opened. */
  readonly messages: number;
  readonly endedAtMs: number;
  /** Of its connection. */
  readonly error: Error | undefined;
  readonly log: Log;
}

export class SessionRecord {
  readonly identity: SessionIdentity;
  readonly startedAtMs: number;
  /** Indexes of messages that the client has got whole. */
  readonly retrieved = new Set<number>();
  readonly #ticket: HowLoggedIn;
  #octets = 0;
  #messages = 0;
  #removed = 0;
  #expired = 0;
  #reason: SessionEndReason | undefined;

  constructor(ticket: SessionIdentity & HowLoggedIn, startedAtMs: number) {
    const { session, account, address } = ticket;
    this.identity = { session, account, address };
    this.#ticket = ticket;
    this.startedAtMs = startedAtMs;
  }

  /** Octets of messages, as sent, also of those that were not sent whole. */
  get octets(): number {
    return this.#octets;
  }

  /** Messages that were sent whole. */
  get messages(): number {
    return this.#messages;
  }

  get hasEnded(): boolean {
    return this.#reason !== undefined;
  }

  sent(octets: number): void {
    this.#octets += octets;
    count("octets_sent", NO_LABELS, octets);
  }

  sentWhole(index: number): void {
    this.#messages++;
    this.retrieved.add(index);
    count("messages_retrieved");
  }

  updated({ removed, expired }: { readonly removed: number; readonly expired: number }): void {
    this.#removed = removed;
    this.#expired = expired;
  }

  /** The first reason counts: what follows is its consequence. */
  end(reason: SessionEndReason): void {
    this.#reason ??= reason;
  }

  /** Counts and logs what came of it, once. */
  close({ messages, endedAtMs, error, log }: SessionEnd): EndedSession {
    const { session, account, address } = this.identity;
    const { mechanism, device, secured, tls } = this.#ticket;
    const reason = this.#reason ?? "disconnected";
    const durationMs = endedAtMs - this.startedAtMs;
    count("sessions", [reason]);
    const limit = LIMITS.get(reason);
    if (limit !== undefined) count("limits_reached", [limit]);
    count("messages_deleted", NO_LABELS, this.#removed + this.#expired);
    log.info(
      {
        session,
        account,
        address,
        tls,
        mechanism,
        device,
        messages,
        retrieved: this.#messages,
        deleted: this.#removed,
        octets: this.#octets,
        durationMs,
        reason,
        expired: this.#expired > 0 ? this.#expired : undefined,
        cause: reason === "disconnected" ? error?.message : undefined,
      },
      "session ended",
    );
    return {
      kind: "session",
      atMs: endedAtMs,
      address,
      secured,
      mechanism,
      device,
      messages,
      retrieved: this.#messages,
      deleted: this.#removed,
      octets: this.#octets,
      durationMs: Math.max(0, durationMs),
      reason,
    };
  }
}

const NO_LABELS: readonly string[] = [];

/** What a reason is called in the config. */
const LIMITS: ReadonlyMap<SessionEndReason, string> = new Map([
  ["idle", "limits.idle_time"],
  ["stalled", "limits.stall_time"],
  ["useless-commands", "limits.useless_commands"],
]);
