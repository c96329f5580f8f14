// Durations as the config writes them: "90s", "10m", "36h", "7d", "250ms". Pure.

const UNIT_MS: ReadonlyMap<string, number> = new Map([
  ["ms", 1],
  ["s", 1000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
]);

/** Milliseconds; undefined when the text is no duration. */
export function parseDuration(text: string): number | undefined {
  const match = /^([0-9]{1,9}(?:\.[0-9]{1,3})?)(ms|s|m|h|d)$/.exec(text.trim());
  const unit = UNIT_MS.get(match?.[2] ?? "");
  return match === null || unit === undefined
    ? undefined
    : Math.round(Number.parseFloat(match[1] ?? "") * unit);
}
