// `pop3-ctl trace`: what is said in the next sessions of an account or from an address.
import type { Printer } from "../printer.ts";
import type { AnswerOf } from "../questions.ts";
import { escapeControls } from "../safe-text.ts";
import type { ServerLink } from "../server-link.ts";
import { localTime } from "../units.ts";

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
  const seen = new Set<string>();
  let ended = 0;
  if (!printer.json)
    printer.note(`the next ${sessions} sessions of ${escapeControls(target)}, Ctrl-C ends it`);
  await server.stream(
    { kind: "trace", target },
    (line) => {
      if (!seen.has(line.session)) {
        if (seen.size === sessions) return;
        seen.add(line.session);
        if (!printer.json) printer.line(printer.paint("bold", heading(line)));
      }
      if (printer.json) printer.value(line);
      else for (const shown of traceLines(line, seen.size - ended > 1)) printer.line(shown);
      if (line.isEnd && ++ended === sessions) stop.abort();
    },
    stop.signal,
  );
}

function heading({ session, address, atMs }: AnswerOf<"trace">): string {
  return `${localTime(atMs)} session ${session} from ${address}`;
}

/** @param withSession several sessions may be under way at once: each line says which is meant */
export function traceLines({ session, speaker, text }: AnswerOf<"trace">, withSession: boolean): string[] {
  const prefix = withSession ? `${session.slice(0, 8)} ` : "";
  return text.split("\n").map((line) => `${prefix}${speaker}: ${escapeControls(line)}`);
}
