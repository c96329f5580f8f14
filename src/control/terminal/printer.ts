// What a command of pop3-ctl prints: for people, or with --json for programs. Colour on a terminal only, and not where
// NO_COLOR is set.
import { styleText } from "node:util";

export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";

export interface Printer {
  readonly json: boolean;
  /** Columns that a table may take, and lines that a screen has: as of now, since windows change their size. */
  readonly columns: number;
  readonly rows: number;
  /** Whether the screen can be drawn anew. */
  readonly isTerminal: boolean;
  line(text?: string): void;
  /** One JSON value, on a line of its own. */
  value(value: unknown): void;
  /** For a result that is complete in itself: the value with --json, else the lines. */
  result(value: unknown, lines: readonly string[]): void;
  paint(style: Style, text: string): string;
  /** Something that the reader should know and that is not the result: on standard error. */
  note(text: string): void;
}

const DEFAULT_COLUMNS = 80;
const DEFAULT_ROWS = 24;

export function createPrinter(json: boolean, stdout = process.stdout): Printer {
  const isTerminal = stdout.isTTY === true;
  const hasColours = isTerminal && !json && stdout.hasColors();
  const line = (text = ""): void => {
    stdout.write(`${text}\n`);
  };
  const value = (content: unknown): void => line(JSON.stringify(content));
  return {
    json,
    // A terminal that was told no size says 0: serial lines, some containers.
    get columns() {
      return isTerminal && stdout.columns > 0 ? stdout.columns : DEFAULT_COLUMNS;
    },
    get rows() {
      return isTerminal && stdout.rows > 0 ? stdout.rows : DEFAULT_ROWS;
    },
    isTerminal,
    line,
    value,
    result: (content, lines) => {
      if (json) value(content);
      else for (const text of lines) line(text);
    },
    paint: (style, text) => (hasColours ? styleText(style, text) : text),
    note: (text) => {
      process.stderr.write(`pop3-ctl: ${text}\n`);
    },
  };
}
