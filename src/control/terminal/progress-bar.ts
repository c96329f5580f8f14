// A bar that shows how far a command is, drawn over itself on a terminal; nowhere else is there one.
import { escapeControls } from "../../log/safe-text.ts";
import type { Printer } from "./printer.ts";
import { shorten } from "./table.ts";

const BAR_CELLS = 20;

/** "mrose  [#######-------------] 35000/100000  12 MB/s": one line of `columns` at most. */
export function progressBar(
  name: string,
  done: number,
  total: number,
  details: readonly string[],
  columns: number,
): string {
  const cells = Math.floor((total === 0 ? 1 : done / total) * BAR_CELLS);
  const gauge = `[${"#".repeat(cells)}${"-".repeat(BAR_CELLS - cells)}] ${done}/${total}`;
  return shorten([escapeControls(name), gauge, ...details].join("  "), columns - 1);
}

/** Draws it; "" takes it away. */
export function drawBar(printer: Printer, bar: string): void {
  if (printer.isTerminal && !printer.json) process.stdout.write(`\r\x1b[K${bar}`);
}
