// The TRANSACTION state (RFC 1939 §5) and what QUIT says of the UPDATE state (§6): decides what each line means, marks
// messages as deleted, does nothing itself. The mailbox process acts on the outcomes.
import { type Capabilities, capabilityResponse } from "./capability.ts";
import type { Choices } from "./choices.ts";
import { type Command, parseCommand } from "./command.ts";
import { langCommand } from "./lang-command.ts";
import { type LanguageTag, type Speech, speechOf } from "./language.ts";
import { type Line, MAX_LINE_OCTETS } from "./line-reader.ts";
import { messageArgument } from "./message-number.ts";
import { err, ok, TERMINATION } from "./reply.ts";
import type { Texts, UsageKeyword } from "./texts/texts.ts";
import { unexpectedCommand } from "./unexpected-command.ts";

/** The maildrop as this state sees it. `index` counts from 0, in message number order, and never changes. */
export interface MaildropView {
  readonly count: number;
  /** False while sizes are still being counted; `octets` and `totalOctets` may be asked only once it is true. */
  readonly measured: boolean;
  /** Octets as sent: CRLF line ends, without byte-stuffing and without the termination. */
  octets(index: number): number;
  /** Of all messages together. */
  readonly totalOctets: number;
  uniqueId(index: number): string;
}

export interface TransactionOptions {
  readonly serverName: string;
  /** Until the client chooses another. */
  readonly language: LanguageTag;
  /** Made before login. */
  readonly choices: Choices;
  readonly capabilities: Capabilities;
  /** Replies to unknown, malformed or misplaced commands before the connection is closed. */
  readonly maxUselessCommands: number;
}

export type TransactionOutcome =
  | { readonly kind: "reply"; readonly text: string }
  /** A multi-line response in pieces, the first with the status line, the last with the termination. */
  | { readonly kind: "listing"; readonly pieces: Iterator<string> }
  /** Sizes are needed: measure the maildrop, then hand the same line in again. */
  | { readonly kind: "measure" }
  /** Send the message; `bodyLines` limits the body (TOP). */
  | { readonly kind: "send"; readonly index: number; readonly bodyLines: number | undefined }
  /** QUIT: enter the UPDATE state, then say `signOff`. */
  | { readonly kind: "update" }
  | { readonly kind: "close"; readonly text: string };

export class TransactionState {
  readonly #maildrop: MaildropView;
  readonly #options: TransactionOptions;
  readonly #deleted = new Set<number>();
  #speech: Speech;
  #useless = 0;

  constructor(maildrop: MaildropView, options: TransactionOptions) {
    this.#maildrop = maildrop;
    this.#options = options;
    this.#speech = speechOf(options.choices.language, options.language);
  }

  /** For what others have to say to this client. */
  get texts(): Texts {
    return this.#speech.texts;
  }

  /** Indexes marked by DELE, for the UPDATE state. */
  get deleted(): ReadonlySet<number> {
    return this.#deleted;
  }

  handle(line: Line): TransactionOutcome {
    if (line.kind === "too-long") return this.#refuse(err(this.texts.lineTooLong(MAX_LINE_OCTETS)));
    const command = parseCommand(line.text);
    switch (command.keyword) {
      case "STAT":
        return this.#stat(command);
      case "LIST":
        return this.#list(command);
      case "RETR":
        return this.#retr(command);
      case "DELE":
      case "DEL":
        return this.#dele(command);
      case "NOOP":
        return this.#noop(command);
      case "RSET":
        return this.#rset(command);
      case "TOP":
        return this.#top(command);
      case "UIDL":
        return this.#uidl(command);
      case "CAPA":
        return this.#capa(command);
      case "LANG":
        return this.#lang(command);
      case "QUIT":
        return this.#quit(command);
      default:
        return this.#refuse(unexpectedCommand(command.keyword, "TRANSACTION", this.texts));
    }
  }

  /**
   * QUIT's reply. RFC 1939 §6: when some marked message was not removed, it is an -ERR.
   *
   * @param update how many marked ones were not removed, and how many others were because of their age
   */
  signOff(update: { readonly failed: number; readonly expired?: number }): string {
    if (update.failed > 0) {
      return err(this.texts.notRemoved(update.failed, this.#deleted.size), "SYS/TEMP");
    }
    const left = this.#maildrop.count - this.#deleted.size - (update.expired ?? 0);
    return ok(this.texts.signOff(this.#options.serverName, left));
  }

  #stat(command: Command): TransactionOutcome {
    if (command.arguments.length > 0) return this.#refuse(err(this.texts.expected.STAT));
    if (!this.#maildrop.measured) return { kind: "measure" };
    const { count, octets } = this.#total();
    return { kind: "reply", text: ok(`${count} ${octets}`) };
  }

  #list(command: Command): TransactionOutcome {
    return this.#scan(
      "LIST",
      command,
      (index) => `${this.#maildrop.octets(index)}`,
      () => {
        const { count, octets } = this.#total();
        return ok(this.texts.maildrop(count, octets));
      },
    );
  }

  #uidl(command: Command): TransactionOutcome {
    return this.#scan("UIDL", command, (index) => this.#maildrop.uniqueId(index));
  }

  #retr(command: Command): TransactionOutcome {
    const [argument] = command.arguments;
    if (argument === undefined || command.arguments.length > 1)
      return this.#refuse(err(this.texts.expected.RETR));
    const message = this.#messageArgument(argument, "RETR");
    return message.kind === "outcome"
      ? message.outcome
      : { kind: "send", index: message.index, bodyLines: undefined };
  }

