// What several hosts count against who guesses passwords, shared by a stream in Redis or Valkey (`auth.throttle_store`). Each host
// decides by what it has in memory, and is told of the others' failures as they happen: no login waits for the store, and
// while that is away each host counts for itself. Runs in the auth process.
import { randomUUID } from "node:crypto";
import { createClient } from "@redis/client";
import { formatThrottleEvent, parseThrottleEvent, type ThrottleEvent } from "./throttle-events.ts";

export interface ThrottleStoreOptions {
  /** redis://[user:password@]host[:port][/database], or rediss: with TLS. Never logged: it may hold a password. */
  readonly url: string;
  /** Another host's event, or an earlier run's of this one. @param atMs when it happened, by performance.now() */
  onEvent(event: ThrottleEvent, atMs: number): void;
  /** Told at each change, and once after the start. */
  onState(state: "reached" | { readonly away: string }): void;
}

export class ThrottleStore {
  readonly #options: ThrottleStoreOptions;
  readonly #writer;
  readonly #reader;
  /** Marks our own events, which were counted when they happened. */
  readonly #self = randomUUID();
  #lastId: string | undefined;
  #isReached: boolean | undefined;
  #isClosed = false;
  #ignoreBeforeMs = Number.NEGATIVE_INFINITY;

  constructor(options: ThrottleStoreOptions) {
    this.#options = options;
    const client = () =>
      createClient({
        url: options.url,
        // What cannot be sent now is not sent later: the others would count it at the wrong time.
        disableOfflineQueue: true,
        commandsQueueMaxLength: MAX_QUEUED,
        socket: { connectTimeout: PATIENCE_MS, reconnectStrategy: () => RECONNECT_MS },
      });
    this.#writer = client();
    this.#reader = client();
    this.#writer.on("error", () => {});
    this.#reader.on("error", (error: Error) => this.#tellAway(error));
    // Rejects only when it is closed meanwhile.
    void this.#writer.connect().catch(() => {});
    void this.#reader.connect().then(
      () => this.#follow(),
      () => {},
    );
  }

  publish(event: ThrottleEvent): void {
    if (!this.#writer.isReady) return;
    const message = { from: this.#self, event: formatThrottleEvent(event) };
    const trim = { strategy: "MAXLEN", strategyModifier: "~", threshold: MAX_EVENTS } as const;
    this.#writer.xAdd(STREAM, "*", message, { TRIM: trim }).catch((error: Error) => this.#tellAway(error));
  }

  /** What happened until then has been counted. @param atMs by performance.now() */
  ignoreBefore(atMs: number): void {
    this.#ignoreBeforeMs = atMs;
  }

  close(): void {
    this.#isClosed = true;
    this.#writer.destroy();
    this.#reader.destroy();
  }

  /** Reads on from where it was; from what still counts at the start. */
  async #follow(): Promise<void> {
    let offsetMs: number | undefined;
    while (!this.#isClosed) {
      try {
        if (offsetMs === undefined) {
          const storeMs = await this.#storeTimeMs();
          offsetMs = storeMs - performance.now();
          this.#lastId ??= `${Math.floor(storeMs - COUNTS_FOR_MS)}-0`;
        }
        const streams = await this.#reader.xRead(
          { key: STREAM, id: this.#lastId! },
          { BLOCK: BLOCK_MS, COUNT: AT_ONCE },
        );
        this.#tellReached();
        for (const { id, message } of (streams as ReadStreams)?.[0]?.messages ?? []) {
          this.#lastId = id;
          const atMs = Number.parseInt(id, 10) - offsetMs;
          if (message["from"] === this.#self || atMs < this.#ignoreBeforeMs) continue;
          const event = parseThrottleEvent(message["event"] ?? "");
          if (event !== undefined) this.#options.onEvent(event, atMs);
        }
      } catch (error) {
        if (this.#isClosed) return;
        this.#tellAway(error as Error);
        offsetMs = undefined;
        await new Promise((resolve) => setTimeout(resolve, RECONNECT_MS));
      }
    }
  }

  async #storeTimeMs(): Promise<number> {
    const [seconds, microseconds] = (await this.#reader.sendCommand(["TIME"])) as unknown as [string, string];
    return Number(seconds) * 1_000 + Number(microseconds) / 1_000;
  }

  #tellReached(): void {
    if (this.#isReached === true) return;
    this.#isReached = true;
    this.#options.onState("reached");
  }

  #tellAway(error: NodeJS.ErrnoException): void {
    if (this.#isReached === false || this.#isClosed) return;
    this.#isReached = false;
    this.#options.onState({ away: error.code ?? error.message });
  }
}

type ReadStreams =
  | readonly {
      readonly messages: readonly { readonly id: string; readonly message: Record<string, string> }[];
    }[]
  | null;

const STREAM = "dewey-pop3:throttle";
/** Some 200 bytes each. Whoever fills the stream pushes out what is oldest, and has been counted everywhere. */
const MAX_EVENTS = 100_000;
/** As long as the most failures that a throttle counts take to be forgiven. */
const COUNTS_FOR_MS = 30 * 5 * 60_000;
const AT_ONCE = 1_000;
const BLOCK_MS = 5_000;
const PATIENCE_MS = 5_000;
const RECONNECT_MS = 1_000;
const MAX_QUEUED = 1_000;
