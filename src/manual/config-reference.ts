// etc/config.md: the reference of config.toml, to be read in a browser. Pure.
import { FORMS } from "../config/schema/values.ts";
import { type ConfigKey, configSections } from "./config-keys.ts";
import { limitsTable } from "./limits-table.ts";
import { isCode, wrap } from "./wrap.ts";

const WIDTH = 120;

export function configReference(): string {
  const sections = configSections();
  return [
    "# config.toml, key by key",
    paragraph(
      "`/etc/dewey-pop3/config.toml` is read when the server starts and at `systemctl reload dewey-pop3`. Every key has a default, " +
        "but for the certificates; an unknown key is a fault. `pop3-server --check` names file, line and key of every fault. " +
        "This file is made from the schema that the server reads the config against, by `scripts/write-manual`.",
    ),
    "Values are TOML's; strings have these forms:",
    FORMS.map(([form, meaning]) => `- **${form}**: ${meaning}`).join("\n"),
    ...sections.flatMap(({ name, description, keys }) => [
      `## [${name}]`,
      paragraph(description),
      ...(name === "limits" ? [limits()] : []),
      ...keys.flatMap((key) => keyText(name, key)),
    ]),
  ]
    .join("\n\n")
    .concat("\n");

  function limits(): string {
    const rows = limitsTable(sections).map((limit) =>
      row(limit.isKey ? `\`${limit.name}\`` : limit.name, limit.default, limit.reason),
    );
    return [row("limit", "default", "why"), "| --- | --- | --- |", ...rows].join("\n");
  }
}

function keyText(parent: string, key: ConfigKey): string[] {
  const name = `${parent}.${key.name}`;
  const value = key.default === undefined ? key.defaultText : `\`${key.default}\``;
  const example = key.example === undefined ? "" : `; such as \`${key.example}\``;
  return [
    `### ${name}`,
    `*${key.form}${key.unit === undefined ? "" : `; ${key.unit}`}*. Default: ${value}${example}`,
    paragraph(key.description),
    paragraph(`Why: ${key.reason}`),
    ...key.keys.flatMap((part) => keyText(name, part)),
  ];
}

/** Code is a block of its own. */
function paragraph(text: string): string {
  return wrap(text, WIDTH)
    .map((line) => (isCode(line) ? `\n    ${line.trim()}\n` : line))
    .join("\n")
    .trimEnd();
}

function row(...cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}
