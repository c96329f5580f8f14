// The control protocol, JSON lines over `<runtime_dir>/control.sock`: one question from pop3-ctl, any number of answers,
// one end. Spoken by master (server.ts) and by pop3-ctl (client.ts). Pure.
import { z } from "zod";
import { type AnswerOf, type Kind, type Question, question, questions } from "./questions.ts";

/** LF included. The longest question names a thousand sessions. */
export const MAX_QUESTION_OCTETS = 65_536;
/** LF included; far more than any answer takes. */
export const MAX_ANSWER_OCTETS = 1_048_576;

/** Where master listens; mode 0600, so that only root and whoever started the server may connect. */
export function controlSocket(runtimeDir: string): string {
  return `${runtimeDir}/control.sock`;
}

export type ToClient =
  /** @param from name of the process that answers: "master", "mailbox 0" */
  | { readonly kind: "answer"; readonly from: string; readonly answer: unknown }
  /** `silent`: processes that owe an answer. */
  | { readonly kind: "end"; readonly silent: readonly string[] }
  | { readonly kind: "refused"; readonly reason: string };

const toClient = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("answer"), from: z.string().max(64), answer: z.unknown() }),
  z.strictObject({ kind: z.literal("end"), silent: z.array(z.string().max(64)) }),
  z.strictObject({ kind: z.literal("refused"), reason: z.string().max(4096) }),
]);

export type Read<T> =
  | { readonly kind: "read"; readonly value: T }
  | { readonly kind: "malformed"; readonly reason: string };

export function formatLine(message: ToClient | Question): string {
  return `${JSON.stringify(message)}\n`;
}

/** @param line without its line feed */
export function readQuestion(line: string): Read<Question> {
  return read(line, question);
}

export function readToClient(line: string): Read<ToClient> {
  return read(line, toClient);
}

export function readAnswer<K extends Kind>(kind: K, answer: unknown): Read<AnswerOf<K>> {
  return check(answer, questions[kind].answers as unknown as z.ZodType<AnswerOf<K>>);
}

function read<T>(line: string, schema: z.ZodType<T>): Read<T> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return { kind: "malformed", reason: "not JSON" };
  }
  return check(value, schema);
}

function check<T>(value: unknown, schema: z.ZodType<T>): Read<T> {
  const result = schema.safeParse(value);
  if (result.success) return { kind: "read", value: result.data };
  const [issue] = result.error.issues;
  return { kind: "malformed", reason: `${issue?.path.join(".") || "message"}: ${issue?.message}` };
}
