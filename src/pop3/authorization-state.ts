// The AUTHORIZATION state (RFC 1939 §4, RFC 5034): decides what each line means, does nothing itself. The login
// process acts on the outcomes. One authentication path: USER and PASS become SASL PLAIN.
import { type Capabilities, capabilityResponse } from "./capability.ts";
import type { Choices } from "./choices.ts";
import { type Command, parseCommand } from "./command.ts";
import { langCommand } from "./lang-command.ts";
import { type LanguageTag, type Speech, speechOf } from "./language.ts";
import { type Line, MAX_AUTH_LINE_OCTETS, MAX_LINE_OCTETS } from "./line-reader.ts";
import { challenge, err, ok } from "./reply.ts";
import type { Texts } from "./texts/texts.ts";
import { unexpectedCommand } from "./unexpected-command.ts";

export interface AuthorizationOptions extends Omit<Capabilities, "startTlsAllowed"> {
  /** Greeting and sign-off. */
  readonly serverName: string;
  /** Until the client chooses another. */
  readonly language: LanguageTag;
  /** TLS on this connection: not yet and to be had by STLS, already there, or not at all. */
  readonly tls: "available" | "active" | "none";
  /** Replies with -ERR before the connection is closed. */
  readonly maxUselessCommands: number;
}

export type AuthorizationOutcome =
  | { readonly kind: "reply"; readonly text: string }
  /** Ask auth; then call `challenged` or `refused`, or leave this state. Responses are base64, "" is an empty one. */
  | {
      readonly kind: "authenticate";
      readonly mechanism: string;
      readonly initialResponse: string | undefined;
    }
  /** The client's answer to the last challenge. */
  | { readonly kind: "respond"; readonly response: string }
  /** The exchange under way is given up. */
  | { readonly kind: "cancel"; readonly text: string }
  /**
   * Drop everything that was read, say `text`, begin the handshake, and go on with a new state: RFC 2595 §4 wants nothing
   * that came before to count.
   */
  | { readonly kind: "start-tls"; readonly text: string }
  | { readonly kind: "close"; readonly text: string; readonly reason: "quit" | "useless-commands" };

export type Failure =
  | { readonly kind: "refused" }
  | { readonly kind: "malformed" }
  | { readonly kind: "temporary" }
  | { readonly kind: "permanent" }
  /** The mailbox process said no: its own reply goes to the client as it is. */
  | { readonly kind: "maildrop"; readonly reply: string };

export class AuthorizationState {
  readonly #options: AuthorizationOptions;
  #speech: Speech;
  #utf8 = false;
  #user: string | undefined;
  #exchanging = false;
  #useless = 0;

  constructor(options: AuthorizationOptions) {
    this.#options = options;
    this.#speech = speechOf(undefined, options.language);
  }

  /** For what others have to say to this client. */
  get texts(): Texts {
    return this.#speech.texts;
  }

