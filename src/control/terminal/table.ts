// Tables for people: aligned columns that fit the terminal, whatever stands in them. Pure.
import stringWidth from "string-width";
import { escapeControls } from "../../log/safe-text.ts";

export interface Column {
  readonly title: string;
  readonly align?: "left" | "right";
  /** May be cut to this width where the table would be too wide; columns without it are never cut. */
  readonly least?: number;
}

/** A row's cells, in the order of the columns. */
export type Row = readonly (string | number)[];

const GAP = "  ";

/** @returns the lines, the titles first; without rows nothing but the titles */
export function table(columns: readonly Column[], rows: readonly Row[], width: number): string[] {
  const cells = [
    columns.map(({ title }) => title),
    ...rows.map((row) => row.map((cell) => escapeControls(`${cell}`))),
  ];
  const natural = columns.map((_, index) => Math.max(...cells.map((row) => stringWidth(row[index] ?? ""))));
  const widths = fitted(columns, natural, width);
  return cells.map((row) =>
    columns
      .map(({ align }, index) => {
        const cell = shorten(row[index] ?? "", widths[index]!);
        const padding = " ".repeat(widths[index]! - stringWidth(cell));
        return align === "right" ? padding + cell : cell + padding;
      })
      .join(GAP)
      .trimEnd(),
  );
}

/** Cuts the widest of those that may be cut, until all fit or none can give any more. */
function fitted(columns: readonly Column[], natural: readonly number[], width: number): number[] {
  const widths = [...natural];
  const total = (): number => widths.reduce((sum, each) => sum + each, GAP.length * (widths.length - 1));
  while (total() > width) {
    let widest = -1;
    columns.forEach(({ least }, index) => {
      if (least === undefined || widths[index]! <= least) return;
      if (widest === -1 || widths[index]! > widths[widest]!) widest = index;
    });
    if (widest === -1) break;
    widths[widest]!--;
  }
  return widths;
}

/** At most so many columns, "…" standing for what is cut off. */
export function shorten(text: string, width: number): string {
  if (stringWidth(text) <= width) return text;
  let kept = "";
  let keptWidth = 0;
  for (const { segment } of graphemes.segment(text)) {
    keptWidth += stringWidth(segment);
    if (keptWidth > width - 1) break;
    kept += segment;
  }
  return `${kept}…`;
}

const graphemes = new Intl.Segmenter();
