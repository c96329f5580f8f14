// What a check of `pop3-ctl doctor` has found: a fact that is well, or one with how to mend it.

/** In the order of their weight. "note": worth knowing, nothing to do about. */
export const LEVELS = ["ok", "note", "warning", "error"] as const;
export type Level = (typeof LEVELS)[number];

export interface Finding {
  /** "config", "ports" …: what --json and monitoring know it by. */
  readonly check: string;
  readonly level: Level;
  readonly message: string;
  /** What to do about it; a command wherever there is one. */
  readonly mend?: string;
}

export type Report = (level: Level, message: string, mend?: string) => Finding;

/** Makes the findings of one check. */
export function reporter(check: string): Report {
  return (level, message, mend) => ({ check, level, message, ...(mend !== undefined && { mend }) });
}

export function worst(findings: readonly Finding[]): Level {
  return LEVELS[Math.max(0, ...findings.map(({ level }) => LEVELS.indexOf(level)))]!;
}

/** As monitoring plugins end: 0 OK, 1 WARNING, 2 CRITICAL. */
export function exitStatus(findings: readonly Finding[]): 0 | 1 | 2 {
  const level = worst(findings);
  switch (level) {
    case "ok":
    case "note":
      return 0;
    case "warning":
      return 1;
    case "error":
      return 2;
    default:
      return level satisfies never;
  }
}
