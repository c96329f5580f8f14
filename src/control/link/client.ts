// pop3-ctl's end of the control socket: asks a running server one question. Runs as root or as whoever started the
// server.
import * as net from "node:net";
import { LineSplitter } from "../../octets/line-splitter.ts";
import { controlSocket, formatLine, MAX_ANSWER_OCTETS, readAnswer, readToClient } from "./protocol.ts";
import type { AnswerOf, Kind, QuestionOf } from "./questions.ts";

export type Asked =
  /** `silent`: processes that did not answer in time; what they know is missing. */
  | { readonly kind: "answered"; readonly silent: readonly string[] }
  /** One line that says what is wrong. `isDenied`: whether it runs, this uid may not know. */
  | { readonly kind: "failed"; readonly reason: string; readonly isDenied?: true };

/**
 * Asks, and hands each answer on as it comes; resolves at the end of the answers.
 *
 * @param signal ends it early, which counts as answered
 * @param onConnected there is somebody who will answer
 */
export function ask<K extends Kind>(
  runtimeDir: string,
  question: { readonly kind: K } & QuestionOf<K>,
  onAnswer: (answer: AnswerOf<K>, from: string) => void,
  signal?: AbortSignal,
  onConnected?: () => void,
): Promise<Asked> {
  const path = controlSocket(runtimeDir);
  return new Promise((resolve) => {
    const lines = new LineSplitter(MAX_ANSWER_OCTETS);
    const socket = net.connect({ path });
    const settle = (asked: Asked): void => {
      socket.destroy();
      signal?.removeEventListener("abort", stop);
      resolve(asked);
    };
    const fail = (reason: string): void => settle({ kind: "failed", reason });
    const stop = (): void => settle({ kind: "answered", silent: [] });
    if (signal?.aborted) stop();
    signal?.addEventListener("abort", stop);
    socket.on("connect", () => {
      onConnected?.();
      socket.write(formatLine(question));
    });
    socket.on("data", (chunk) => {
      for (const line of lines.push(chunk)) {
        if (socket.destroyed) return;
        const message = line.kind === "line" ? readToClient(line.text) : line;
        if (message.kind === "malformed") return fail(`the server's answer is malformed: ${message.reason}`);
        switch (message.value.kind) {
          case "answer": {
            const answer = readAnswer<K>(question.kind, message.value.answer);
            // Another version of the server may still be running.
            if (answer.kind === "malformed") {
              return fail(`the server's answer is malformed: ${answer.reason} (is it of this version?)`);
            }
            onAnswer(answer.value, message.value.from);
            break;
          }
          case "end":
            return settle({ kind: "answered", silent: message.value.silent });
          case "refused":
            return fail(`the server refused: ${message.value.reason}`);
          default:
            message.value satisfies never;
        }
      }
    });
    socket.on("error", (error: NodeJS.ErrnoException) => settle(cannotConnect(path, error)));
    socket.on("close", () => fail("the server ended the connection"));
  });
}

function cannotConnect(path: string, { code, message }: NodeJS.ErrnoException): Asked {
  switch (code) {
    case "ENOENT":
    case "ECONNREFUSED":
      return {
        kind: "failed",
        reason: `pop3-server does not run: nobody listens on ${path} (systemctl start dewey-pop3)`,
      };
    case "EACCES":
      return {
        kind: "failed",
        reason: `cannot connect to ${path}: permission denied (run it as root or as whoever started pop3-server)`,
        isDenied: true,
      };
    default:
      return { kind: "failed", reason: `cannot connect to ${path}: ${code ?? message}` };
  }
}
