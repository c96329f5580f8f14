// Master's end of the control socket: one question a connection, its answers, one end. Runs in master, and reads what
// root or the server's starter sends: nobody else may connect.
import type * as net from "node:net";
import { LineSplitter } from "../../octets/line-splitter.ts";
import { formatLine, MAX_QUESTION_OCTETS, readQuestion, type ToClient } from "./protocol.ts";
import type { Question } from "./questions.ts";

/**
 * Finds the answers to one question.
 *
 * @param signal aborted when the client is gone
 * @returns who owes an answer
 */
export type Inquire = (
  question: Question,
  reply: (from: string, answer: unknown) => void,
  signal: AbortSignal,
) => Promise<readonly string[]>;

/** Serves one connection. */
export function serveControl(socket: net.Socket, inquire: Inquire): void {
  const lines = new LineSplitter(MAX_QUESTION_OCTETS);
  const gone = new AbortController();
  const send = (message: ToClient): void => {
    if (socket.destroyed || socket.writableEnded) return;
    socket.write(formatLine(message));
    // A client that follows the log and does not read it must not fill master's memory.
    if (socket.writableLength > MAX_WAITING_OCTETS) socket.destroy();
  };
  const end = (message: ToClient): void => {
    clearTimeout(timer);
    send(message);
    socket.end();
  };
  const timer = setTimeout(() => end({ kind: "refused", reason: "no question came" }), QUESTION_MS);
  let isAsked = false;
  socket.on("data", (chunk) => {
    const [line] = isAsked ? [] : lines.push(chunk);
    if (line === undefined) return;
    isAsked = true;
    clearTimeout(timer);
    const asked = line.kind === "line" ? readQuestion(line.text) : line;
    if (asked.kind === "malformed") {
      end({ kind: "refused", reason: `malformed question: ${asked.reason}` });
      return;
    }
    const reply = (from: string, answer: unknown): void => send({ kind: "answer", from, answer });
    inquire(asked.value, reply, gone.signal).then(
      (silent) => end({ kind: "end", silent }),
      (error: unknown) => end({ kind: "refused", reason: `fault: ${String(error)}` }),
    );
  });
  socket.on("error", () => {
    // "close" follows.
  });
  socket.on("close", () => {
    clearTimeout(timer);
    gone.abort();
  });
}

/** The client's question is the first thing that it sends. */
const QUESTION_MS = 10_000;
/** What a busy server's sessions take, several times over. */
const MAX_WAITING_OCTETS = 16 * 1024 * 1024;
