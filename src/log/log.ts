// The log: one JSON line an event, on standard output. Every process makes its own; a line is one write, so lines of
// several processes never mix.
import { type DestinationStream, type Logger, pino } from "pino";

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
    copied(pino.destination({ fd: 1, sync: true })),
  );
}

const listeners = new Set<(line: string) => void>();

/** Calls back with each line that this process logs. @returns forgets the listener */
export function onLogLine(listener: (line: string) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function copied(destination: DestinationStream): DestinationStream {
  return {
    write: (line) => {
      destination.write(line);
      for (const listener of listeners) listener(line);
    },
  };
}
