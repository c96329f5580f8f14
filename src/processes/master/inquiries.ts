// Questions of pop3-ctl on their way through master: asks every process, collects answers, knows who still owes one.
// Runs in master.
import { type Handlers, isStreaming, type Question } from "../../control/link/questions.ts";
import { Answering } from "../child/answering.ts";

/** A process that can be asked. */
export interface Respondent {
  readonly name: string;
  /** False when it is not there at the moment. */
  ask(id: number, question: Question): boolean;
  cancel(id: number): void;
}

interface Inquiry {
  readonly question: Question;
  readonly owing: Set<Respondent>;
  reply(from: string, answer: unknown): void;
  settle(): void;
}

export class Inquiries {
  readonly #respondents = new Set<Respondent>();
  readonly #open = new Map<number, Inquiry>();
  readonly #timeOutMs: number;
  /** What each has told that it counted. */
  readonly #toldStats = new Map<Respondent, unknown>();
  #nextId = 1;
  /** What a process had counted that is gone: the last that it told. */
  onStatsLeft: ((answer: unknown) => void) | undefined;

  /** @param timeOutMs how long a process may take to answer */
  constructor(timeOutMs = 5_000) {
    this.#timeOutMs = timeOutMs;
  }

  /** It serves: from now on it is asked, also what streams already. */
  joined(respondent: Respondent): void {
    this.#respondents.add(respondent);
    for (const [id, { question, owing }] of this.#open) {
      if (isStreaming(question.kind) && respondent.ask(id, question)) owing.add(respondent);
    }
  }

  /** It is gone, and owes nothing any more. */
  left(respondent: Respondent): void {
    this.#respondents.delete(respondent);
    const stats = this.#toldStats.get(respondent);
    if (this.#toldStats.delete(respondent)) this.onStatsLeft?.(stats);
    for (const id of this.#open.keys()) this.answered(respondent, id);
  }

  answer(respondent: Respondent, id: number, answer: unknown): void {
    const inquiry = this.#open.get(id);
    if (!inquiry?.owing.has(respondent)) return;
    if (inquiry.question.kind === "stats") this.toldStats(respondent, answer);
    inquiry.reply(respondent.name, answer);
  }

  toldStats(respondent: Respondent, answer: unknown): void {
    this.#toldStats.set(respondent, answer);
  }

  /** It has said all that it has to say. */
  answered(respondent: Respondent, id: number): void {
    const inquiry = this.#open.get(id);
    if (!inquiry?.owing.delete(respondent)) return;
    if (inquiry.owing.size === 0 && !isStreaming(inquiry.question.kind)) inquiry.settle();
  }

  /**
   * Asks all processes; resolves when each has answered, when it took too long, or when `signal` is aborted.
   *
   * @returns names of those that owe an answer
   */
  ask(
    question: Question,
    reply: (from: string, answer: unknown) => void,
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    return new Promise((resolve) => {
      const id = this.#nextId++;
      const owing = new Set<Respondent>();
      const settle = (): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", settle);
        if (!this.#open.delete(id)) return;
        for (const respondent of owing) respondent.cancel(id);
        resolve([...owing].map(({ name }) => name));
      };
      const timer = isStreaming(question.kind) ? undefined : setTimeout(settle, this.#timeOutMs);
      this.#open.set(id, { question, owing, reply, settle });
      signal.addEventListener("abort", settle);
      if (signal.aborted) settle();
      for (const respondent of this.#respondents) {
        if (respondent.ask(id, question)) owing.add(respondent);
      }
      if (owing.size === 0 && !isStreaming(question.kind)) settle();
    });
  }
}

/** Master itself among those that are asked. */
export class OwnRespondent implements Respondent {
  readonly name = "master";
  readonly #inquiries: Inquiries;
  readonly #answering: Answering;

  constructor(inquiries: Inquiries, handlers: Handlers) {
    this.#inquiries = inquiries;
    this.#answering = new Answering([handlers]);
  }

  ask(id: number, question: Question): boolean {
    // Later, as all the others do: the asker must have noted down who owes an answer.
    setImmediate(() => {
      void this.#answering
        .answer(id, question, (answer) => this.#inquiries.answer(this, id, answer))
        .finally(() => this.#inquiries.answered(this, id));
    });
    return true;
  }

  cancel(id: number): void {
    this.#answering.cancel(id);
  }
}
