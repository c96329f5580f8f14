// Asks the other processes for the same accounts which of them has a maildrop, to let go of it when its session is idle, and
// how many sessions of an account they have: with `server.processes = "combined"` a client's next connection may come to
// another worker, and a mailbox process that is replaced keeps its sessions. Master passes the questions on and reads none.
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

/** Back again, from the one that has it; from master, without a holder, where there is nobody else to ask. */
export const tellHolder = z.strictObject({
  kind: z.literal("tell-holder"),
  id: z.int(),
  asker: z.string(),
  holder: holder.optional(),
});

/** By the same ways: how many sessions have the maildrop, or came for it before then. */
export const askSessions = z.strictObject({
  kind: z.literal("ask-sessions"),
  id: z.int(),
  asker: z.string(),
  maildir: z.string(),
  beforeMs: z.number(),
});

/** From each that has any. */
export const tellSessions = z.strictObject({
  kind: z.literal("tell-sessions"),
  id: z.int(),
  asker: z.string(),
  count: z.int().positive(),
});

export type FellowMessage = z.infer<
  typeof askHolder | typeof tellHolder | typeof askSessions | typeof tellSessions
>;

/** A question how many sessions there are elsewhere, as its answers come in. */
export interface Counting {
  /** Resolves when the fellows have as many as were asked for; never, if they have fewer. */
  readonly isMany: Promise<"many">;
  end(): void;
}

/** In a worker. */
export class FellowWorkers {
  readonly #send: (message: FellowMessage) => void;
  readonly #waiting = new Map<number, (holder: Holder | undefined) => void>();
  #lastId = 0;
  readonly #counting = new Map<number, (count: number) => void>();
  /** Answer a fellow's questions; set by whoever holds maildrops. */
  onCounted: (maildir: string, beforeMs: number) => number = () => 0;
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

  /** @param beforeMs sessions that came later do not count. @param many how many it takes */
  count(maildir: string, beforeMs: number, many: number): Counting {
    const id = ++this.#lastId;
    let found = 0;
    const isMany = new Promise<"many">((resolve) => {
      this.#counting.set(id, (count) => {
        found += count;
        if (found >= many) resolve("many");
      });
    });
    this.#send({ kind: "ask-sessions", id, asker: "", maildir, beforeMs });
    return { isMany, end: () => void this.#counting.delete(id) };
  }

  handle(message: FellowMessage): void {
    switch (message.kind) {
      case "ask-sessions": {
        const { id, asker, maildir, beforeMs } = message;
        const count = this.onCounted(maildir, beforeMs);
        if (count > 0) this.#send({ kind: "tell-sessions", id, asker, count });
        return;
      }
      case "tell-sessions":
        this.#counting.get(message.id)?.(message.count);
        return;
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

/** A process, as those who pass messages on see it. */
export interface FellowWorker {
  /** Of this process alone. */
  readonly key: string;
  send(message: FellowMessage): void;
}

/** In master. @param workers all of them, with the one that asks or tells */
export function passOn(from: FellowWorker, message: FellowMessage, workers: readonly FellowWorker[]): void {
  switch (message.kind) {
    case "ask-sessions":
      for (const worker of workers) if (worker !== from) worker.send({ ...message, asker: from.key });
      return;
    case "ask-holder": {
      const others = workers.filter((worker) => worker !== from);
      for (const worker of others) worker.send({ ...message, asker: from.key });
      if (others.length === 0) from.send({ kind: "tell-holder", id: message.id, asker: from.key });
      return;
    }
    case "tell-sessions":
    case "tell-holder":
      for (const worker of workers) if (worker.key === message.asker) worker.send(message);
      return;
    default:
      message satisfies never;
  }
}

/** Who has nothing to tell says nothing. */
const ANSWER_MS = 500;
