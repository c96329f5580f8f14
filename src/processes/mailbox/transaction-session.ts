// One client after login: acts on what the TRANSACTION state decides, on this session's maildrop. Runs in the mailbox
// process as the mail's owner (in a worker, when `server.processes` is "combined").
import type { Duplex } from "node:stream";
import { countCommand } from "../../control/counters/command-times.ts";
import type { AnswerOf } from "../../control/link/questions.ts";
import type { Log } from "../../log/log.ts";
import type { SessionEndReason } from "../../log/reasons.ts";
import { Connection } from "../../net/connection.ts";
import { type StallLimits, StallWatch } from "../../net/stall-watch.ts";
import { knownKeyword } from "../../pop3/command.ts";
import { type Line, LineReader } from "../../pop3/line-reader.ts";
import { err, ok } from "../../pop3/reply.ts";
import {
  type TransactionOptions,
  type TransactionOutcome,
  TransactionState,
} from "../../pop3/transaction-state.ts";
import { maskedLine, type SessionTrace, tracing } from "../child/tracing.ts";
import { type SendOptions, type SentMessage, sendMessage, sendShortMessage } from "./message-sender.ts";
import { readAhead } from "./read-ahead.ts";
import type { SessionMaildrop } from "./session-maildrop.ts";
import {
  type EndedSession,
  type HowLoggedIn,
  type SessionIdentity,
  SessionRecord,
} from "./session-record.ts";

export interface SessionContext {
  readonly ticket: SessionIdentity & HowLoggedIn;
  readonly maildrop: SessionMaildrop;
  readonly options: TransactionOptions;
  readonly idleTimeMs: number;
  /** As of now. */
  stall(): StallLimits;
  /** Another process stands between: it sees how much the client takes, and cuts it off. */
  readonly isRelayed: boolean;
  readonly log: Log;
  now(): number;
  onOver(ended: EndedSession): void;
}

export class TransactionSession {
  readonly #context: SessionContext;
  readonly #connection: Connection;
  readonly #state: TransactionState;
  readonly #watch: StallWatch;
  // Not the socket's own: to that one, a client that sends an octet every nine minutes would never be idle.
  readonly #idleTimer: NodeJS.Timeout;
  readonly #trace: SessionTrace | undefined;
  readonly #record: SessionRecord;
  /** Set when no other command is to be handled. */
  #closing: { readonly reason: SessionEndReason; readonly text: string } | undefined;
  #cutOff: NodeJS.Timeout | undefined;
  #updating: Promise<void> | undefined;
  #lastCommandAtMs: number;
  /** Of the message that was asked for last. */
  #lastIndex = -1;
  #settleOver: () => void = () => {};
  /** Settles when the session is over and its maildrop free. */
  readonly over = new Promise<void>((resolve) => {
    this.#settleOver = resolve;
  });

