// `pop3-ctl log follow`: what the server logs from now on, for people, until Ctrl-C.
import { escapeControls } from "../../log/safe-text.ts";
import { fieldText } from "../../log/text-line.ts";
import type { ServerLink } from "../link/server-link.ts";
import type { Printer, Style } from "../terminal/printer.ts";
import { localTime } from "../terminal/units.ts";

export async function followLog(
  server: ServerLink,
  printer: Printer,
  account: string | undefined,
): Promise<void> {
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort());
  await server.stream(
    account === undefined ? { kind: "log" } : { kind: "log", account },
    ({ line }) => printer.line(printer.json ? line : prettyLogLine(line, printer)),
    stop.signal,
  );
}

const LEVEL_STYLES: ReadonlyMap<string, Style> = new Map([
  ["debug", "dim"],
  ["warn", "yellow"],
  ["error", "red"],
  ["fatal", "red"],
]);

/** "13:24:20 mailbox  session ended  account=mrose messages=5 …" */
export function prettyLogLine(line: string, { paint }: Pick<Printer, "paint">): string {
  let fields: Record<string, unknown>;
  try {
    fields = JSON.parse(line) as Record<string, unknown>;
  } catch {
    return escapeControls(line);
  }
  const { level, time, process: name, pid: _, msg, ...details } = fields;
  const atMs = Date.parse(String(time));
  const clock = Number.isNaN(atMs) ? "" : localTime(atMs).slice(11);
  const style = LEVEL_STYLES.get(String(level));
  const said = escapeControls(String(msg));
  const rest = Object.entries(details).map(([key, value]) => `${paint("dim", `${key}=`)}${fieldText(value)}`);
  return [
    paint("dim", clock),
    String(name).padEnd(8),
    style === undefined ? said : paint(style, `${level}: ${said}`),
    ...(rest.length === 0 ? [] : [rest.join(" ")]),
  ].join(" ");
}
