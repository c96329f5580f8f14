// Auth's side of the question for a mailbox process: asks master, waits for the answer. Runs in auth.
import type { PlaceAnswer, ToMaster } from "../child/messages.ts";
import type { MailOwner } from "../settings.ts";

export class PlaceRequests {
  readonly #send: (message: ToMaster) => void;
  readonly #waiting = new Map<number, (answer: PlaceAnswer) => void>();
  #lastId = 0;

  constructor(send: (message: ToMaster) => void) {
    this.#send = send;
  }

  /** Resolves when the owner's mailbox process serves, or with why it will not. */
  ask({ uid, gid }: MailOwner): Promise<PlaceAnswer> {
    return new Promise((resolve) => {
      const id = ++this.#lastId;
      this.#waiting.set(id, resolve);
      this.#send({ kind: "place", id, owner: { uid, gid } });
    });
  }

  answered(id: number, answer: PlaceAnswer): void {
    this.#waiting.get(id)?.(answer);
    this.#waiting.delete(id);
  }
}
