// Turns tickets into sessions: redeems, opens and locks the maildrop, runs the session. Used by the mailbox process,
// and by a worker when `server.processes` is "combined".
import type * as net from "node:net";
import { count, measure } from "../../control/counters/counters.ts";
import type { Handlers } from "../../control/link/questions.ts";
import { OpenSet, whenAllEmpty } from "../../host/open-set.ts";
import type { Log } from "../../log/log.ts";
import type { Maildrop } from "../../maildir/maildrop.ts";
import type { Choices } from "../../pop3/choices.ts";
import { speechOf } from "../../pop3/language.ts";
import { err } from "../../pop3/reply.ts";
import { english } from "../../pop3/texts/english.ts";
import type { Texts } from "../../pop3/texts/texts.ts";
import { atLimits, BurstLog } from "../child/burst-log.ts";
import type { FellowWorkers, Holder } from "../child/fellow-workers.ts";
import { History } from "../child/history.ts";
import { POP3_IMPLEMENTATION } from "../offered.ts";
import type { MailboxSettings } from "../settings.ts";
import { type Ticket, TicketCounter, ticketKeyOf, type UsedTickets, usedTickets } from "../ticket.ts";
import { MaildropAccess, type MailOptions } from "./maildrop-access.ts";
import { presentationFor, TOLD_CHECK_MS } from "./presentation-for.ts";
import { TransactionSession } from "./transaction-session.ts";

export type Admission =
  | {
      readonly kind: "admitted";
      readonly ticket: Ticket;
      readonly choices: Choices;
      readonly maildrop: Maildrop;
    }
  /** `reply` goes to the client, which stays in the AUTHORIZATION state. */
  | { readonly kind: "refused"; readonly reply: string };

export class MailboxService {
  readonly #log: Log;
  readonly #now: () => number;
  readonly #limitLog: BurstLog;
  readonly #tickets: TicketCounter;
  readonly #sessions = new OpenSet<TransactionSession>();
  /** On their way to a session. */
  readonly #admissions = new OpenSet<Promise<Admission>>();
  readonly #history = new History();
  readonly #access: MaildropAccess;
  #settings: MailboxSettings;
  #isDraining = false;
  /** Told after each session's end. */
  onSessionOver: (() => void) | undefined;

