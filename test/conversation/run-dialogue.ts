// Plays a dialogue against a target, and fails at the first line that differs, with everything said so far.
import { expect } from "vitest";
import { ScramClient } from "../support/scram-client.ts";
import type { Dialogue, Messages } from "./dialogue.ts";

/** One connection. All strings are byte strings. */
export interface Wire {
  send(octets: string): void;
  /** The next line without its CRLF; undefined when the server closed the connection before it. */
  line(): Promise<string | undefined>;
  /** The client's side of the handshake, checking the server's certificate; rejects when it fails. */
  secure(): Promise<void>;
  /** The client's side goes away; resolves when the server has let go of the session. */
  close(): Promise<void>;
}

/** Something that serves POP3 to `mrose` with the password `secret`. */
export interface Target {
  /** Lays out the maildrop that the following connections find. */
  reset(messages: Messages): Promise<void>;
  connect(): Promise<Wire>;
  /** From now on these messages cannot be removed. */
  fix(names: readonly string[]): void;
  /** Base names of the messages that are there now. */
  messageNames(): Promise<readonly string[]>;
}

export async function runDialogue(dialogue: Dialogue, target: Target): Promise<void> {
  await target.reset(dialogue.messages);
  let wire = await target.connect();
  const scram = new ScramLines();
  const said: string[] = [];
  for (const step of dialogue.steps) {
    const where = `${dialogue.name}.txt:${step.lineNumber}\n${said.slice(-12).join("\n")}`;
    switch (step.kind) {
      case "send":
        said.push(`C: ${JSON.stringify(step.octets).slice(0, 200)}`);
        wire.send(scram.fill(step.octets));
        break;
      case "expect": {
        const line = await wire.line();
        said.push(`S: ${line?.slice(0, 200)}`);
        expect(line, where).toBe(scram.expected(step.line, line));
        break;
      }
      case "expect-close":
        expect(await wire.line(), where).toBeUndefined();
        break;
      case "secure":
        await wire.secure();
        break;
      case "close":
        await wire.close();
        break;
      case "connect":
        await wire.close();
        wire = await target.connect();
        break;
      case "fix":
        target.fix(step.names);
        break;
      case "maildrop":
        expect(await target.messageNames(), where).toEqual(step.names);
        break;
      default:
        step satisfies never;
    }
  }
  await wire.close();
}

/** The lines of SCRAM, which never look the same twice. */
class ScramLines {
  #user = "";
  #challenge = "";
  #client: ScramClient | undefined;
  readonly #nonce = "client-nonce";

  /** Puts the client's messages in. */
  fill(octets: string): string {
    return octets
      .replace(/\{scram-first (\S+)\}/, (_, user: string) => {
        this.#user = user;
        return btoa(this.#clientOf("").first);
      })
      .replace(/\{scram-final (\S+)\}/, (_, password: string) => {
        this.#client = this.#clientOf(password);
        return btoa(this.#client.final(this.#challenge));
      });
  }

  /** What the server should have said, where `line` is right about what nobody can know before. */
  expected(expected: string, line: string | undefined): string {
    if (!expected.startsWith("+ {scram-")) return expected;
    const said = Buffer.from(line?.slice("+ ".length) ?? "", "base64").toString("latin1");
    if (expected === "+ {scram-challenge}" && said.startsWith(`r=${this.#nonce}`)) {
      this.#challenge = said;
      return line!;
    }
    return expected === "+ {scram-proof}" && this.#client?.trusts(said) === true ? line! : expected;
  }

  #clientOf(password: string): ScramClient {
    return new ScramClient({ hash: "SHA-256", user: this.#user, password, nonce: this.#nonce });
  }
}
