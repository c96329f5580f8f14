// The running server as the commands of pop3-ctl see it: found through the config, asked over its control socket.
import { formatFault, loadConfig } from "../../config/load.ts";
import type { Config } from "../../config/schema.ts";
import type { Printer } from "../terminal/printer.ts";
import { Refusal } from "../terminal/refusal.ts";
import { ask } from "./client.ts";
import type { AnswerOf, Kind, QuestionOf } from "./questions.ts";

export interface Answer<K extends Kind> {
  /** The process that answered: "mailbox 0". */
  readonly from: string;
  readonly answer: AnswerOf<K>;
}

/** @throws Refusal naming the first fault */
export function readConfig(file: string): Config {
  const loaded = loadConfig(file);
  if (loaded.kind === "config") return loaded.config;
  throw new Refusal(formatFault(loaded.faults[0]!));
}

export class ServerLink {
  readonly #runtimeDir: string;
  readonly #printer: Printer;

  constructor(runtimeDir: string, printer: Printer) {
    this.#runtimeDir = runtimeDir;
    this.#printer = printer;
  }

  /** All answers to a question. @throws Refusal when the server cannot be asked */
  async ask<K extends Kind>(question: { readonly kind: K } & QuestionOf<K>): Promise<Answer<K>[]> {
    const answers: Answer<K>[] = [];
    const silent = await this.stream<K>(question, (answer, from) => answers.push({ from, answer }));
    for (const name of silent) this.#printer.note(`${name} did not answer in time, what it knows is missing`);
    return answers;
  }

  /** Each answer as it comes. @returns the names of processes that owe an answer */
  async stream<K extends Kind>(
    question: { readonly kind: K } & QuestionOf<K>,
    onAnswer: (answer: AnswerOf<K>, from: string) => void,
    signal?: AbortSignal,
    onConnected?: () => void,
  ): Promise<readonly string[]> {
    const asked = await ask<K>(this.#runtimeDir, question, onAnswer, signal, onConnected);
    if (asked.kind === "failed") throw new Refusal(asked.reason);
    return asked.silent;
  }
}
