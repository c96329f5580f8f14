// etc/config.toml, which administrators copy: every key with its default and what it is for. Pure.
import { type ConfigKey, type ConfigSection, configSections } from "./config-keys.ts";
import { limitsTable } from "./limits-table.ts";
import { wrap } from "./wrap.ts";

const WIDTH = 120;

const HEAD = `# dewey-pop3: configuration, /etc/dewey-pop3/config.toml
#
# Every key stands here with its default; what you leave out keeps it. Durations: "90s", "10m", "36h", "7d".
# Check it:  pop3-server --check     Take changes:  systemctl reload dewey-pop3     Read more:  man dewey-pop3.toml
`;

export function configFile(): string {
  const sections = configSections();
  return [HEAD, ...sections.map((section) => sectionText(section, sections))].join("\n");
}

function sectionText(section: ConfigSection, sections: readonly ConfigSection[]): string {
  const isLimits = section.name === "limits";
  const header = [
    ...comment(section.description),
    ...(isLimits ? ["#", ...limitLines(sections)] : []),
    `${section.isOptional ? "# " : ""}[${section.name}]`,
  ];
  // The table of limits has the reasons already.
  const keys = section.keys.map((key) => keyLines(key, section.isOptional, !isLimits));
  return `${[header, ...keys].map((lines) => lines.join("\n")).join("\n\n")}\n`;
}

function keyLines(key: ConfigKey, isCommented: boolean, withReason: boolean): string[] {
  const { name, description, reason, defaultText, example } = key;
  const value = `${name} = ${example ?? key.default}`;
  return [
    ...comment(description),
    ...key.keys.flatMap((part) => comment(`${part.name}: ${part.description}`, "  ")),
    ...(withReason ? comment(`Why: ${reason}`) : []),
    ...(defaultText === undefined ? [] : comment(`Default: ${defaultText}.`)),
    isCommented || example !== undefined ? `# ${value}` : value,
  ];
}

function comment(text: string, indent = ""): string[] {
  return wrap(text, WIDTH - 2 - indent.length).map((line) => `# ${indent}${line}`);
}

function limitLines(sections: readonly ConfigSection[]): string[] {
  const rows = [{ name: "limit", default: "default", reason: "why" }, ...limitsTable(sections)];
  const nameWidth = Math.max(...rows.map((row) => row.name.length));
  const valueWidth = Math.max(...rows.map((row) => row.default.length));
  const reasonColumn = nameWidth + valueWidth + 7;
  return rows.flatMap((row) => {
    const [first = "", ...more] = wrap(row.reason, WIDTH - reasonColumn);
    return [
      `#  ${row.name.padEnd(nameWidth)}  ${row.default.padEnd(valueWidth)}  ${first}`,
      ...more.map((line) => `#${line.padStart(reasonColumn - 1 + line.length)}`),
    ];
  });
}
