// Starts the process that reads an account's mail as its owner, and reads what it answers.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { LineSplitter } from "../../octets/line-splitter.ts";
import { Refusal } from "../terminal/refusal.ts";
import type { AccountMail } from "./mail-owner.ts";
import { type MailboxAnswer, type MailboxRequest, mailboxAnswer } from "./mailbox-protocol.ts";

/** One message's text is the longest answer. */
const MAX_ANSWER_OCTETS = 64 * 1024 * 1024;

/** What is asked, but for the Maildir, which its account tells. */
export type Wanted = MailboxRequest extends infer R
  ? R extends MailboxRequest
    ? Omit<R, "maildir">
    : never
  : never;

/** @throws Refusal when it fails, or has no Maildir */
export async function askMailbox(
  { maildir, owner, account }: AccountMail,
  wanted: Wanted,
  onAnswer: (answer: MailboxAnswer) => void,
): Promise<void> {
  const script = fileURLToPath(new URL(`./mailbox-worker${import.meta.url.slice(-3)}`, import.meta.url));
  const child = spawn(process.execPath, [script], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...(process.env["TZ"] === undefined ? {} : { TZ: process.env["TZ"] }) },
    cwd: "/",
    // With a uid given, libuv also drops all supplementary groups.
    ...(owner === undefined ? {} : { uid: owner.uid, gid: owner.gid }),
  });
  const ended = new Promise<string | undefined>((resolve) => {
    child.on("error", (error) => resolve(error.message));
    child.on("close", (code, signal) => resolve(code === 0 ? undefined : `it ended with ${signal ?? code}`));
  });
  child.stdin.on("error", () => {
    // It ended before it read; `close` tells how.
  });
  child.stdin.end(JSON.stringify({ ...wanted, maildir }));
  const lines = new LineSplitter(MAX_ANSWER_OCTETS);
  let refusal: string | undefined;
  child.stdout.on("data", (chunk: Buffer) => {
    for (const line of lines.push(chunk)) {
      const answer = line.kind === "line" ? parse(line.text) : undefined;
      if (answer === undefined) refusal ??= "its answer is malformed";
      else if (answer.kind === "failed") refusal ??= answer.reason;
      else if (answer.kind === "missing") refusal ??= `no Maildir yet (${maildir})`;
      else if (refusal === undefined) onAnswer(answer);
    }
  });
  const how = await ended;
  if (refusal !== undefined) throw new Refusal(`${account.user}: ${refusal}`);
  if (how !== undefined) throw new Refusal(`${account.user}: cannot read ${maildir}: ${how}`);
}

function parse(line: string): MailboxAnswer | undefined {
  try {
    return mailboxAnswer.parse(JSON.parse(line));
  } catch {
    return undefined;
  }
}