  /** Says that the login succeeded, and handles what the client sent behind it. @param read octets read already */
  constructor(socket: Duplex, read: Uint8Array, context: SessionContext) {
    this.#context = context;
    this.#record = new SessionRecord(context.ticket, context.now());
    this.#lastCommandAtMs = this.#record.startedAtMs;
    this.#trace = tracing.begin(context.ticket);
    this.#state = new TransactionState(context.maildrop, context.options);
    this.#connection = new Connection(socket, new LineReader(), {
      onLine: (line) => this.#onLine(line),
      onOutput: (isFull) => {
        this.#watch.waits(isFull);
        if (!isFull) this.#idleTimer.refresh();
      },
      onReply: (text) => this.#trace?.line("S", text),
      onClose: (error) => this.#onClose(error),
      onFault: (error) => {
        this.#record.end("fault");
        context.log.error({ err: error, ...this.#record.identity }, "session failed");
      },
    });
    const { stall, isRelayed } = context;
    this.#watch = new StallWatch(socket, isRelayed ? () => relayedLimits(stall()) : stall, () => {
      this.#record.end("stalled");
      this.#connection.destroy();
    });
    this.#idleTimer = setTimeout(() => this.#onIdle(), context.idleTimeMs);
    this.#connection.reply(ok(this.#state.texts.passAccepted));
    this.#connection.start(read);
  }

  /** Lets the running command finish, then closes without UPDATE. */
  drain(): void {
    this.#closeAfterWork("shutdown", this.#state.texts.shuttingDownUndeleted);
  }

  /** An administrator ends it, without UPDATE unless QUIT was said already. A command that takes long is cut off. */
  kick(): void {
    this.#closeAfterWork("kicked", this.#state.texts.sessionKicked);
    if (this.#updating === undefined) this.#cutOff ??= setTimeout(() => this.#connection.destroy(), KICK_MS);
  }

  get id(): string {
    return this.#context.ticket.session;
  }

  /** For pop3-ctl. */
  describe(): AnswerOf<"sessions"> {
    return {
      ...this.#record.identity,
      secured: this.#context.ticket.secured,
      state: this.#updating === undefined ? "TRANSACTION" : "UPDATE",
      startedAtMs: this.#record.startedAtMs,
      idleMs: Math.max(0, this.idleMs()),
      messages: this.#record.messages,
      octets: this.#record.octets,
    };
  }

  get address(): string {
    return this.#context.ticket.address;
  }

  get startedAtMs(): number {
    return this.#record.startedAtMs;
  }

  /** How long the client has asked for nothing, ms; 0 while a command works. */
  idleMs(): number {
    return this.#connection.isWorking ? 0 : this.#context.now() - this.#lastCommandAtMs;
  }

  /** Ends the session in favour of a newer one of the same account, without UPDATE. */
  takeOver(): void {
    this.#record.end("taken-over");
    this.#closeMaildrop();
    this.#connection.end(err(this.#state.texts.takenOver, "SYS/TEMP"));
  }

  destroy(): void {
    this.#record.end("shutdown");
    this.#connection.destroy();
  }

  #onLine(line: Line): Promise<void> | undefined {
    this.#lastCommandAtMs = this.#context.now();
    this.#idleTimer.refresh();
    if (this.#closing !== undefined) {
      this.#close(this.#closing);
      return undefined;
    }
    this.#trace?.line("C", maskedLine(line, false));
    const beganMs = performance.now();
    const outcome = this.#state.handle(line);
    const work = this.#act(outcome, line);
    if (work === undefined) {
      countOutcome(line, outcome, performance.now() - beganMs);
      return undefined;
    }
    return work.then(() => {
      countOutcome(line, outcome, performance.now() - beganMs);
      if (this.#closing !== undefined) this.#close(this.#closing);
    });
  }

  #act(outcome: TransactionOutcome, line: Line): Promise<void> | undefined {
    switch (outcome.kind) {
      case "reply":
        this.#connection.reply(outcome.text);
        return undefined;
      case "listing":
        return this.#list(outcome.pieces);
      case "measure":
        // Counting ends early only with the session: then there is nobody to answer.
        return this.#context.maildrop.measure().then(() => {
          return this.#context.maildrop.measured ? this.#act(this.#state.handle(line), line) : undefined;
        });
      case "send":
        return this.#send(outcome.index, outcome.bodyLines);
      case "update":
        this.#updating = this.#update();
        return this.#updating;
      case "close":
        this.#record.end("useless-commands");
        this.#connection.end(outcome.text);
        return undefined;
      default:
        return outcome satisfies never;
    }
  }

  /** As long as the client takes what it gets, no promise is made for a listing. */
  #list(pieces: Iterator<string>): Promise<void> | undefined {
    for (let piece = pieces.next(); piece.done !== true; piece = pieces.next()) {
      this.#connection.reply(piece.value);
      if (this.#connection.isOutputFull) return this.#connection.flush().then(() => this.#list(pieces));
    }
    return undefined;
  }

  #send(index: number, bodyLines: number | undefined): Promise<void> | undefined {
    const { maildrop } = this.#context;
    const bytes = readAhead.read(maildrop, index);
    const isInOrder = index === this.#lastIndex + 1;
    this.#lastIndex = index;
    if (bytes === undefined) return this.#sendFile(index, bodyLines);
    const options = this.#sendOptions(index, bodyLines);
    this.#sent(index, sendShortMessage(this.#connection, bytes, maildrop.counted(index), options));
    if (isInOrder && index > 0) readAhead.expect(maildrop, index + 1);
    return undefined;
  }

  #sendOptions(index: number, bodyLines: number | undefined): SendOptions {
    const { presentation } = this.#context.maildrop;
    return { messageNumber: index + 1, bodyLines, presentation, texts: this.#state.texts };
  }

  #sent(index: number, sent: SentMessage): void {
    if (sent.kind === "refused") return;
    const { maildrop } = this.#context;
    const { octets, counted } = sent;
    this.#record.sent(octets);
    this.#trace?.line("-", `${octets} octets of message ${index + 1}`);
    if (counted === undefined) return;
    this.#record.sentWhole(index);
    maildrop.correctOctets(index, counted);
  }

  async #sendFile(index: number, bodyLines: number | undefined): Promise<void> {
    const { maildrop, log } = this.#context;
    const opened = await maildrop.openMessage(index);
    if (opened.kind === "gone") {
      this.#connection.reply(err(this.#state.texts.removedByOther(index + 1)));
      return;
    }
    if (opened.kind === "failed") {
      log.warn(
        {
          ...this.#record.identity,
          uniqueId: maildrop.uniqueId(index),
          code: opened.code,
          cause: opened.reason,
        },
        "cannot open message",
      );
      this.#connection.reply(
        err(this.#state.texts.unreadable(index + 1), opened.permanent ? "SYS/PERM" : "SYS/TEMP"),
      );
      return;
    }
    try {
      const sent = await sendMessage(this.#connection, opened.file, this.#sendOptions(index, bodyLines));
      switch (sent.kind) {
        case "sent":
        case "refused":
          this.#sent(index, sent);
          return;
        case "client-gone":
          return;
        case "unreadable":
          log.warn(
            { ...this.#record.identity, uniqueId: maildrop.uniqueId(index), code: sent.code },
            "cannot read message",
          );
          if (!sent.begun) {
            this.#connection.reply(err(this.#state.texts.unreadable(index + 1), "SYS/TEMP"));
            return;
          }
          // Half of it is on the way: only a broken connection keeps the client from taking it for the whole.
          this.#record.end("read-failed");
          this.#connection.destroy();
          return;
        default:
          return sent satisfies never;
      }
    } finally {
      opened.file.close();
    }
  }

  async #update(): Promise<void> {
    const { maildrop, log } = this.#context;
    const result = await maildrop.update({ deleted: this.#state.deleted, retrieved: this.#record.retrieved });
    this.#record.updated(result);
    for (const failure of result.failed) {
      log.error(
        { ...this.#record.identity, uniqueId: maildrop.uniqueId(failure.index), code: failure.code },
        "cannot remove message",
      );
    }
    // Before the reply: a client that comes back at once finds its maildrop free.
    this.#closeMaildrop();
    this.#record.end("quit");
    const signOff = this.#state.signOff({ failed: result.failed.length, expired: result.expired });
    // A relay may be writing, and would take a closed socket for the end before it has read the reply.
    if (this.#context.isRelayed) this.#connection.end(signOff);
    else this.#connection.endAsAsked(signOff);
  }

  #closeMaildrop(): void {
    readAhead.forget(this.#context.maildrop);
    this.#context.maildrop.close();
  }

  // RFC 1939 §3: the autologout timer ends the session without UPDATE and without a reply.
  #onIdle(): void {
    if (this.#connection.isWorking || this.#connection.isOutputFull) {
      this.#idleTimer.refresh();
      return;
    }
    this.#record.end("idle");
    this.#connection.destroy();
  }

  #closeAfterWork(reason: SessionEndReason, text: string): void {
    this.#closing ??= { reason, text };
    if (!this.#connection.isWorking) this.#close(this.#closing);
  }

  #close({ reason, text }: { readonly reason: SessionEndReason; readonly text: string }): void {
    if (this.#record.hasEnded) return;
    this.#record.end(reason);
    this.#connection.end(err(text, "SYS/TEMP"));
  }

  #onClose(error: Error | undefined): void {
    clearTimeout(this.#cutOff);
    clearTimeout(this.#idleTimer);
    const stall = this.#context.stall();
    // The relay has cut it off, which knows better how much the client took.
    if (this.#watch.waitingMs >= stall.stallTimeMs || this.#watch.hasTakenLess(stall))
      this.#record.end("stalled");
    // One that was to be closed and was cut off first.
    this.#record.end(this.#closing?.reason ?? "disconnected");
    void this.#finish(error);
  }

  async #finish(error: Error | undefined): Promise<void> {
    const { maildrop, log, now } = this.#context;
    const endedAtMs = now();
    // A client that leaves during UPDATE has said QUIT: it is done to its end, under the lock.
    await this.#updating?.catch(() => {});
    this.#closeMaildrop();
    await maildrop.closed;
    const ended = this.#record.close({ messages: maildrop.count, endedAtMs, error, log });
    this.#trace?.end(ended.reason);
    this.#settleOver();
    this.#context.onOver(ended);
  }
}

function countOutcome(line: Line, outcome: TransactionOutcome, ms: number): void {
  const isRefused = outcome.kind === "close" || (outcome.kind === "reply" && !outcome.text.startsWith("+OK"));
  countCommand((line.kind === "line" ? knownKeyword(line.text) : undefined) ?? "unknown", isRefused, ms);
}

/**
 * What lies between us and the client takes octets in large steps, minutes apart for a slow one: this is for a relay that
 * does not do its work.
 */
function relayedLimits({ stallTimeMs, minOctetsPerSecond }: StallLimits): StallLimits {
  const stepMs = (RELAYED_STEP_OCTETS / Math.max(1, minOctetsPerSecond)) * 1000;
  return { stallTimeMs: stallTimeMs + Math.min(stepMs, LONGEST_STEP_MS), minOctetsPerSecond: 0 };
}

/** A socket's buffer and the relay's own. */
const RELAYED_STEP_OCTETS = 512 * 1024;
const LONGEST_STEP_MS = 86_400_000;

/** How long a session that an administrator ends may go on with its command, ms. */
const KICK_MS = 2_000;
