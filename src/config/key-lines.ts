// Where each key of a TOML text stands, which the parser does not tell: for naming the line of a fault. Pure.

/** Dotted key or table → its line, from 1. Read after the text was parsed, so its syntax is known to be right. */
export function keyLines(text: string): ReadonlyMap<string, number> {
  const lines = new Map<string, number>();
  let table = "";
  text.split("\n").forEach((line, index) => {
    const header = /^\s*\[\s*([^[\]]+?)\s*\]/.exec(line)?.[1];
    if (header !== undefined) {
      table = unquote(header);
      lines.set(table, index + 1);
      return;
    }
    const key = /^\s*((?:[A-Za-z0-9_.-]|"[^"]*"|\s*\.\s*)+?)\s*=/.exec(line)?.[1];
    if (key === undefined) return;
    const dotted = table === "" ? unquote(key) : `${table}.${unquote(key)}`;
    if (!lines.has(dotted)) lines.set(dotted, index + 1);
  });
  return lines;
}

function unquote(key: string): string {
  return key
    .split(".")
    .map((part) => part.trim().replace(/^(["'])(.*)\1$/, "$2"))
    .join(".");
}
