// Which session has which maildrop, and who waits for it: opens maildrops, one session at a time, and no more of an account
// than may be. Used by MailboxService in the mailbox process, and in a worker.
import { setTimeout as delay } from "node:timers/promises";
import { count } from "../../control/counters/counters.ts";
import type { Log } from "../../log/log.ts";
import { SnapshotCache } from "../../maildir/list/snapshot-cache.ts";
import { Maildrop, type OpenResult } from "../../maildir/maildrop.ts";
import type { MaildropOptions } from "../../maildir/maildrop-options.ts";
import type { Counting, FellowWorkers, Holder } from "../child/fellow-workers.ts";
import type { MailboxSettings } from "../settings.ts";
import type { Ticket } from "../ticket.ts";
import { logMaildropEvent } from "./maildrop-log.ts";
import type { TransactionSession } from "./transaction-session.ts";

export interface MaildropAccessOptions {
  /** As of now. */
  settings(): Pick<
    MailboxSettings,
    "lock" | "lockWaitMs" | "takeoverIdleMs" | "sharedStorage" | "maxSessionsPerAccount"
  >;
  /** Nobody waits for a lock any more. */
  isDraining(): boolean;
  /** Other processes that serve the same accounts, if there are any. */
  readonly fellows: FellowWorkers | undefined;
  readonly log: Log;
  readonly now: () => number;
}

/** For the log. */
export type Who = Pick<Ticket, "session" | "account" | "address">;

/** What is the account's, not the host's. */
export type MailOptions = Pick<
  MaildropOptions,
  "presentation" | "toldCheckMs" | "expireMs" | "keepDeletedMs" | "markSeen"
>;

export type OpenedMaildrop =
  | Exclude<OpenResult, { kind: "locked" }>
  | { readonly kind: "locked"; readonly holder?: Holder | undefined }
  /** By limits.sessions_per_account. */
  | { readonly kind: "crowded" };

export class MaildropAccess {
  readonly #options: MaildropAccessOptions;
  readonly #snapshots = new SnapshotCache();
  /** Maildir → the session that has it locked. */
  readonly #holders = new Map<string, TransactionSession>();
  /** Maildir → when the logins came that open it, or wait for its lock. */
  readonly #opening = new Map<string, number[]>();

  constructor(options: MaildropAccessOptions) {
    this.#options = options;
    const { fellows } = options;
    if (fellows === undefined) return;
    fellows.onAsked = (maildir) => this.#tellFellow(maildir);
    fellows.onCounted = (maildir, beforeMs) => this.#sessionsOf(maildir, beforeMs);
  }

  /** A session has begun on a maildrop that was opened here. */
  taken(maildir: string, session: TransactionSession): void {
    this.#holders.set(maildir, session);
  }

  /** It is over; another one may have the maildrop already. */
  released(maildir: string, session: TransactionSession): void {
    if (this.#holders.get(maildir) === session) this.#holders.delete(maildir);
  }

  /** Opens it if the account may have one more session. */
  async open(maildir: string, who: Who, mailOptions: MailOptions): Promise<OpenedMaildrop> {
    // Of this host's processes together: finer than a millisecond, so that of two that come at once one is before the other.
    const cameMs = performance.timeOrigin + performance.now();
    const more =
      this.#options.settings().maxSessionsPerAccount - this.#sessionsOf(maildir, Number.POSITIVE_INFINITY);
    if (more <= 0) return { kind: "crowded" };
    const opening = this.#opening.get(maildir) ?? [];
    this.#opening.set(maildir, opening);
    opening.push(cameMs);
    // Asked by those only that have to wait, while they do.
    let counting: Counting | undefined;
    const onWait = (): Counting | undefined => {
      counting ??= this.#options.fellows?.count(maildir, cameMs, more);
      return counting;
    };
    try {
      return await this.#openOrWait(maildir, who, mailOptions, onWait);
    } finally {
      counting?.end();
      opening.splice(opening.indexOf(cameMs), 1);
      if (opening.length === 0) this.#opening.delete(maildir);
    }
  }

  /**
   * Opens a maildrop; where another session has it, waits for its end, then takes over from one that is idle, in this
   * process or in a fellow. Another program's or host's lock can only be waited for.
   */
  async #openOrWait(
    maildir: string,
    who: Who,
    mailOptions: MailOptions,
    onWait: () => Counting | undefined,
  ): Promise<OpenedMaildrop> {
    const { lockWaitMs, takeoverIdleMs, lock, sharedStorage } = this.#options.settings();
    let deadlineMs = this.#options.now() + lockWaitMs;
    let hasTakenOver = false;
    let hasWaited = false;
    let retryMs = FIRST_RETRY_MS;
    for (;;) {
      const opened = await Maildrop.open(maildir, {
        snapshots: this.#snapshots,
        lock,
        sharedStorage,
        onEvent: (event) => logMaildropEvent(this.#options.log.child(who), event),
        // Last: each name that follows a spread is a call into V8's runtime.
        ...mailOptions,
      });
      if (opened.kind !== "locked" || this.#options.isDraining()) {
        if (hasWaited) count("lock_waits", [hasTakenOver ? "taken-over" : "free"]);
        return opened;
      }
      hasWaited = true;
      const counting = onWait();
      const session = this.#holders.get(maildir);
      // Grows, since most that are locked are so for a moment: a fellow's session that is over, or another program's look.
      retryMs = Math.min(2 * retryMs, LAST_RETRY_MS);
      const patienceMs = deadlineMs - this.#options.now();
      if (patienceMs > 0) {
        const waits: Promise<unknown>[] = [session?.over ?? delay(retryMs), delay(patienceMs)];
        if ((await Promise.race([...waits, ...(counting === undefined ? [] : [counting.isMany])])) !== "many")
          continue;
        count("lock_waits", ["refused"]);
        return { kind: "crowded" };
      }
      const holder = session === undefined ? await this.#options.fellows?.ask(maildir) : describe(session);
      const isToStay =
        holder === undefined ||
        hasTakenOver ||
        (session === undefined ? !holder.isEnding : holder.idleMs < takeoverIdleMs);
      if (isToStay) {
        count("lock_waits", ["refused"]);
        return { ...opened, holder };
      }
      hasTakenOver = true;
      this.#options.log.info(
        { ...who, holder: holder.address, idleMs: holder.idleMs },
        "taking the maildrop over from an idle session",
      );
      session?.takeOver();
      deadlineMs = this.#options.now() + TAKEOVER_MS;
    }
  }

  /** A fellow waits for a maildrop: if its session here is idle, it ends. */
  #tellFellow(maildir: string): Holder | undefined {
    const session = this.#holders.get(maildir);
    if (session === undefined) return undefined;
    const holder = describe(session);
    const isEnding = holder.idleMs >= this.#options.settings().takeoverIdleMs;
    if (isEnding) session.takeOver();
    return { ...holder, isEnding };
  }

  /** The one that has it, and those that came for it before then. */
  #sessionsOf(maildir: string, beforeMs: number): number {
    const waiting = (this.#opening.get(maildir) ?? []).filter((cameMs) => cameMs < beforeMs);
    return waiting.length + (this.#holders.has(maildir) ? 1 : 0);
  }
}

function describe(session: TransactionSession): Holder {
  const { address, startedAtMs } = session;
  return { address, startedAtMs, idleMs: session.idleMs(), isEnding: false };
}

/** How soon a lock is tried for again that no session of this process holds, ms. */
const FIRST_RETRY_MS = 2;
const LAST_RETRY_MS = 200;

/** How long a session that was taken over may take to let go, such as to finish writing its index. */
const TAKEOVER_MS = 2_000;
