// Where pop3-passwd gets a password from: twice from a person at a terminal, without echo, or the first line of standard input.
// Never from an argument, where every user of the host could read it.
import type { ReadStream } from "node:tty";
import { read } from "read";

export type AskedPassword =
  | { readonly kind: "password"; readonly password: Buffer }
  | { readonly kind: "refused"; readonly reason: string }
  /** Ctrl-C or Ctrl-D at the prompt; the terminal is as it was. */
  | { readonly kind: "cancelled" };

/**
 * @param prompts asked in turn at a terminal; every answer must be the same. A pipe gives one line, whatever their number.
 */
export async function askPassword(
  prompts: readonly [string, ...string[]],
  input: NodeJS.ReadStream = process.stdin,
): Promise<AskedPassword> {
  if (!input.isTTY) return checked(await firstLine(input));
  let first: string | undefined;
  for (const prompt of prompts) {
    const answer = await askSilently(prompt, input);
    if (answer === undefined) return { kind: "cancelled" };
    // An empty answer will be refused anyway; asking for it twice would only annoy.
    if (answer === "") return checked(Buffer.alloc(0));
    if (first !== undefined && first !== answer) return { kind: "refused", reason: "the passwords differ" };
    first = answer;
  }
  return checked(Buffer.from(first!));
}

const MAX_PASSWORD_BYTES = 4096;

function checked(password: Buffer): AskedPassword {
  if (password.length === 0) return { kind: "refused", reason: "the password is empty" };
  if (password.length > MAX_PASSWORD_BYTES) {
    return { kind: "refused", reason: `the password is longer than ${MAX_PASSWORD_BYTES} bytes` };
  }
  if (password.includes(0)) return { kind: "refused", reason: "the password holds a NUL" };
  return { kind: "password", password };
}

// Octets, not text: a password need not be UTF-8. Everything up to the line end counts, spaces too.
async function firstLine(input: NodeJS.ReadStream): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of input as AsyncIterable<Buffer>) {
    const lineFeed = chunk.indexOf(0x0a);
    const part = lineFeed < 0 ? chunk : chunk.subarray(0, lineFeed);
    chunks.push(part);
    length += part.length;
    // One too many for the limit, and room for a carriage return: enough to refuse it.
    if (lineFeed >= 0 || length > MAX_PASSWORD_BYTES + 1) break;
  }
  const line = Buffer.concat(chunks);
  return line.at(-1) === 0x0d ? line.subarray(0, -1) : line;
}

/** The answer, or undefined if the person ended it instead. The prompt goes to standard error: standard output may be a pipe. */
async function askSilently(prompt: string, input: ReadStream): Promise<string | undefined> {
  // At Ctrl-D `read` closes its input and never settles: nothing is left to happen then, and Node says so with beforeExit.
  let onBeforeExit = (): void => undefined;
  const ended = new Promise<undefined>((resolve) => {
    onBeforeExit = () => resolve(undefined);
    process.once("beforeExit", onBeforeExit);
  });
  try {
    return await Promise.race([
      read({ prompt, silent: true, input, output: process.stderr, terminal: true }),
      ended,
    ]);
  } catch {
    return undefined; // Ctrl-C
  } finally {
    process.off("beforeExit", onBeforeExit);
    // The Enter was not echoed either: without this the next line would be written over the prompt.
    process.stderr.write("\n");
  }
}
