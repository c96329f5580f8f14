// The library's session over a stream in memory, for the dialogues of test/conversation.
import { once } from "node:events";
import { type Duplex, duplexPair } from "node:stream";
import { type OwnLogin, type OwnMaildrop, type SessionOptions, servePop3 } from "../../src/index.ts";
import type { Messages } from "../conversation/dialogue.ts";
import type { Target, Wire } from "../conversation/run-dialogue.ts";

export class LibraryTarget implements Target {
  readonly #messages = new Map<string, string>();
  #fixed: readonly string[] = [];
  #isLocked = false;

  async reset(messages: Messages): Promise<void> {
    this.#fixed = [];
    this.#messages.clear();
    for (const [name, content] of messages) this.#messages.set(name, content);
  }

  async connect(): Promise<Wire> {
    const [client, server] = duplexPair();
    const { over } = servePop3(server, this.options);
    const lines = new Lines(client);
    return {
      send: (octets) => void client.write(octets, "latin1"),
      line: () => lines.next(),
      secure: () => Promise.reject(new Error("no TLS here")),
      close: async () => {
        client.destroy();
        server.destroy();
        await over;
      },
    };
  }

  readonly options: SessionOptions & OwnLogin = {
    serverName: "dewey",
    plaintextWithoutTls: "always",
    failureDelayMs: 10,
    logIn: async (user, password) => {
      if (user !== "mrose" || password !== "secret") return "refused";
      return this.#isLocked ? "locked" : this.#open();
    },
  };

  #open(): OwnMaildrop {
    this.#isLocked = true;
    const names = [...this.#messages.keys()];
    return {
      messages: names.map((uniqueId) => ({ uniqueId })),
      read: (index) => Buffer.from(this.#messages.get(names[index]!) ?? "", "latin1"),
      remove: (indexes) =>
        indexes.filter(
          (index) => this.#fixed.includes(names[index]!) || !this.#messages.delete(names[index]!),
        ),
      close: () => {
        this.#isLocked = false;
      },
    };
  }

  fix(names: readonly string[]): void {
    this.#fixed = names;
  }

  async messageNames(): Promise<readonly string[]> {
    return [...this.#messages.keys()];
  }
}

class Lines {
  readonly #stream: Duplex;
  #received = "";
  #isOver = false;

  constructor(stream: Duplex) {
    this.#stream = stream;
    stream.on("data", (octets: Buffer) => {
      this.#received += octets.toString("latin1");
      stream.emit("more");
    });
    for (const event of ["end", "close"])
      stream.on(event, () => {
        this.#isOver = true;
        stream.emit("more");
      });
  }

  async next(): Promise<string | undefined> {
    for (;;) {
      const end = this.#received.indexOf("\r\n");
      if (end !== -1) {
        const line = this.#received.slice(0, end);
        this.#received = this.#received.slice(end + 2);
        return line;
      }
      if (this.#isOver) return undefined;
      await once(this.#stream, "more");
    }
  }
}
