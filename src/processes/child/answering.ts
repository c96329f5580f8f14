// A process's side of pop3-ctl's questions: runs its handlers, and stops those that nobody waits for any more. Runs in every process.
import { answerBy, type Handlers, type Question } from "../../control/link/questions.ts";

export class Answering {
  readonly #parts: readonly Handlers[];
  readonly #running = new Map<number, AbortController>();

  constructor(parts: readonly Handlers[]) {
    this.#parts = parts;
  }

  /** @throws what a handler throws: a fault of ours */
  async answer(id: number, question: Question, reply: (answer: unknown) => void): Promise<void> {
    const controller = new AbortController();
    this.#running.set(id, controller);
    const replyWhileAwaited = (answer: unknown): void => {
      if (!controller.signal.aborted) reply(answer);
    };
    try {
      await answerBy(this.#parts, question, replyWhileAwaited, controller.signal);
    } finally {
      this.#running.delete(id);
    }
  }

  cancel(id: number): void {
    this.#running.get(id)?.abort();
  }
}