  get choices(): Choices {
    return { language: this.#speech.chosen, utf8: this.#utf8 };
  }

  /** A challenge is out: the next line is its response. */
  get isExchanging(): boolean {
    return this.#exchanging;
  }

  /** No "<…@…>" in it: that would announce APOP. */
  greeting(): string {
    return ok(this.texts.ready(this.#options.serverName));
  }

  /** For the line reader: base64 lines may be longer. */
  maxLineOctets(start: string): number {
    return this.#exchanging || /^auth /i.test(start) ? MAX_AUTH_LINE_OCTETS : MAX_LINE_OCTETS;
  }

  handle(line: Line): AuthorizationOutcome {
    if (this.#exchanging) return this.#response(line);
    if (line.kind === "too-long") return this.#refuse(err(this.texts.lineTooLong(MAX_LINE_OCTETS)));
    const command = parseCommand(line.text);
    switch (command.keyword) {
      case "CAPA":
        return this.#capa(command);
      case "USER":
        return this.#userName(command);
      case "PASS":
        return this.#password(command);
      case "AUTH":
        return this.#auth(command);
      case "STLS":
        return this.#startTls(command);
      case "UTF8":
        return this.#enableUtf8(command);
      case "LANG":
        return this.#lang(command);
      case "QUIT":
        return this.#quit(command);
      default:
        return this.#refuse(unexpectedCommand(command.keyword, "AUTHORIZATION", this.texts));
    }
  }

  /** auth wants to know more: the text goes to the client, its next line is the response. */
  challenged(base64: string): string {
    this.#exchanging = true;
    return challenge(base64);
  }

  /** Authentication or the maildrop's opening failed; the session stays in the AUTHORIZATION state. */
  refused(failure: Failure): AuthorizationOutcome {
    this.#exchanging = false;
    this.#user = undefined;
    switch (failure.kind) {
      case "refused":
        return this.#refuse(err(this.texts.authenticationFailed, "AUTH"));
      case "malformed":
        return this.#refuse(err(this.texts.malformedResponse));
      case "temporary":
        return {
          kind: "reply",
          text: err(this.texts.authenticationUnavailable, "SYS/TEMP"),
        };
      case "permanent":
        return this.#refuse(err(this.texts.accountUnusable, "SYS/PERM"));
      case "maildrop":
        return { kind: "reply", text: failure.reply };
      default:
        return failure satisfies never;
    }
  }

  #userName(command: Command): AuthorizationOutcome {
    if (!this.#options.passwordAllowed) return this.#refuse(this.#noPassword());
    const [name] = command.arguments;
    if (command.arguments.length !== 1 || name === undefined || name.includes("\0")) {
      return this.#refuse(err(this.texts.expected.USER));
    }
    // Known or not, the name is accepted: the answer tells nobody which accounts exist.
    this.#user = name;
    return { kind: "reply", text: ok(this.texts.userAccepted) };
  }

  #password(command: Command): AuthorizationOutcome {
    if (!this.#options.passwordAllowed) return this.#refuse(this.#noPassword());
    const user = this.#user;
    if (user === undefined) return this.#refuse(err(this.texts.sendUserFirst));
    const password = command.rest;
    if (password === undefined || password === "" || password.includes("\0")) {
      return this.#refuse(err(this.texts.expected.PASS));
    }
    this.#user = undefined;
    return { kind: "authenticate", mechanism: "PLAIN", initialResponse: btoa(`\0${user}\0${password}`) };
  }

  #auth(command: Command): AuthorizationOutcome {
    const [mechanism, initialResponse] = command.arguments;
    const offered = this.#options.mechanisms;
    if (mechanism === undefined || command.arguments.length > 2) {
      return this.#refuse(err(this.texts.expectedAuth(offered.join(" "))));
    }
    const name = mechanism.toUpperCase();
    if (!offered.includes(name)) {
      if (!this.#options.passwordAllowed && (name === "PLAIN" || name === "LOGIN"))
        return this.#refuse(this.#noPassword());
      return this.#refuse(err(this.texts.mechanismNotOffered(offered.join(" "))));
    }
    if (initialResponse === undefined)
      return { kind: "authenticate", mechanism: name, initialResponse: undefined };
    // RFC 5034 §4: "=" is an empty initial response.
    if (initialResponse === "=") return { kind: "authenticate", mechanism: name, initialResponse: "" };
    if (!isBase64(initialResponse)) return this.#refuse(err(this.texts.initialResponseNotBase64));
    return { kind: "authenticate", mechanism: name, initialResponse };
  }

  #capa(command: Command): AuthorizationOutcome {
    if (command.arguments.length > 0) return this.#refuse(err(this.texts.expected.CAPA));
    const startTlsAllowed = this.#options.tls === "available";
    return { kind: "reply", text: capabilityResponse({ ...this.#options, startTlsAllowed }, this.texts) };
  }

  #startTls(command: Command): AuthorizationOutcome {
    const { tls } = this.#options;
    if (tls === "active") return this.#refuse(err(this.texts.tlsActive));
    if (tls === "none") return this.#refuse(err(this.texts.tlsUnavailable));
    if (command.arguments.length > 0) return this.#refuse(err(this.texts.expected.STLS));
    // RFC 6856 §2.1 lets us hold clients to it: the UTF8 would count for nothing behind the handshake.
    if (this.#utf8) return this.#refuse(err(this.texts.tlsBeforeUtf8));
    return { kind: "start-tls", text: ok(this.texts.beginTls) };
  }

  #enableUtf8(command: Command): AuthorizationOutcome {
    if (command.arguments.length > 0) return this.#refuse(err(this.texts.expected.UTF8));
    this.#utf8 = true;
    return { kind: "reply", text: ok(this.texts.utf8Enabled) };
  }

  #lang(command: Command): AuthorizationOutcome {
    const outcome = langCommand(command, this.#speech, this.#options.language);
    if (outcome.kind === "refused") return this.#refuse(outcome.text);
    if (outcome.kind === "changed") this.#speech = outcome.speech;
    return { kind: "reply", text: outcome.text };
  }

  // RFC 3206 §4: AUTH also stands for "an attempt to authenticate in violation of policy". Clients show the text.
  #noPassword(): string {
    const { tls, mechanisms } = this.#options;
    if (tls === "active") return err(this.texts.passwordNotTaken(mechanisms), "AUTH");
    const { passwordNeedsTls, passwordNeedsPop3s } = this.texts;
    return err(tls === "available" ? passwordNeedsTls : passwordNeedsPop3s, "AUTH");
  }

  #quit(command: Command): AuthorizationOutcome {
    if (command.arguments.length > 0) return this.#refuse(err(this.texts.expected.QUIT));
    return { kind: "close", text: ok(this.texts.signingOff(this.#options.serverName)), reason: "quit" };
  }

  #response(line: Line): AuthorizationOutcome {
    this.#exchanging = false;
    if (line.kind === "too-long") return this.#cancel(this.texts.lineTooLong(MAX_AUTH_LINE_OCTETS));
    if (line.text === "*") return this.#cancel(this.texts.authenticationCancelled);
    if (!isBase64(line.text)) return this.#cancel(this.texts.responseNotBase64);
    return { kind: "respond", response: line.text };
  }

  #cancel(reason: string): AuthorizationOutcome {
    const outcome = this.#refuse(err(reason));
    return outcome.kind === "reply" ? { kind: "cancel", text: outcome.text } : outcome;
  }

  #refuse(text: string): AuthorizationOutcome {
    this.#useless++;
    if (this.#useless < this.#options.maxUselessCommands) return { kind: "reply", text };
    return {
      kind: "close",
      text: err(this.texts.tooManyUselessCommands),
      reason: "useless-commands",
    };
  }
}

function isBase64(text: string): boolean {
  return text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text);
}
