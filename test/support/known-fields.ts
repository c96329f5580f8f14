// What servers really log has the fields that etc/log-fields.md promises. Loaded before every test file that starts servers.
import { type LogField, lineFields, logFields } from "../../src/log/fields.ts";
import { type LogLine, onServerLog } from "./server.ts";

onServerLog((lines) => lines.forEach(expectKnownFields));

function expectKnownFields(line: LogLine): void {
  if (line.level === "none") return;
  const known: Readonly<Record<string, LogField>> = { ...lineFields, ...logFields };
  for (const [name, value] of Object.entries(line)) {
    const type = Object.hasOwn(known, name) ? known[name]!.type : "no field of the log";
    const isOfType =
      type === "object" ||
      (type === "strings"
        ? Array.isArray(value) && value.every((each) => typeof each === "string")
        : typeof value === type);
    if (!isOfType) throw new Error(`"${name}" in a line of the log is ${type}: ${JSON.stringify(line)}`);
  }
}