  #top(command: Command): TransactionOutcome {
    const [argument, lines] = command.arguments;
    if (argument === undefined || lines === undefined || command.arguments.length > 2)
      return this.#refuse(err(this.texts.expected.TOP));
    if (!/^[0-9]{1,10}$/.test(lines)) return this.#refuse(err(this.texts.expected.TOP));
    const message = this.#messageArgument(argument, "TOP");
    if (message.kind === "outcome") return message.outcome;
    return { kind: "send", index: message.index, bodyLines: Number.parseInt(lines, 10) };
  }

  #dele(command: Command): TransactionOutcome {
    const [argument] = command.arguments;
    if (argument === undefined || command.arguments.length > 1)
      return this.#refuse(err(this.texts.expected.DELE));
    const message = this.#messageArgument(argument, "DELE");
    if (message.kind === "outcome") return message.outcome;
    this.#deleted.add(message.index);
    return { kind: "reply", text: ok(this.texts.deleted(message.index + 1)) };
  }

  #noop(command: Command): TransactionOutcome {
    return command.arguments.length > 0
      ? this.#refuse(err(this.texts.expected.NOOP))
      : { kind: "reply", text: ok() };
  }

  #rset(command: Command): TransactionOutcome {
    if (command.arguments.length > 0) return this.#refuse(err(this.texts.expected.RSET));
    if (!this.#maildrop.measured) return { kind: "measure" };
    this.#deleted.clear();
    const { count, octets } = this.#total();
    return { kind: "reply", text: ok(this.texts.reset(count, octets)) };
  }

  #capa(command: Command): TransactionOutcome {
    if (command.arguments.length > 0) return this.#refuse(err(this.texts.expected.CAPA));
    return { kind: "reply", text: capabilityResponse(this.#options.capabilities, this.texts) };
  }

  #lang(command: Command): TransactionOutcome {
    const outcome = langCommand(command, this.#speech, this.#options.language);
    if (outcome.kind === "refused") return this.#refuse(outcome.text);
    if (outcome.kind === "changed") this.#speech = outcome.speech;
    return { kind: "reply", text: outcome.text };
  }

  #quit(command: Command): TransactionOutcome {
    return command.arguments.length > 0 ? this.#refuse(err(this.texts.expected.QUIT)) : { kind: "update" };
  }

  /** LIST and UIDL: one message, or all that are not deleted. */
  #scan(
    keyword: "LIST" | "UIDL",
    command: Command,
    value: (index: number) => string,
    summary?: () => string,
  ): TransactionOutcome {
    if (command.arguments.length > 1) return this.#refuse(err(this.texts.expected[keyword]));
    if (keyword === "LIST" && !this.#maildrop.measured) return { kind: "measure" };
    const [argument] = command.arguments;
    if (argument === undefined) return { kind: "listing", pieces: this.#pieces(summary?.() ?? ok(), value) };
    const message = this.#messageArgument(argument, keyword);
    if (message.kind === "outcome") return message.outcome;
    return { kind: "reply", text: ok(`${message.index + 1} ${value(message.index)}`) };
  }

  /** Pieces of some 16 KiB, so that a listing of 100,000 messages never stands in memory whole. */
  *#pieces(statusLine: string, value: (index: number) => string): Generator<string> {
    let piece = statusLine;
    for (let index = 0; index < this.#maildrop.count; index++) {
      if (this.#deleted.has(index)) continue;
      piece += `${index + 1} ${value(index)}\r\n`;
      if (piece.length > 16_384) {
        yield piece;
        piece = "";
      }
    }
    yield piece + TERMINATION;
  }

  #messageArgument(
    argument: string,
    keyword: UsageKeyword,
  ): { kind: "message"; index: number } | { kind: "outcome"; outcome: TransactionOutcome } {
    const message = messageArgument(
      argument,
      this.#maildrop.count,
      (index) => this.#deleted.has(index),
      this.texts,
    );
    switch (message.kind) {
      case "message":
        return message;
      case "malformed":
        return { kind: "outcome", outcome: this.#refuse(err(this.texts.expected[keyword])) };
      case "refused":
        return { kind: "outcome", outcome: { kind: "reply", text: message.reply } };
      default:
        return message satisfies never;
    }
  }

  #total(): { count: number; octets: number } {
    let octets = this.#maildrop.totalOctets;
    for (const index of this.#deleted) octets -= this.#maildrop.octets(index);
    return { count: this.#maildrop.count - this.#deleted.size, octets };
  }

  #refuse(text: string): TransactionOutcome {
    this.#useless++;
    if (this.#useless < this.#options.maxUselessCommands) return { kind: "reply", text };
    return { kind: "close", text: err(this.texts.tooManyUselessCommands) };
  }
}
