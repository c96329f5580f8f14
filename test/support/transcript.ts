// Commands and what they print, as a manual shows them: "$ command", then its output. Times, ids and such are compared by their
// shape, everything else as it stands.

export interface Shown {
  readonly command: string;
  readonly output: readonly string[];
}

export function transcriptOf(block: string): Shown[] {
  return block
    .trimEnd()
    .split(/^\$ /m)
    .slice(1)
    .map((part) => {
      const [command = "", ...output] = part.trimEnd().split("\n");
      return { command: command.replace(/ {2,}#.*$/, ""), output };
    });
}

const shapes = [
  /\d{4}-\d\d-\d\d(?: \d\d:\d\d:\d\d)?/,
  // A unique-id, cut where the table ends.
  /\b\d+\.M\d+P\d+\.d(?:e?…|emo)/,
  // Session ids, whole and by their first half.
  /\b(?:[0-9a-f]{16}|[0-9a-f]{8})\b/,
  /\b\d+s\b/,
  // Columns are as wide as what stands in them.
  /\s+/,
];
const anyShape = new RegExp(shapes.map(({ source }) => `(${source})`).join("|"), "g");

/** Every thing of a shape as its number: what is left has to be the same. */
export function inShape(line: string): string {
  return line.trimEnd().replace(anyShape, (...match) => {
    const which = match.slice(1, shapes.length + 1).findIndex((found) => found !== undefined);
    return which === shapes.length - 1 ? " " : `<${which}>`;
  });
}
