// The log: one line an event, on standard output, as JSON or as text. Every process makes its own; no line is spread over two
// writes, so lines of several processes never mix.
import { type DestinationStream, pino } from "pino";
import type { LogFields } from "./fields.ts";
import { LineWriter } from "./line-writer.ts";
import { textLine } from "./text-line.ts";

export type LogFormat = "json" | "text";

export interface LogSettings {
  readonly level: string;
  readonly format: LogFormat;
  /** Standard output is journald's: it notes the time itself, and takes a line's priority from its begin (sd-daemon(3)). */
  readonly isJournal: boolean;
}

/** Fields that fields.ts does not know are refused by the compiler, also where they come by a variable or a spread. */
type Known<Fields> = { readonly [Name in Exclude<KeysOf<Fields>, keyof LogFields>]?: never };

type KeysOf<Fields> = Fields extends unknown ? keyof Fields : never;

interface Say {
  <Fields extends LogFields>(fields: Fields & Known<Fields>, message: string): void;
  (message: string): void;
}

export interface Log {
  readonly debug: Say;
  readonly info: Say;
  readonly warn: Say;
  readonly error: Say;
  readonly fatal: Say;
  /** The fields stand in every line that it says. */
  child<Fields extends LogFields>(fields: Fields & Known<Fields>): Log;
}

/** A process's own, which can be told to say more or less, or to say it otherwise. */
export interface ProcessLog extends Log {
  /** Not for children that were made before. */
  configure(settings: LogSettings): void;
}

/** @param processName stands in every line as `process` */
export function createLog(processName: string, settings: LogSettings): ProcessLog {
  const output = new Output(settings);
  const logger = pino(
    {
      level: settings.level,
      base: { process: processName, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    output,
  );
  return Object.assign(logger, {
    configure: (changed: LogSettings) => {
      logger.level = changed.level;
      output.settings = changed;
    },
  });
}

const listeners = new Set<(line: string) => void>();

/** Calls back with each line that this process logs, as JSON. @returns forgets the listener */
export function onLogLine(listener: (line: string) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

class Output implements DestinationStream {
  readonly #writer: LineWriter;
  settings: LogSettings;

  constructor(settings: LogSettings) {
    this.settings = settings;
    const destination = pino.destination({ fd: 1, sync: true });
    this.#writer = new LineWriter((lines) => destination.write(lines));
  }

  write(line: string): void {
    this.#writer.add(formatLine(line, this.settings), !isPatient(line));
    for (const listener of listeners) listener(line);
  }
}

/** Whether a line may wait for others: nobody has to do anything about it. */
function isPatient(json: string): boolean {
  return json.startsWith('{"level":"info"') || json.startsWith('{"level":"debug"');
}

/** @param json as pino writes it, with its line feed */
export function formatLine(json: string, { format, isJournal }: Omit<LogSettings, "level">): string {
  const line = format === "json" ? json : `${textLine(json, !isJournal)}\n`;
  return isJournal ? `<${priorityOf(json)}>${line}` : line;
}

/** As syslog(3) numbers them. */
const PRIORITIES: ReadonlyMap<string, number> = new Map([
  ["debug", 7],
  ["info", 6],
  ["warn", 4],
  ["error", 3],
  ["fatal", 2],
]);

function priorityOf(json: string): number {
  const level = /^\{"level":"([a-z]+)"/.exec(json)?.[1];
  return PRIORITIES.get(level ?? "") ?? 6;
}
