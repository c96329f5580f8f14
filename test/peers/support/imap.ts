// An IMAP client that shows a server's replies as they are, for tests beside a real IMAP server: it knows tags, and no more
// of the protocol than that.
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";

export class ImapConnection {
  readonly #socket: Socket;
  readonly #lines: AsyncIterator<string>;
  #commands = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#lines = createInterface({ input: socket })[Symbol.asyncIterator]();
  }

  /** Connects to 127.0.0.1, logs in and selects the inbox. */
  static async login(port: number, user: string, password: string): Promise<ImapConnection> {
    const connection = new ImapConnection(connect({ host: "127.0.0.1", port }));
    await connection.#line();
    await connection.command(`LOGIN ${user} ${password}`);
    await connection.command("SELECT INBOX");
    return connection;
  }

  /** @returns the untagged replies. @throws unless the command is done */
  async command(text: string, literal?: Buffer): Promise<string[]> {
    const tag = `a${++this.#commands}`;
    if (literal === undefined) this.#socket.write(`${tag} ${text}\r\n`);
    else {
      this.#socket.write(`${tag} ${text} {${literal.length}+}\r\n`);
      this.#socket.write(literal);
      this.#socket.write("\r\n");
    }
    const untagged: string[] = [];
    for (;;) {
      const line = await this.#line();
      if (!line.startsWith(`${tag} `)) untagged.push(line);
      else if (line.startsWith(`${tag} OK`)) return untagged;
      else throw new Error(`${text}: ${line}`);
    }
  }

  close(): void {
    this.#socket.destroy();
  }

  async #line(): Promise<string> {
    const { done, value } = await this.#lines.next();
    if (done === true) throw new Error("the IMAP server closed the connection");
    return value;
  }
}
