// A POP3 client that shows a server's replies octet for octet. It knows RFC 1939's framing and nothing else: lines go
// out as they are given, replies come back raw.
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from "node:tls";

export interface Pop3Reply {
  /** "+" is a challenge (RFC 5034 §4). */
  readonly status: "+OK" | "-ERR" | "+";
  /** What stands behind the status indicator and its space, without CRLF. */
  readonly text: string;
  /**
   * Of a multi-line response: everything between the first line and the termination octet's line, byte-stuffing
   * removed. Undefined for a single-line reply.
   */
  readonly body?: Buffer;
}

export interface TlsPop3 {
  readonly connection: Pop3Connection;
  readonly socket: TLSSocket;
  readonly greeting: Pop3Reply;
}

const responseTimeoutMs = 60_000;

export class Pop3Connection {
  readonly #socket: Socket;
  #received: Buffer[] = [];
  #receivedOctets = 0;
  #fault: Error | undefined;
  #wake: () => void = () => {};
  /** Resolves when the server has closed the connection. */
  readonly closed: Promise<void>;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (octets: Buffer) => {
      this.#received.push(octets);
      this.#receivedOctets += octets.length;
      this.#wake();
    });
    const fail = (error: Error): void => {
      this.#fault ??= error;
      this.#wake();
    };
    socket.on("error", fail);
    socket.setTimeout(responseTimeoutMs, () =>
      fail(new Error(`the POP3 server has been silent for ${responseTimeoutMs} ms`)),
    );
    this.closed = new Promise((resolve) => {
      socket.once("close", () => {
        fail(new Error("the POP3 server closed the connection"));
        resolve();
      });
    });
  }

  /** Speaks on a connection that somebody else has made; the greeting is still to be read. */
  static over(socket: Socket): Pop3Connection {
    return new Pop3Connection(socket);
  }

  /** Connects to 127.0.0.1 and reads the greeting. @param from another address of 127.0.0.0/8 to come from */
  static async open(
    port: number,
    from = "127.0.0.1",
  ): Promise<{ connection: Pop3Connection; greeting: Pop3Reply }> {
    const connection = new Pop3Connection(connect({ host: "127.0.0.1", port, localAddress: from }));
    return { connection, greeting: await connection.reply() };
  }

  /** The same with TLS from the first octet. */
  static async openTls(port: number, options: ConnectionOptions): Promise<TlsPop3> {
    const socket = connectTls({ host: "127.0.0.1", port, ...options });
    await once(socket, "secureConnect");
    const connection = new Pop3Connection(socket);
    return { connection, socket, greeting: await connection.reply() };
  }

  /** Opens and logs in with USER and PASS; throws when that is refused. */
  /** @param utf8 says UTF8 first: messages with headers in UTF-8 come as they are stored */
  static async login(
    port: number,
    user: string,
    password: string,
    { from, utf8 = false }: { readonly from?: string; readonly utf8?: boolean } = {},
  ): Promise<Pop3Connection> {
    const { connection } = await Pop3Connection.open(port, from);
    for (const line of [...(utf8 ? ["UTF8"] : []), `USER ${user}`, `PASS ${password}`]) {
      const { status, text } = await connection.command(line);
      if (status !== "+OK") throw new Error(`${line.slice(0, 4)} was refused: ${text}`);
    }
    return connection;
  }

  /** Sends octets as they are. */
  send(octets: string | Buffer): void {
    this.#socket.write(octets);
  }

  /** Sends octets and closes the sending side (FIN); replies can still be read. */
  sendLast(octets: string | Buffer): void {
    this.#socket.end(octets);
  }

  /** Sends a line, reads a reply of one line. */
  async command(line: string): Promise<Pop3Reply> {
    this.send(`${line}\r\n`);
    return await this.reply();
  }

  /** Sends a line, reads a multi-line response; after -ERR nothing more is read. */
  async multiLine(line: string): Promise<Pop3Reply> {
    this.send(`${line}\r\n`);
    return await this.multiLineReply();
  }

  async reply(): Promise<Pop3Reply> {
    const line = await this.line();
    const match = /^(\+OK|-ERR|\+)(?: (.*))?$/.exec(line);
    if (match === null) throw new Error(`not a POP3 reply: ${JSON.stringify(line.slice(0, 200))}`);
    return { status: match[1] as Pop3Reply["status"], text: match[2] ?? "" };
  }

  async multiLineReply(): Promise<Pop3Reply> {
    const reply = await this.reply();
    return reply.status !== "+OK" ? reply : { ...reply, body: await this.#body() };
  }

  /** Breaks the connection off, without QUIT. */
  drop(): void {
    this.#socket.destroy();
  }

  /** One line without its CRLF; a bare LF would be a fault of the server. */
  async line(): Promise<string> {
    const end = await this.#find("\r\n", 0);
    const line = this.#take(end + 2)
      .subarray(0, end)
      .toString("latin1");
    if (line.includes("\n")) throw new Error(`a bare LF in ${JSON.stringify(line)}`);
    return line;
  }

  async #body(): Promise<Buffer> {
    const isEmpty = (await this.#peek(3)).equals(Buffer.from(".\r\n"));
    const stuffed = isEmpty ? Buffer.alloc(0) : this.#take((await this.#find("\r\n.\r\n", 0)) + 2);
    this.#take(3);
    return unstuffed(stuffed);
  }

  async #find(octets: string, from: number): Promise<number> {
    let searchFrom = from;
    for (;;) {
      const joined = this.#joined();
      const found = joined.indexOf(octets, searchFrom, "latin1");
      if (found !== -1) return found;
      searchFrom = Math.max(from, joined.length - octets.length + 1);
      await this.#more();
    }
  }

  async #peek(octets: number): Promise<Buffer> {
    while (this.#receivedOctets < octets) await this.#more();
    return this.#joined().subarray(0, octets);
  }

  #take(octets: number): Buffer {
    const joined = this.#joined();
    this.#received = [joined.subarray(octets)];
    this.#receivedOctets = joined.length - octets;
    return joined.subarray(0, octets);
  }

  #joined(): Buffer {
    if (this.#received.length !== 1) this.#received = [Buffer.concat(this.#received)];
    return this.#received[0] as Buffer;
  }

  async #more(): Promise<void> {
    if (this.#fault !== undefined) throw this.#fault;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }
}

/** RFC 1939 §3: a line that begins with the termination octet has one more of them on the wire. */
function unstuffed(stuffed: Buffer): Buffer {
  return Buffer.from(stuffed.toString("latin1").replace(/(^|\r\n)\./g, "$1"), "latin1");
}
