// A scripted POP3 session: lines to send, what to do to the Maildir meanwhile, how to end. Run against two servers it
// gives two records to compare: statuses, numbers and octets, without the wording, which is each server's own.
import { eventually } from "../../support/eventually.ts";
import { Pop3Connection, type Pop3Reply } from "./pop3.ts";

export interface Step {
  /** Sent as it stands; several lines joined by CRLF go out at once, and each gets a reply. */
  readonly send: string;
  /** Where the servers may differ: what each one answers, and why that is right or harmless. */
  readonly differs?: {
    readonly ours: Pop3Reply["status"];
    readonly dovecots: Pop3Reply["status"];
    readonly because: string;
  };
}

export type Script = readonly (string | Step | ((maildir: string) => void))[];

export interface RecordedReply {
  readonly sent: string;
  readonly status: Pop3Reply["status"];
  /** Of STAT, LIST n, UIDL n and RETR: the numbers and unique-ids in the first line. */
  readonly told?: string;
  readonly body?: string;
}

export const login: Script = ["USER mrose", "PASS secret"];

/** @param end "QUIT" also waits until the server closes; "drop" breaks off without it */
export async function runScript(
  port: number,
  maildir: string,
  script: Script,
  end: "QUIT" | "drop",
): Promise<readonly RecordedReply[]> {
  const { connection, greeting } = await Pop3Connection.open(port);
  const record: RecordedReply[] = [{ sent: "", status: greeting.status }];
  try {
    for (const step of end === "QUIT" ? [...script, "QUIT"] : script) {
      if (typeof step === "function") {
        step(maildir);
        continue;
      }
      const text = typeof step === "string" ? step : step.send;
      connection.send(`${text}\r\n`);
      for (const line of text.split("\r\n")) record.push(await recordReply(connection, line));
    }
    if (end === "QUIT") await connection.closed;
  } finally {
    connection.drop();
  }
  return record;
}

/** After a dropped connection: the maildrop can be opened again, so the session has ended with all it does. */
export async function sessionOver(port: number): Promise<void> {
  await eventually("the dropped session has ended", async () => {
    const replies = await runScript(port, "", login, "QUIT");
    return replies.every(({ status }) => status === "+OK");
  });
}

/** The steps of a script that a reply belongs to, in the order of the record (without the greeting). */
export function linesOf(script: Script): readonly Step[] {
  return script.flatMap((step) => {
    if (typeof step === "function") return [];
    return typeof step === "string" ? step.split("\r\n").map((send) => ({ send })) : [step];
  });
}

async function recordReply(connection: Pop3Connection, line: string): Promise<RecordedReply> {
  const reply = isMultiLine(line) ? await connection.multiLineReply() : await connection.reply();
  const told = reply.status === "+OK" ? toldIn(line, reply.text) : undefined;
  return {
    sent: line,
    status: reply.status,
    ...(told === undefined ? {} : { told }),
    // CAPA's list is each server's own.
    ...(reply.body === undefined || /^CAPA/i.test(line) ? {} : { body: reply.body.toString("latin1") }),
  };
}

/** Whether +OK to this line begins a multi-line response (RFC 1939, RFC 2449). */
function isMultiLine(line: string): boolean {
  return /^(?:CAPA|LIST|UIDL|RETR .*|TOP .*)$/i.test(line.trim());
}

function toldIn(line: string, text: string): string | undefined {
  if (/^(?:STAT|LIST \S|UIDL \S)/i.test(line)) return /^\S+ \S+/.exec(text)?.[0] ?? text;
  if (/^RETR/i.test(line)) return /^\d+/.exec(text)?.[0] ?? text;
  return undefined;
}
