// Breaks prose into lines. Pure.

/** Words stay whole, so a longer one has a line of its own; a line that begins with two spaces is taken as it is: code. */
export function wrap(text: string, width: number): string[] {
  return text
    .split("\n")
    .flatMap((paragraph) => (isCode(paragraph) ? [paragraph] : wrapped(paragraph, width)));
}

export function isCode(line: string): boolean {
  return line.startsWith("  ");
}

function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/)) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return line === "" ? lines : [...lines, line];
}
