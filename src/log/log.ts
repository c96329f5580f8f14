// The log: one JSON line an event, on standard output. Every process makes its own; a line is one write, so lines of
// several processes never mix.
import { type Logger, pino } from "pino";

export type Log = Logger;

/** @param processName stands in every line as `process` */
export function createLog(processName: string, level: string): Log {
  return pino(
    {
      level,
      base: { process: processName, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    pino.destination({ fd: 1, sync: true }),
  );
}
