// etc/log-fields.md: every field that the log has. Pure.
import { type LogField, lineFields, logFields } from "../log/fields.ts";
import { loginRefusals, sessionEnds, ticketRefusals } from "../log/reasons.ts";
import { textLine } from "../log/text-line.ts";

export function logFieldsText(): string {
  return [
    "# The log's fields",
    "",
    'With `log.format = "json"` each line is an object that has them. With `"text"` what happened (`msg`) comes first and the',
    "fields behind it, as `name=value`, the value as a JSON string where it has spaces, quotes, `=` or `\\`. Names keep their",
    "meaning; new ones may come. Made from `src/log/fields.ts`, to which the compiler holds every line that is logged.",
    "",
    "A session's end as text; under systemd journald notes time and level, and the line begins behind them:",
    "",
    "```",
    textLine(EXAMPLE, true),
    "```",
    "",
    "Every line has",
    "",
    ...table(lineFields),
    "",
    "and those of these that it is about:",
    "",
    ...table(logFields),
    "",
    "`reason` is one of a fixed list, to which the compiler holds it, too, with these three messages; with others it is free text.",
    "",
    ...reasonTable("login refused", loginRefusals),
    "",
    ...reasonTable("session ended", sessionEnds),
    "",
    ...reasonTable("ticket refused", ticketRefusals),
    "",
  ].join("\n");
}

const EXAMPLE = JSON.stringify({
  level: "info",
  time: "2026-11-24T04:15:14.732Z",
  process: "mailbox",
  pid: 11334,
  session: "99060f1081c1fcb4",
  account: "mrose",
  address: "127.0.0.1",
  messages: 5,
  retrieved: 1,
  deleted: 1,
  octets: 758,
  durationMs: 18,
  reason: "quit",
  msg: "session ended",
});

function table(fields: Readonly<Record<string, LogField>>): string[] {
  return [
    "| field | type | says |",
    "| --- | --- | --- |",
    ...Object.entries(fields).map(([name, { type, help }]) => `| \`${name}\` | ${type} | ${help} |`),
  ];
}

function reasonTable(message: string, reasons: Readonly<Record<string, string>>): string[] {
  const rows = Object.entries(reasons).map(([reason, says]) => `| \`${reason}\` | ${says} |`);
  return [`| \`reason\` of \`${message}\` | says |`, "| --- | --- |", ...rows];
}
