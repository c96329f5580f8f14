// The mailbox processes where each account's mail belongs to a user of the host: one for each active uid and gid, started
// when auth asks for it, ended when idle. Runs in master, which checks every uid itself: auth may ask, it may not command.
import { type OwnerBounds, ownerFault } from "../../config/owner-fault.ts";
import { count } from "../../control/counters/counters.ts";
import type { Log } from "../../log/log.ts";
import { type BindResult, type BoundSocket, bindUnix, type UnixSocketOwner } from "../../net/listen.ts";
import type { PlaceAnswer } from "../child/messages.ts";
import { mailboxSocket, placeOf } from "../placement.ts";
import type { MailOwner } from "../settings.ts";
import { TICKET_LIFETIME_MS } from "../ticket.ts";
import type { ChildDescription, ChildStart, SupervisedChild } from "./supervision.ts";

export interface UserLimits extends OwnerBounds {
  readonly maxProcesses: number;
  readonly idleMs: number;
}

export interface UserMailboxesOptions {
  readonly runtimeDir: string;
  /** Who may connect to the processes: login alone. */
  readonly socketOwner: UnixSocketOwner;
  /** Our own users' uids: mail cannot be theirs. */
  readonly reservedUids: readonly number[];
  /** As of now; asked again at each request. */
  limits(): UserLimits;
  settings(owner: MailOwner): unknown;
  makeChild(description: ChildDescription): SupervisedChild;
  readonly log: Log;
}

type UserMailboxEvent =
  | "started"
  | "ended-idle"
  /** Ended while idle to make room for another user's. */
  | "evicted"
  | "died"
  | "refused-at-limit"
  | "refused-owner";

export type UserMailboxCounts = Readonly<Record<UserMailboxEvent | "running", number>>;

interface UserMailbox {
  readonly place: string;
  readonly owner: MailOwner;
  readonly socket: BoundSocket;
  readonly child: SupervisedChild;
  readonly started: Promise<ChildStart>;
  /** Set when it has been told to end; resolves when it is gone. */
  ending: Promise<void> | undefined;
  /** Requests that wait for its start. */
  waiting: number;
  openSessions: number;
  /** When the logins were let through whose tickets the process has not been shown yet. */
  readonly onTheWay: number[];
  idleSinceMs: number;
  idleTimer: NodeJS.Timeout | undefined;
}

