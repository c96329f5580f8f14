// A POP3 client that asks what a server would give and changes nothing: USER, PASS, LIST, UIDL, QUIT. Used by
// `pop3-ctl rehearse` to ask the server that is to be replaced.
import { connect, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { LineReader } from "../../pop3/line-reader.ts";

export interface Pop3Server {
  readonly host: string;
  readonly port: number;
  /** "tls": POP3S; "stls": by STLS (RFC 2595); nothing goes out before the handshake. */
  readonly security: "none" | "tls" | "stls";
  /** Takes any certificate. */
  readonly isInsecure: boolean;
}

export interface ServedMessage {
  readonly uniqueId: string;
  readonly octets: number;
}

export type ServedMaildrop =
  | { readonly kind: "served"; readonly messages: readonly ServedMessage[] }
  | { readonly kind: "failed"; readonly reason: string };

const SILENCE_MS = 120_000;
/** Unique-ids longer than RFC 1939 allows are told by some servers. */
const MAX_REPLY_OCTETS = 4096;

/** Logs in and asks for all unique-ids and sizes; no message is retrieved or marked. */
export async function askOldServer(
  server: Pop3Server,
  user: string,
  password: string,
): Promise<ServedMaildrop> {
  let socket = open(server);
  try {
    let lines = linesOf(socket);
    await statusLine(lines, "greeting");
    if (server.security === "stls") {
      socket.write("STLS\r\n");
      await statusLine(lines, "STLS");
      // What came with the reply, before the handshake, is nobody's.
      await lines.return();
      socket = overTls(server, socket);
      lines = linesOf(socket);
    }
    for (const [command, line] of [
      ["USER", `USER ${user}`],
      ["PASS", `PASS ${password}`],
    ] as const) {
      socket.write(`${line}\r\n`, "utf8");
      await statusLine(lines, command);
    }
    const octets = await listing(socket, lines, "LIST");
    const uniqueIds = await listing(socket, lines, "UIDL");
    socket.write("QUIT\r\n");
    await statusLine(lines, "QUIT");
    const messages = [...uniqueIds].map(([number, uniqueId]) => {
      return { uniqueId, octets: Number(octets.get(number)) };
    });
    return { kind: "served", messages };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return { kind: "failed", reason: `${server.host}:${server.port}: ${error.message}` };
  } finally {
    socket.destroy();
  }
}

function open(server: Pop3Server): Socket {
  const { host, port, security } = server;
  return limited(security === "tls" ? overTls(server) : connect({ host, port }));
}

/** @param socket that is there already */
function overTls({ host, port, isInsecure }: Pop3Server, socket?: Socket): Socket {
  return limited(
    connectTls({
      host,
      port,
      ...(socket !== undefined && { socket }),
      // RFC 6066 §3: no address is a server's name.
      ...(isIP(host) === 0 && { servername: host }),
      rejectUnauthorized: !isInsecure,
    }),
  );
}

function limited(socket: Socket): Socket {
  socket.setTimeout(SILENCE_MS, () => socket.destroy(new Error("it does not answer")));
  return socket;
}

/** Byte strings. @throws what the connection does */
async function* linesOf(socket: Socket): AsyncGenerator<string, void, undefined> {
  const reader = new LineReader(() => MAX_REPLY_OCTETS);
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    reader.push(chunk as Buffer);
    for (let line = reader.next(); line !== undefined; line = reader.next()) {
      if (line.kind === "too-long") throw new Error("its answer has a line that is too long");
      yield line.text;
    }
  }
}

async function nextLine(lines: AsyncGenerator<string, void>): Promise<string> {
  const { done, value } = await lines.next();
  if (done === true) throw new Error("it closed the connection");
  return value;
}

/** @throws Error with what the server says when that is not +OK */
async function statusLine(lines: AsyncGenerator<string, void>, command: string): Promise<void> {
  const line = await nextLine(lines);
  if (!/^\+OK(?: |$)/.test(line)) throw new Error(`${command} was refused: ${line}`);
}

/** By message number. */
async function listing(
  socket: Socket,
  lines: AsyncGenerator<string, void>,
  command: "LIST" | "UIDL",
): Promise<ReadonlyMap<string, string>> {
  socket.write(`${command}\r\n`);
  await statusLine(lines, command);
  const entries = new Map<string, string>();
  for (let line = await nextLine(lines); line !== "."; line = await nextLine(lines)) {
    const [, number, value] = /^\.?([0-9]+) +([^ ]+)/.exec(line) ?? [];
    if (number === undefined || value === undefined) throw new Error(`${command} is answered by "${line}"`);
    entries.set(number, value);
  }
  return entries;
}
