// The log of a session that runs in somebody else's program.
import type { Log } from "../log/log.ts";

export type OnLog = (
  level: "debug" | "info" | "warn" | "error",
  message: string,
  fields: Readonly<Record<string, unknown>>,
) => void;

/** @param onLog undefined: nothing is said */
export function quietLog(onLog: OnLog | undefined, common: Readonly<Record<string, unknown>> = {}): Log {
  const at = (level: Parameters<OnLog>[0]): Log["info"] => {
    return (...said: [string] | [object, string]) => {
      const [fields, message] = said.length === 1 ? [{}, said[0]] : said;
      onLog?.(level, message, { ...common, ...fields });
    };
  };
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    fatal: at("error"),
    child: (fields) => quietLog(onLog, { ...common, ...fields }),
  };
}
