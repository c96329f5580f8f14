// The driver's side of a POP3 connection, made to cost as little as possible, so that the server under test is what
// is measured: one read buffer, no strings beyond first lines, message octets counted instead of searched. It relies
// on what the bench lays out itself: messages without a line that begins with a dot, so that RETR sends exactly the
// octets that it announces.
import { connect, type Socket } from "node:net";
import { connect as connectTls, createSecureContext, type TLSSocket } from "node:tls";

const lf = 0x0a;
/** ".CRLF" behind a message. */
const terminationOctets = 3;

/** One for all connections: what is measured is the server's part of a handshake. */
const tls13 = createSecureContext({ minVersion: "TLSv1.3" });

/** What a client keeps from one connection to the next. */
export interface TlsMemory {
  /** The newest ticket; without one the handshake is a full one. */
  ticket?: Buffer;
}

export class DriverConnection {
  readonly #socket: Socket;
  #state: "line" | "octets" = "line";
  /** The beginning of a line whose end has not come. */
  #partial = "";
  /** Octets still to come of a message, its termination included. */
  #octetsLeft = 0;
  /** The last octets of a message that came in an earlier read. */
  #tail = Buffer.alloc(0);
  #awaited = 0;
  #awaitsMessages = false;
  #isClosed = false;
  #settle: { readonly resolve: () => void; readonly reject: (fault: Error) => void } | undefined;
  #fault: Error | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  /**
   * Connects to 127.0.0.1 and reads the greeting.
   *
   * @param tls for TLS 1.3 from the first octet; what stands in it is resumed, and a new ticket put there
   */
  static async open(port: number, buffer: Buffer, tls?: TlsMemory): Promise<DriverConnection> {
    let connection: DriverConnection | undefined;
    const options = {
      host: "127.0.0.1",
      port,
      noDelay: true,
      onread: {
        buffer,
        callback: (length: number, octets: Uint8Array) => {
          if (connection !== undefined) connection.#received(octets as Buffer, length);
          return true;
        },
      },
    };
    const socket = tls === undefined ? connect(options) : openTls(options, tls);
    connection = new DriverConnection(socket);
    const opened = connection;
    socket.on("error", (error) => opened.#fail(error));
    socket.on("close", () => {
      opened.#isClosed = true;
      opened.#fail(new Error("the server closed the connection"));
    });
    await opened.lines(1);
    return opened;
  }

  /** Whether TLS went on from an earlier session. */
  get isResumed(): boolean {
    return "isSessionReused" in this.#socket && (this.#socket as TLSSocket).isSessionReused();
  }

  async login(user: string, password: string): Promise<void> {
    this.send(`USER ${user}\r\n`);
    await this.lines(1);
    this.send(`PASS ${password}\r\n`);
    await this.lines(1);
  }

  send(commands: string): void {
    this.#socket.write(commands, "latin1");
  }

  /** Waits for `count` replies of one line each; rejects at the first that is not +OK. */
  async lines(count: number): Promise<void> {
    await this.#wait(count, false);
  }

  /** Waits for `count` responses to RETR. */
  async messages(count: number): Promise<void> {
    await this.#wait(count, true);
  }

  /** QUIT, its reply, and the end of the connection, which the server brings about. */
  async quit(): Promise<void> {
    this.send("QUIT\r\n");
    await this.lines(1);
    if (!this.#isClosed) await new Promise<void>((resolve) => this.#socket.once("close", () => resolve()));
  }

  #wait(count: number, messages: boolean): Promise<void> {
    if (this.#fault !== undefined) return Promise.reject(this.#fault);
    this.#awaited = count;
    this.#awaitsMessages = messages;
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
  }

  #received(buffer: Buffer, length: number): void {
    let position = 0;
    while (position < length) {
      position =
        this.#state === "line"
          ? this.#readLine(buffer, position, length)
          : this.#skipOctets(buffer, position, length);
    }
  }

  #readLine(buffer: Buffer, from: number, length: number): number {
    const end = buffer.indexOf(lf, from);
    if (end === -1 || end >= length) {
      this.#partial += buffer.toString("latin1", from, length);
      return length;
    }
    const line = this.#partial + buffer.toString("latin1", from, end);
    this.#partial = "";
    if (!line.startsWith("+OK")) {
      this.#fail(new Error(`the server said ${line.trim()}`));
    } else if (this.#awaitsMessages) {
      const octets = /^\+OK (\d+)/.exec(line)?.[1];
      if (octets === undefined) this.#fail(new Error(`no number of octets in ${line.trim()}`));
      this.#octetsLeft = Number(octets) + terminationOctets;
      this.#state = "octets";
    } else {
      this.#done();
    }
    return end + 1;
  }

  #skipOctets(buffer: Buffer, from: number, length: number): number {
    const taken = Math.min(this.#octetsLeft, length - from);
    this.#octetsLeft -= taken;
    if (this.#octetsLeft > 0) {
      // The buffer is filled anew by the next read: the last octets are kept for the check at the message's end.
      this.#tail = Buffer.from(buffer.subarray(Math.max(from, from + taken - 5), from + taken));
      return from + taken;
    }
    const end = buffer.toString("latin1", Math.max(from, from + taken - 5), from + taken);
    const last = (taken < 5 ? this.#tail.toString("latin1") + end : end).slice(-5);
    if (last !== "\r\n.\r\n") {
      this.#fail(new Error(`a message that ends with ${JSON.stringify(last)}: not the octets it announced`));
    }
    this.#state = "line";
    this.#done();
    return from + taken;
  }

  #done(): void {
    this.#awaited--;
    if (this.#awaited > 0) return;
    const settle = this.#settle;
    this.#settle = undefined;
    if (settle === undefined) this.#fail(new Error("the server said more than it was asked"));
    else settle.resolve();
  }

  #fail(fault: Error): void {
    this.#fault ??= fault;
    const settle = this.#settle;
    this.#settle = undefined;
    settle?.reject(this.#fault);
    this.#socket.destroy();
  }
}

function openTls(options: object, memory: TlsMemory): TLSSocket {
  const socket = connectTls({
    ...options,
    secureContext: tls13,
    // The bench's certificate is its own.
    rejectUnauthorized: false,
    ...(memory.ticket && { session: memory.ticket }),
  });
  socket.on("session", (ticket) => {
    memory.ticket = ticket;
  });
  return socket;
}
