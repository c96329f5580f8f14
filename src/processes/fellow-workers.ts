// Asks the other workers which of them has a maildrop, and to let go of it when its session is idle: with
// `server.processes = "combined"` a client's next connection may come to another worker. Master passes the questions on
// and reads none of them.
import { z } from "zod";

/** A session that has a maildrop, as another worker tells it. */
export const holder = z.strictObject({
  address: z.string(),
  startedAtMs: z.int(),
  idleMs: z.int(),
  /** It was idle for long enough, and is being ended in favour of who asked. */
  isEnding: z.boolean(),
});

export type Holder = z.infer<typeof holder>;

/** Worker to master, and master to the other workers, which it tells who asked. */
export const askHolder = z.strictObject({
  kind: z.literal("ask-holder"),
  id: z.int(),
  asker: z.string(),
  maildir: z.string(),
});

/** Back again, from the one that has it. */
export const tellHolder = z.strictObject({
  kind: z.literal("tell-holder"),
  id: z.int(),
  asker: z.string(),
  holder,
});

export type FellowMessage = z.infer<typeof askHolder> | z.infer<typeof tellHolder>;

/** In a worker. */
export class FellowWorkers {
  readonly #send: (message: FellowMessage) => void;
  readonly #waiting = new Map<number, (holder: Holder | undefined) => void>();
  #lastId = 0;
  /** Answers a fellow's question; set by whoever holds maildrops. */
  onAsked: (maildir: string) => Holder | undefined = () => undefined;

  constructor(send: (message: FellowMessage) => void) {
    this.#send = send;
  }

  /** Undefined when no other worker has the maildrop. */
  ask(maildir: string): Promise<Holder | undefined> {
    const id = ++this.#lastId;
    return new Promise((resolve) => {
      const settle = (holder: Holder | undefined): void => {
        clearTimeout(timer);
        this.#waiting.delete(id);
        resolve(holder);
      };
      const timer = setTimeout(settle, ANSWER_MS, undefined);
      this.#waiting.set(id, settle);
      this.#send({ kind: "ask-holder", id, asker: "", maildir });
    });
  }

  handle(message: FellowMessage): void {
    switch (message.kind) {
      case "ask-holder": {
        const { id, asker } = message;
        const holder = this.onAsked(message.maildir);
        if (holder !== undefined) this.#send({ kind: "tell-holder", id, asker, holder });
        return;
      }
      case "tell-holder":
        this.#waiting.get(message.id)?.(message.holder);
        return;
      default:
        message satisfies never;
    }
  }
}

/** In master. @param workers by name, each with a way to send it a message */
export function passOn(
  from: string,
  message: FellowMessage,
  workers: Iterable<{ readonly name: string; send(message: FellowMessage): void }>,
): void {
  for (const worker of workers) {
    if (message.kind === "ask-holder" && worker.name !== from) worker.send({ ...message, asker: from });
    if (message.kind === "tell-holder" && worker.name === message.asker) worker.send(message);
  }
}

/** Who has nothing to tell says nothing. */
const ANSWER_MS = 500;
