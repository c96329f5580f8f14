// Dovecot's configuration as it is written: each setting with its sections and its place, from dovecot.conf with what it
// includes, or from what `doveconf -n` printed. Pure; files come from the caller.

export interface Place {
  readonly file: string;
  readonly line: number;
}

export interface DovecotSetting {
  /** The blocks around it, outermost first: "service pop3-login", "inet_listener pop3s". */
  readonly sections: readonly string[];
  /** Of the innermost block: two that are named alike are two. */
  readonly block: number;
  readonly key: string;
  readonly value: string;
  readonly place: Place;
}

export interface ConfigText {
  readonly file: string;
  readonly text: string;
}

/** @param include the texts of the files that a pattern names, as seen from the file that it stands in */
export function parseDovecotSettings(
  source: ConfigText,
  include: (pattern: string, from: string) => readonly ConfigText[],
): DovecotSetting[] {
  const settings: DovecotSetting[] = [];
  const values = new Map<string, string>();
  let blocks = 0;
  const open: { readonly name: string; readonly block: number }[] = [];
  const read = ({ file, text }: ConfigText, depth: number): void => {
    let continued = "";
    for (const [index, raw] of text.split("\n").entries()) {
      const whole = `${continued}${raw.trim()}`;
      continued = /^[^#].*\\$/.test(whole) ? whole.slice(0, -1) : "";
      if (continued !== "") continue;
      const line = whole;
      const [, pattern] = /^!include(?:_try)?\s+(\S+)$/.exec(line) ?? [];
      if (pattern !== undefined) {
        if (depth < MAX_DEPTH) for (const included of include(pattern, file)) read(included, depth + 1);
        continue;
      }
      const [, section] = /^([^#={]*?)\s*\{(?:\s*#.*)?$/.exec(line) ?? [];
      if (section !== undefined)
        open.push({ name: section.replace(/"/g, "").replace(/\s+/g, " "), block: ++blocks });
      else if (/^\}(?:\s*#.*)?$/.test(line)) open.pop();
      const [, key, written] = /^([a-z0-9_]+)\s*=\s*(.*)$/.exec(line) ?? [];
      if (key === undefined || written === undefined) continue;
      // "$mail_plugins quota": what it was before.
      const value = plainValue(written).replace(/\$([a-z_]+)/g, (_, name) => values.get(name) ?? "");
      values.set(key, value.trim());
      settings.push({
        sections: open.map(({ name }) => name),
        block: open.at(-1)?.block ?? 0,
        key,
        value: value.trim(),
        place: { file, line: index + 1 },
      });
    }
  };
  read(source, 0);
  return settings;
}

/** Files that include each other. */
const MAX_DEPTH = 10;

/** Those that hold for POP3, the last of each key: its own before everybody's. */
export function pop3Settings(settings: readonly DovecotSetting[]): ReadonlyMap<string, DovecotSetting> {
  const holds = new Map<string, DovecotSetting>();
  for (const wanted of [0, 1]) {
    for (const setting of settings) {
      if (setting.sections.length !== wanted) continue;
      if (wanted === 0 || isForPop3(setting.sections[0]!)) holds.set(setting.key, setting);
    }
  }
  return holds;
}

export function isForPop3(section: string): boolean {
  return section === "protocol pop3" || /^protocol !(?!pop3$)/.test(section);
}

/** Without the quotes, or the comment behind it. */
function plainValue(value: string): string {
  const [, quoted] = /^"((?:[^"\\]|\\.)*)"/.exec(value) ?? /^'([^']*)'/.exec(value) ?? [];
  return quoted?.replace(/\\(.)/g, "$1") ?? value.replace(/(?:^|\s+)#.*$/, "");
}
