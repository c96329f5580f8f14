// A line of the log as people read it: "time level process[pid]: what happened name=value …". Nothing that a stranger said can look
// like a field, a line or a command to the terminal. Pure.
import { escapeControls } from "./safe-text.ts";

/** @param json as pino writes it. @param isTimeShown not where who keeps the lines notes the time itself, as journald does */
export function textLine(json: string, isTimeShown: boolean): string {
  const { level, time, process, pid, msg, ...fields } = JSON.parse(json) as Record<string, unknown>;
  return [
    ...(isTimeShown ? [time, String(level).padEnd(5)] : []),
    `${process}[${pid}]:`,
    escapeControls(String(msg)),
    ...Object.entries(fields).map(([name, value]) => `${name}=${fieldText(value)}`),
  ].join(" ");
}

/** A field's value: as it is, or as a JSON string where it could be taken for something else. */
export function fieldText(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return escapeControls(/[\s"=\\]|^$/.test(text) && typeof value === "string" ? JSON.stringify(value) : text);
}
