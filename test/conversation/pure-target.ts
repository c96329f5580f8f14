// The pure sessions of src/pop3 over messages in memory: what they decide is done here in the simplest way.
import { passwordForms, saslprep } from "../../src/accounts/passwords/saslprep.ts";
import { AS_STORED, presentedOctets } from "../../src/maildir/presentation.ts";
import { countWhole } from "../../src/maildir/sizes/count-message.ts";
import { type AuthorizationOutcome, AuthorizationState } from "../../src/pop3/authorization-state.ts";
import { type Line, LineReader } from "../../src/pop3/line-reader.ts";
import { MessageEncoder, TopLimiter } from "../../src/pop3/multi-line-response.ts";
import { err, ok } from "../../src/pop3/reply.ts";
import { TransactionState } from "../../src/pop3/transaction-state.ts";
import { Presenter } from "../../src/processes/mailbox/presenter.ts";
import type { ServerMechanism, Step } from "../../src/sasl/mechanism.ts";
import { mechanisms } from "../../src/sasl/mechanisms.ts";
import { contextOf } from "../sasl/context.ts";
import { octets } from "../support/in-pieces.ts";
import { verifierOf } from "../support/scram-client.ts";
import { type Messages, UTF8_NAME, UTF8_PASSWORD } from "./dialogue.ts";
import type { Target, Wire } from "./run-dialogue.ts";

const capabilities = {
  mechanisms: ["PLAIN", "LOGIN", "SCRAM-SHA-256"],
  passwordAllowed: true,
  implementation: "dewey-pop3",
  retention: { days: undefined, perUser: false },
};

const PASSWORDS = new Map([
  ["mrose", "secret"],
  [UTF8_NAME, UTF8_PASSWORD],
]);
const JPOSTEL = verifierOf("SHA-256", "pencil");
const NOBODY = verifierOf("SHA-256", "a password that nobody has");

export class PureTarget implements Target {
  readonly #messages = new Map<string, string>();
  /** How each send is cut into packets. */
  readonly #cut: (octets: Uint8Array) => Uint8Array[];
  #fixed: readonly string[] = [];
  #isLocked = false;

  constructor(cut: (octets: Uint8Array) => Uint8Array[]) {
    this.#cut = cut;
  }

  async reset(messages: Messages): Promise<void> {
    this.#isLocked = false;
    this.#fixed = [];
    this.#messages.clear();
    for (const [name, content] of messages) this.#messages.set(name, content);
  }

