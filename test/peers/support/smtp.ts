// Sends messages by SMTP (RFC 5321, RFC 6152) over a bare socket, so that every octet is the test's own choice: no
// library adds or folds a header on the way.
import { connect, type Socket } from "node:net";

export interface Envelope {
  readonly from: string;
  readonly to: readonly string[];
  /** Addresses and headers may be in UTF-8 (RFC 6531). */
  readonly smtputf8?: boolean;
}

/**
 * Whether a message survives SMTP unharmed: lines of at most 998 octets, no NUL, CR and LF only together or LF alone,
 * and a header to begin with (Postfix sets an empty line before a body that has none).
 */
export function survivesSmtp(message: Buffer): boolean {
  if (message.includes(0)) return false;
  const lines = message.toString("latin1").replaceAll("\r\n", "\n").split("\n");
  return (
    lines.every((line) => line.length <= 998 && !line.includes("\r")) &&
    /^[!-9;-~]+[ \t]*:/.test(lines[0] as string)
  );
}

/** Sends each message in one SMTP session. Lines may end in LF or CRLF; a missing final line end is added. */
export async function sendMail(port: number, envelope: Envelope, messages: readonly Buffer[]): Promise<void> {
  const session = await SmtpSession.open(port);
  try {
    await session.command("EHLO client.test", 250);
    for (const message of messages) {
      await session.command(
        `MAIL FROM:<${envelope.from}> BODY=8BITMIME${envelope.smtputf8 === true ? " SMTPUTF8" : ""}`,
        250,
      );
      for (const recipient of envelope.to) await session.command(`RCPT TO:<${recipient}>`, 250);
      await session.command("DATA", 354);
      session.send(dotStuffed(message));
      await session.command(".", 250);
    }
    await session.command("QUIT", 221);
  } finally {
    session.end();
  }
}

/** SMTP's code for RCPT TO with this address; nothing is sent. */
export async function recipientCode(port: number, recipient: string): Promise<number> {
  const session = await SmtpSession.open(port);
  try {
    await session.command("EHLO client.test", 250);
    await session.command("MAIL FROM:<sender@client.test>", 250);
    return await session.ask(`RCPT TO:<${recipient}>`);
  } finally {
    session.end();
  }
}

class SmtpSession {
  readonly #socket: Socket;
  #received = "";
  #fault: Error | undefined;
  #wake: () => void = () => {};

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding("latin1");
    socket.on("data", (text: string) => {
      this.#received += text;
      this.#wake();
    });
    const fail = (error: Error): void => {
      this.#fault ??= error;
      this.#wake();
    };
    socket.on("error", fail);
    socket.on("close", () => fail(new Error("the SMTP server closed the connection")));
    socket.setTimeout(60_000, () => fail(new Error("the SMTP server has been silent for 60 s")));
  }

  static async open(port: number): Promise<SmtpSession> {
    const session = new SmtpSession(connect({ host: "127.0.0.1", port }));
    await session.#expect(220, "the greeting");
    return session;
  }

  send(octets: Buffer): void {
    this.#socket.write(octets);
  }

  async command(line: string, code: number): Promise<void> {
    this.#socket.write(`${line}\r\n`);
    await this.#expect(code, line);
  }

  async ask(line: string): Promise<number> {
    this.#socket.write(`${line}\r\n`);
    return Number((await this.#reply()).slice(0, 3));
  }

  end(): void {
    this.#socket.destroy();
  }

  async #expect(code: number, after: string): Promise<void> {
    const reply = await this.#reply();
    if (!reply.startsWith(`${code}`)) throw new Error(`${after}: ${reply}`);
  }

  /** Multi-line replies hold "250-" before their last line (RFC 5321 §4.2.1). */
  async #reply(): Promise<string> {
    for (;;) {
      const reply = /^(?:\d{3}-[^\n]*\n)*\d{3}(?: [^\n]*)?\n/.exec(this.#received);
      if (reply !== null) {
        this.#received = this.#received.slice(reply[0].length);
        return reply[0].trim();
      }
      if (this.#fault !== undefined) throw this.#fault;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

function dotStuffed(message: Buffer): Buffer {
  const text = message.toString("latin1").replaceAll("\r\n", "\n");
  const complete = text === "" || text.endsWith("\n") ? text : `${text}\n`;
  return Buffer.from(complete.replace(/^\./gm, "..").replaceAll("\n", "\r\n"), "latin1");
}