  /** @param fellows other processes that serve the same accounts, if there are any */
  constructor(
    settings: MailboxSettings,
    log: Log,
    {
      fellows,
      now = Date.now,
    }: {
      readonly fellows?: FellowWorkers;
      readonly now?: () => number;
    } = {},
  ) {
    this.#settings = settings;
    this.#access = new MaildropAccess({
      settings: () => this.#settings,
      isDraining: () => this.#isDraining,
      ...{ fellows, log, now },
    });
    this.#limitLog = new BurstLog(log, atLimits);
    this.#log = log;
    this.#now = now;
    measure("sessions_open", () => [{ labels: [], value: this.#sessions.size }]);
    this.#tickets = new TicketCounter(ticketKeyOf(settings.ticketKey), now(), settings.place);
  }

  get openSessions(): number {
    return this.#sessions.size;
  }

  configure(settings: MailboxSettings): void {
    this.#settings = settings;
  }

  /** For a ticket that is issued and redeemed in this process. @returns what `admit` takes for it, once */
  keepTicket(ticket: Ticket): string {
    return this.#tickets.keep(ticket);
  }

  /** Checks the ticket, and opens and locks its maildrop. @param presented it, sealed, or what `keepTicket` gave for it */
  async admit(presented: string, choices: Choices): Promise<Admission> {
    const admission = this.#admit(presented, choices);
    this.#admissions.add(admission);
    try {
      return await admission;
    } finally {
      this.#admissions.delete(admission);
    }
  }

  async #admit(presented: string, choices: Choices): Promise<Admission> {
    const { texts } = speechOf(choices.language, this.#settings.language);
    if (this.#isDraining) return { kind: "refused", reply: err(texts.shuttingDown, "SYS/TEMP") };
    const redemption = this.#tickets.redeem(presented, this.#now());
    if (redemption.kind === "refused") {
      // From an honest login process only an expired one can come: anything else is an attack or a fault.
      this.#log.error({ reason: redemption.reason }, "ticket refused");
      return { kind: "refused", reply: err(texts.loginImpossible, "SYS/TEMP") };
    }
    const { ticket } = redemption;
    const { session, account, address, maildir } = ticket;
    const who = { session, account, address };
    const log = this.#log;
    const notOpened = (reason: string): void =>
      this.#history.add(account, { kind: "not-opened", atMs: this.#now(), address, reason });
    const opened = await this.#access.open(maildir, who, this.#mailOptions(ticket, choices));
    switch (opened.kind) {
      case "open":
        count("maildrops_opened", [opened.maildrop.measured ? "known" : "unknown"]);
        return { kind: "admitted", ticket, choices, maildrop: opened.maildrop };
      case "crowded":
        this.#limitLog.refused("limits.sessions_per_account", who);
        notOpened("too many sessions of this account at one time");
        return { kind: "refused", reply: err(texts.tooManySessions, "SYS/TEMP") };
      case "locked": {
        log.info(
          { ...who, maildir, holder: opened.holder?.address },
          "maildrop is locked by another session",
        );
        notOpened(lockedText(opened.holder, english));
        return { kind: "refused", reply: err(lockedText(opened.holder, texts), "IN-USE") };
      }
      case "failed":
        log.error({ ...who, maildir, code: opened.code, cause: opened.reason }, "cannot open maildrop");
        notOpened(opened.reason);
        return {
          kind: "refused",
          reply: err(texts.maildropUnusable, opened.permanent ? "SYS/PERM" : "SYS/TEMP"),
        };
      default:
        return opened satisfies never;
    }
  }

  /**
   * Runs an admitted session.
   *
   * @param read what the client sent behind its login
   * @param isRelayed whether `socket` leads to a login process that stands between; else it is the client's own connection
   */
  serve(
    socket: net.Socket,
    read: Uint8Array,
    { ticket, choices, maildrop }: Admission & { kind: "admitted" },
    { isRelayed }: { readonly isRelayed: boolean },
  ): void {
    const session = new TransactionSession(socket, read, {
      ticket,
      maildrop,
      options: {
        serverName: this.#settings.serverName,
        language: this.#settings.language,
        choices,
        maxUselessCommands: this.#settings.maxUselessCommands,
        capabilities: {
          mechanisms: ticket.offered,
          // USER and PASS are SASL PLAIN by another name.
          passwordAllowed: ticket.offered.includes("PLAIN"),
          implementation: POP3_IMPLEMENTATION,
          retention: { days: this.#expireDays(ticket) ?? undefined, perUser: false },
        },
      },
      idleTimeMs: this.#settings.idleTimeMs,
      stall: () => this.#settings,
      isRelayed,
      log: this.#log,
      now: this.#now,
      onOver: (ended) => {
        this.#history.add(ticket.account, ended);
        this.#sessions.delete(session);
        this.#access.released(ticket.maildir, session);
        this.onSessionOver?.();
      },
    });
    this.#sessions.add(session);
    this.#access.taken(ticket.maildir, session);
    if (this.#isDraining) session.drain();
  }

  readonly answers: Handlers = {
    ...this.#history.answers,
    sessions: (_, reply) => {
      for (const session of this.#sessions) reply(session.describe());
    },
    kick: ({ sessions }, reply) => {
      for (const session of this.#sessions) {
        if (!sessions.includes(session.id)) continue;
        session.kick();
        reply({ session: session.id });
      }
    },
  };

  /** The account's own where its passwd line says so, else the config's. */
  #mailOptions(ticket: Ticket, choices: Choices): MailOptions {
    const expireDays = this.#expireDays(ticket);
    const { utf8Headers, workarounds } = this.#settings;
    return {
      presentation: presentationFor(utf8Headers, ticket.mail.workarounds ?? workarounds, choices),
      toldCheckMs: TOLD_CHECK_MS,
      expireMs: expireDays === null ? undefined : expireDays * DAY_MS,
      keepDeletedMs: ticket.mail.keepDeletedMs ?? this.#settings.keepDeletedMs,
      markSeen: ticket.mail.markSeen ?? this.#settings.markSeen,
    };
  }

  #expireDays({ mail }: Ticket): number | null {
    return mail.expireDays === undefined ? this.#settings.expireDays : mail.expireDays;
  }

  /** For a successor: the tickets that it must not take again. */
  usedTickets(): UsedTickets {
    return this.#tickets.used(this.#now());
  }

  /** @param handed what `usedTickets` of the one before it said */
  succeed(handed: unknown): void {
    const used = usedTickets.safeParse(handed);
    if (used.success) this.#tickets.succeed(used.data);
    else
      this.#log.warn("the process before this one left no list of used tickets, older tickets are refused");
  }

  /** Resolves when no session is left by itself. */
  whenIdle(): Promise<void> {
    return whenAllEmpty(this.#admissions, this.#sessions);
  }

  /** Ends all sessions in good order; those that take longer than `limits.drain_time` are cut off. */
  async drain(): Promise<void> {
    this.#isDraining = true;
    for (const session of this.#sessions) session.drain();
    const timer = setTimeout(() => {
      for (const session of this.#sessions) session.destroy();
    }, this.#settings.drainTimeMs);
    await this.#sessions.whenEmpty();
    clearTimeout(timer);
  }
}

/** For the owner, who has just given the password: since when, and from where. */
function lockedText(holder: Holder | undefined, texts: Texts): string {
  if (holder === undefined) return texts.maildropLocked;
  const since = `${new Date(holder.startedAtMs).toISOString().slice(0, 19)}Z`;
  return texts.maildropLockedFrom(holder.address, since);
}

const DAY_MS = 86_400_000;