export class UserMailboxes {
  readonly #options: UserMailboxesOptions;
  readonly #log: Log;
  readonly #mailboxes = new Map<string, UserMailbox>();
  readonly #counts = {
    started: 0,
    "ended-idle": 0,
    evicted: 0,
    died: 0,
    "refused-at-limit": 0,
    "refused-owner": 0,
  };
  #isDraining = false;

  constructor(options: UserMailboxesOptions) {
    this.#options = options;
    this.#log = options.log;
  }

  counts(): UserMailboxCounts {
    return { running: this.#mailboxes.size, ...this.#counts };
  }

  /** Resolves when the owner's process serves, or with why it will not. Two requests for one owner share a process. */
  async place(owner: MailOwner): Promise<PlaceAnswer> {
    const fault = ownerFault(owner, this.#options.limits(), this.#options.reservedUids);
    if (fault !== undefined) {
      this.#count("refused-owner");
      this.#log.error({ ...owner, reason: fault }, "no mailbox process for this owner");
      return "not-allowed";
    }
    const place = placeOf(owner);
    for (;;) {
      if (this.#isDraining) return "unavailable";
      const present = this.#mailboxes.get(place);
      if (present?.ending !== undefined) {
        await present.ending;
        continue;
      }
      const mailbox = present ?? (this.#hasRoom() ? this.#start(place, owner) : undefined);
      if (mailbox !== undefined) return this.#letThrough(mailbox);
      const leaving = this.#makeRoom();
      if (leaving === undefined) {
        this.#count("refused-at-limit");
        count("limits_reached", ["mail.max_user_processes"]);
        const { maxProcesses } = this.#options.limits();
        this.#log.error({ ...owner, maxProcesses }, "mail.max_user_processes are busy, login refused");
        return "unavailable";
      }
      await leaving;
    }
  }

  reload(): void {
    for (const { child } of this.#mailboxes.values()) child.reload();
  }

  async drain(patienceMs: number): Promise<void> {
    this.#isDraining = true;
    await Promise.all([...this.#mailboxes.values()].map((mailbox) => this.#end(mailbox, patienceMs)));
  }

  /** Processes that serve or are on their way to it. */
  children(): readonly SupervisedChild[] {
    return [...this.#mailboxes.values()].map(({ child }) => child);
  }

  #count(event: UserMailboxEvent): void {
    this.#counts[event]++;
    count("user_processes", [event]);
  }

  #hasRoom(): boolean {
    return this.#mailboxes.size < this.#options.limits().maxProcesses;
  }

  /** @returns the end of a process that is on its way out; undefined when all are busy */
  #makeRoom(): Promise<void> | undefined {
    const mailboxes = [...this.#mailboxes.values()];
    const leaving = mailboxes.find(({ ending }) => ending !== undefined);
    if (leaving !== undefined) return leaving.ending;
    const [longestIdle] = mailboxes.filter(isIdle).sort((a, b) => a.idleSinceMs - b.idleSinceMs);
    if (longestIdle === undefined) return undefined;
    this.#count("evicted");
    return this.#end(longestIdle, END_PATIENCE_MS);
  }

  #start(place: string, owner: MailOwner): UserMailbox | undefined {
    const { runtimeDir, socketOwner, makeChild, settings } = this.#options;
    const bound: BindResult = bindUnix(mailboxSocket(runtimeDir, place), socketOwner);
    if (bound.kind === "failed") {
      this.#log.error({ path: bound.name, code: bound.code }, "cannot listen for a mailbox process");
      return undefined;
    }
    const { socket } = bound;
    const child = makeChild({
      role: "mailbox",
      name: place,
      sockets: [socket],
      user: owner,
      settings: () => settings(owner),
      onSessions: (open, presented) => this.#onSessions(mailbox, open, presented),
      onGone: () => this.#forget(mailbox),
    });
    const mailbox: UserMailbox = {
      place,
      owner,
      socket,
      child,
      started: child.start(),
      ending: undefined,
      waiting: 0,
      openSessions: 0,
      onTheWay: [],
      idleSinceMs: Date.now(),
      idleTimer: undefined,
    };
    this.#mailboxes.set(place, mailbox);
    this.#count("started");
    this.#log.info({ ...owner, running: this.#mailboxes.size }, "mailbox process started");
    return mailbox;
  }

  async #letThrough(mailbox: UserMailbox): Promise<PlaceAnswer> {
    mailbox.waiting++;
    const start = await mailbox.started;
    mailbox.waiting--;
    if (start.kind === "failed") {
      this.#log.error({ ...mailbox.owner, reason: start.message }, "cannot start a mailbox process");
      this.#forget(mailbox);
      return "unavailable";
    }
    // It may have been ended or have died while this request waited for its turn.
    if (this.#mailboxes.get(mailbox.place) !== mailbox || mailbox.ending !== undefined)
      return this.place(mailbox.owner);
    mailbox.onTheWay.push(Date.now());
    this.#watchIdle(mailbox);
    return "serves";
  }

  #onSessions(mailbox: UserMailbox, open: number, presented: number): void {
    mailbox.openSessions = open;
    mailbox.onTheWay.splice(0, presented);
    this.#watchIdle(mailbox);
  }

  #watchIdle(mailbox: UserMailbox): void {
    clearTimeout(mailbox.idleTimer);
    mailbox.idleSinceMs = Date.now();
    if (mailbox.openSessions > 0 || mailbox.ending !== undefined) return;
    const endIfIdle = (): void => {
      if (!isIdle(mailbox)) {
        mailbox.idleTimer = setTimeout(endIfIdle, TICKET_LIFETIME_MS);
        return;
      }
      this.#count("ended-idle");
      void this.#end(mailbox, END_PATIENCE_MS);
    };
    mailbox.idleTimer = setTimeout(endIfIdle, this.#options.limits().idleMs);
  }

  #end(mailbox: UserMailbox, patienceMs: number): Promise<void> {
    clearTimeout(mailbox.idleTimer);
    mailbox.ending ??= mailbox.child.drain(patienceMs).then(() => this.#forget(mailbox));
    return mailbox.ending;
  }

  /** The process is gone. Whoever was about to connect to it finds nobody, and is told to try again. */
  #forget(mailbox: UserMailbox): void {
    if (this.#mailboxes.get(mailbox.place) !== mailbox) return;
    clearTimeout(mailbox.idleTimer);
    this.#mailboxes.delete(mailbox.place);
    mailbox.socket.close();
    if (mailbox.ending === undefined) this.#count("died");
    this.#log.info({ ...mailbox.owner, running: this.#mailboxes.size }, "mailbox process ended");
  }
}

/** It serves without a session, and none can come of a login that was let through. */
function isIdle({ waiting, openSessions, onTheWay, ending }: UserMailbox): boolean {
  while (onTheWay.length > 0 && Date.now() - onTheWay[0]! > TICKET_LIFETIME_MS) onTheWay.shift();
  return waiting === 0 && openSessions === 0 && onTheWay.length === 0 && ending === undefined;
}

/** An idle process has nothing to finish. */
const END_PATIENCE_MS = 5_000;
