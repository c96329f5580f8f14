// Durations and amounts as people read them. Pure.

const STEPS = [
  ["d", 86_400],
  ["h", 3600],
  ["m", 60],
] as const;

/** "4s", "3m 20s", "2h 5m", "8d 3h": two units at most. */
export function duration(ms: number): string {
  let seconds = Math.max(0, Math.round(ms / 1000));
  const index = STEPS.findIndex(([, unit]) => seconds >= unit);
  if (index === -1) return `${seconds}s`;
  const [name, unit] = STEPS[index]!;
  const whole = Math.floor(seconds / unit);
  seconds -= whole * unit;
  const [nextName, nextUnit] = STEPS[index + 1] ?? ["s", 1];
  const rest = Math.floor(seconds / nextUnit);
  return rest === 0 ? `${whole}${name}` : `${whole}${name} ${rest}${nextName}`;
}

const PREFIXES = ["", "k", "M", "G", "T", "P"];

/** "998", "1.2k", "34M": powers of a thousand, three digits at most. */
export function amount(value: number): string {
  let scaled = value;
  let step = 0;
  while (scaled >= 999.5 && step < PREFIXES.length - 1) {
    scaled /= 1000;
    step++;
  }
  const digits = step > 0 && scaled < 9.95 ? 1 : 0;
  return `${scaled.toFixed(digits)}${PREFIXES[step]}`;
}

/** "2026-11-25 13:24:20", in the host's time zone. */
export function localTime(ms: number): string {
  const date = new Date(ms);
  const two = (value: number): string => `${value}`.padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}
