// `pop3-ctl trace`: what is said in the next sessions of an account or from an address.
import { escapeControls } from "../../log/safe-text.ts";
import type { AnswerOf } from "../link/questions.ts";
import type { ServerLink } from "../link/server-link.ts";
import type { Printer } from "../terminal/printer.ts";
import { localTime } from "../terminal/units.ts";

type TraceLine = AnswerOf<"trace">;

export interface TraceOptions {
  /** How many sessions are shown before it ends. */
  readonly sessions: number;
}

export async function trace(
  server: ServerLink,
  printer: Printer,
  target: string,
  { sessions }: TraceOptions,
): Promise<void> {
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort());
  const show = (line: TraceLine): void => {
    if (!seen.has(line.session)) {
      if (seen.size === sessions) return;
      seen.add(line.session);
      if (!printer.json) printer.line(printer.paint("bold", heading(line)));
    }
    if (printer.json) printer.value(line);
    else for (const shown of traceLines(line, seen.size - ended > 1)) printer.line(shown);
    if (line.isEnd && ++ended === sessions) stop.abort();
  };
  // A session's two halves come from two processes, and may overtake each other on their way.
  let waiting: TraceLine[] = [];
  const flush = (): void => {
    const lines = waiting.sort((a, b) => a.atMs - b.atMs);
    waiting = [];
    for (const line of lines) show(line);
  };
  const seen = new Set<string>();
  let ended = 0;
  await server.stream(
    { kind: "trace", target },
    (line) => {
      if (waiting.length === 0) setTimeout(flush, ORDERING_MS);
      waiting.push(line);
    },
    stop.signal,
    () => {
      if (!printer.json)
        printer.note(`the next ${sessions} sessions of ${escapeControls(target)}, Ctrl-C ends it`);
    },
  );
}

const ORDERING_MS = 100;

function heading({ session, address, atMs }: TraceLine): string {
  return `${localTime(atMs)} session ${session} from ${address}`;
}

/** @param withSession several sessions may be under way at once: each line says which is meant */
export function traceLines({ session, speaker, text }: TraceLine, withSession: boolean): string[] {
  const prefix = withSession ? `${session.slice(0, 8)} ` : "";
  return text.split("\n").map((line) => `${prefix}${speaker}: ${escapeControls(line)}`);
}