  async connect(): Promise<Wire> {
    const session = new PureSession({
      open: () => {
        if (this.#isLocked) return undefined;
        this.#isLocked = true;
        return [...this.#messages].map(([uniqueId, content]) => ({ uniqueId, content: octets(content) }));
      },
      remove: (uniqueId) => !this.#fixed.includes(uniqueId) && this.#messages.delete(uniqueId),
      release: () => {
        this.#isLocked = false;
      },
    });
    return {
      send: (text) => {
        for (const piece of this.#cut(octets(text))) session.receive(piece);
      },
      line: async () => session.takeLine(),
      secure: async () => session.secure(),
      close: async () => session.close(),
    };
  }

  fix(names: readonly string[]): void {
    this.#fixed = names;
  }

  async messageNames(): Promise<readonly string[]> {
    return [...this.#messages.keys()];
  }
}

function authorization(tls: "available" | "active"): AuthorizationState {
  const offered = [...capabilities.mechanisms, ...(tls === "active" ? ["SCRAM-SHA-256-PLUS"] : [])];
  return new AuthorizationState({
    ...{ serverName: "dewey", language: "i-default", maxUselessCommands: 10, ...capabilities },
    mechanisms: offered,
    tls,
  });
}

interface Store {
  open(): { uniqueId: string; content: Uint8Array }[] | undefined;
  /** False when it is still there. */
  remove(uniqueId: string): boolean;
  release(): void;
}

class PureSession {
  readonly #store: Store;
  #authorization = authorization("available");
  readonly #reader = new LineReader((start) =>
    this.#transaction === undefined ? this.#authorization.maxLineOctets(start) : 255,
  );
  #transaction: TransactionState | undefined;
  #messages: { uniqueId: string; content: Uint8Array }[] = [];
  #mechanism: ServerMechanism | undefined;
  #presentation = AS_STORED;
  #output: string;
  #isClosed = false;
  #isSecuring = false;

  constructor(store: Store) {
    this.#store = store;
    this.#output = this.#authorization.greeting();
  }

  receive(chunk: Uint8Array): void {
    if (this.#isSecuring) return;
    this.#reader.push(chunk);
    for (let line = this.#reader.next(); line !== undefined && !this.#isClosed; line = this.#reader.next()) {
      if (this.#transaction === undefined) this.#authorize(this.#authorization.handle(line));
      else this.#transact(this.#transaction, line);
    }
  }

  /** Between the two, octets are the handshake's: there is none here, so none may come. */
  secure(): void {
    if (!this.#isSecuring) throw new Error("no handshake was begun");
    this.#isSecuring = false;
    this.#authorization = authorization("active");
  }

  takeLine(): string | undefined {
    const end = this.#output.indexOf("\r\n");
    if (end === -1) {
      if (this.#isClosed) return undefined;
      throw new Error("the session waits for the client");
    }
    const line = this.#output.slice(0, end);
    this.#output = this.#output.slice(end + 2);
    return line;
  }

  close(): void {
    if (!this.#isClosed && this.#transaction !== undefined) this.#store.release();
    this.#isClosed = true;
  }

  #authorize(outcome: AuthorizationOutcome): void {
    switch (outcome.kind) {
      case "reply":
      case "cancel":
        this.#output += outcome.text;
        return;
      case "start-tls":
        this.#output += outcome.text;
        this.#reader.clear();
        this.#isSecuring = true;
        return;
      case "close":
        this.#output += outcome.text;
        this.close();
        return;
      case "authenticate": {
        this.#mechanism = mechanisms.get(outcome.mechanism)?.create(contextOf({ prepareName: saslprep }));
        const { initialResponse } = outcome;
        this.#step(
          this.#mechanism?.start(initialResponse === undefined ? undefined : octets(atob(initialResponse))),
        );
        return;
      }
      case "respond":
        if (this.#mechanism === undefined && outcome.response === "") this.#open();
        else this.#step(this.#mechanism?.next(octets(atob(outcome.response))));
        return;
      default:
        outcome satisfies never;
    }
  }

  #step(step: Step | undefined): void {
    switch (step?.kind) {
      case "challenge":
        this.#output += this.#authorization.challenged(Buffer.from(step.data).toString("base64"));
        return;
      case "password": {
        const { authenticationIdentity, authorizationIdentity } = step;
        const isRight =
          (authorizationIdentity === "" || authorizationIdentity === authenticationIdentity) &&
          passwordForms(step.password).some(
            (form) => PASSWORDS.get(authenticationIdentity) === Buffer.from(form).toString(),
          );
        if (isRight) this.#open();
        else this.#authorize(this.#authorization.refused({ kind: "refused" }));
        return;
      }
      case "verifier":
        this.#step(step.proceed(step.authenticationIdentity === "jpostel" ? JPOSTEL : NOBODY));
        return;
      case "proof": {
        if (!step.isRight) {
          this.#authorize(this.#authorization.refused({ kind: "refused" }));
          return;
        }
        // Answered by nothing, the last challenge opens the maildrop.
        this.#mechanism = undefined;
        this.#output += this.#authorization.challenged(Buffer.from(step.serverFinal).toString("base64"));
        return;
      }
      default:
        this.#authorize(this.#authorization.refused({ kind: "malformed" }));
    }
  }

  #open(): void {
    const messages = this.#store.open();
    if (messages === undefined) {
      const reply = err(this.#authorization.texts.maildropLocked, "IN-USE");
      this.#authorize(this.#authorization.refused({ kind: "maildrop", reply }));
      return;
    }
    this.#messages = messages;
    this.#presentation = {
      surrogate: "downgraded",
      utf8Headers: this.#authorization.choices.utf8 ? "as-stored" : "surrogate",
      workarounds: [],
    };
    const octets = (index: number): number =>
      presentedOctets(countWhole(messages[index]!.content, "downgraded"), this.#presentation);
    const view = {
      count: messages.length,
      measured: true,
      octets,
      totalOctets: messages.reduce((total, _, index) => total + octets(index), 0),
      uniqueId: (index: number) => messages[index]!.uniqueId,
    };
    this.#transaction = new TransactionState(view, {
      serverName: "dewey",
      language: "i-default",
      choices: this.#authorization.choices,
      capabilities,
      maxUselessCommands: 30,
    });
    this.#output += ok(this.#transaction.texts.passAccepted);
  }

  #transact(state: TransactionState, line: Line): void {
    const outcome = state.handle(line);
    switch (outcome.kind) {
      case "reply":
        this.#output += outcome.text;
        return;
      case "listing":
        for (let piece = outcome.pieces.next(); piece.done !== true; piece = outcome.pieces.next())
          this.#output += piece.value;
        return;
      case "send": {
        const stored = this.#messages[outcome.index]!.content;
        const presenter = Presenter.for(countWhole(stored, "downgraded").traits, this.#presentation);
        const content =
          presenter === undefined
            ? stored
            : Buffer.concat([...presenter.push(stored), ...presenter.finish()]);
        const { bodyLines } = outcome;
        const wanted =
          bodyLines === undefined ? content : content.subarray(0, new TopLimiter(bodyLines).take(content));
        const { sent, octets } = encode(wanted);
        this.#output += `${bodyLines === undefined ? ok(state.texts.octets(octets)) : ok()}${sent}`;
        return;
      }
      case "update": {
        const marked = [...state.deleted].map((index) => this.#messages[index]!.uniqueId);
        const failed = marked.filter((uniqueId) => !this.#store.remove(uniqueId)).length;
        this.#output += state.signOff({ failed });
        this.close();
        return;
      }
      case "close":
        this.#output += outcome.text;
        this.close();
        return;
      case "measure":
        throw new Error("messages in memory are measured");
      default:
        outcome satisfies never;
    }
  }
}

function encode(content: Uint8Array): { sent: string; octets: number } {
  const encoder = new MessageEncoder();
  const output = new Uint8Array(MessageEncoder.room(content.length) + MessageEncoder.FINISH_ROOM);
  const end = encoder.finish(output, encoder.encode(content, output, 0));
  return { sent: Buffer.from(output.subarray(0, end)).toString("latin1"), octets: encoder.octets };
}
