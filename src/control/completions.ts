// Completions of a command for bash, zsh and fish, made from its definition. `pop3-ctl completion SHELL` prints them, and
// etc/completions has them for packages. Pure.
import type { Command, Option } from "commander";

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

export function completionScript(program: Command, shell: Shell): string {
  const places = placesOf(program, []);
  switch (shell) {
    case "bash":
      return bash(program.name(), places);
    case "zsh":
      return zsh(program.name(), places);
    case "fish":
      return fish(program.name(), places);
    default:
      return shell satisfies never;
  }
}

/** Where the cursor may stand: behind the words of a command. */
interface Place {
  readonly path: readonly string[];
  readonly commands: readonly Command[];
  /** Its own and those of the commands above. */
  readonly options: readonly Option[];
}

function placesOf(command: Command, path: readonly string[], above: readonly Option[] = []): Place[] {
  const commands = command.commands.filter((each) => each.name() !== "help");
  const options = [...command.options, ...above];
  return [
    { path, commands, options },
    ...commands.flatMap((each) => placesOf(each, [...path, each.name()], options)),
  ];
}

const takesValue = (option: Option): boolean => option.required || option.optional;
const flagOf = (option: Option): string => option.long ?? option.short ?? "";
const header = (name: string): string =>
  `# Completions of ${name}, made by "${name} completion". Not to be edited.`;

/** Options that a value follows, of all places. */
function valueFlags(places: readonly Place[]): string[] {
  return [...new Set(places.flatMap(({ options }) => options.filter(takesValue).map(flagOf)))];
}

function functionName(name: string): string {
  return `_${name.replaceAll("-", "_")}`;
}

function bash(name: string, places: readonly Place[]): string {
  const cases = places.map(({ path, commands, options }) => {
    const words = [...commands.map((each) => each.name()), ...options.map(flagOf), "--help"];
    return `    "${path.join(" ")}") words="${words.join(" ")}" ;;`;
  });
  const known = places.slice(1).map(({ path }) => `"${path.join(" ")}"`);
  return `${header(name)}
${functionName(name)}() {
  local current=\${COMP_WORDS[COMP_CWORD]} command= words= word i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    case $word in
      ${valueFlags(places).join(" | ")}) ((i++)); continue ;;
      -*) continue ;;
    esac
    case "\${command:+$command }$word" in
      ${known.join(" | ")}) command="\${command:+$command }$word" ;;
    esac
  done
  if [[ \${COMP_WORDS[COMP_CWORD-1]} == --config ]]; then
    COMPREPLY=($(compgen -f -- "$current"))
    return
  fi
  case $command in
${cases.join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F ${functionName(name)} ${name}
`;
}

function zsh(name: string, places: readonly Place[]): string {
  // A colon divides a word from its description.
  const described = (word: string, text: string): string =>
    `'${word}:${text.replaceAll("'", "'\\''").replaceAll(":", "\\:")}'`;
  const cases = places.map(({ path, commands, options }) => {
    const words = [
      ...commands.map((each) => described(each.name(), each.description())),
      ...options.map((option) => described(flagOf(option), option.description)),
      described("--help", "display help"),
    ];
    return `  '${path.join(" ")}')\n    candidates=(\n      ${words.join("\n      ")}\n    ) ;;`;
  });
  const known = places.slice(1).map(({ path }) => `'${path.join(" ")}'`);
  return `#compdef ${name}
${header(name)}
local -a candidates
local command= word skips=
for word in \${words[2,CURRENT-1]}; do
  if [[ -n $skips ]]; then skips=; continue; fi
  case $word in
    ${valueFlags(places).join(" | ")}) skips=yes; continue ;;
    -*) continue ;;
  esac
  case "\${command:+$command }$word" in
    ${known.join(" | ")}) command="\${command:+$command }$word" ;;
  esac
done
if [[ \${words[CURRENT-1]} == --config ]]; then
  _files
  return
fi
case $command in
${cases.join("\n")}
esac
_describe '${name}' candidates
`;
}

function fish(name: string, places: readonly Place[]): string {
  const quoted = (text: string): string => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
  const lines = places.flatMap(({ path, commands }) => {
    const others = commands.map((each) => each.name()).join(" ");
    const at = path.map((word) => `__fish_seen_subcommand_from ${word}`);
    return commands.map((each) => {
      const here = [...at, `not __fish_seen_subcommand_from ${others}`].join("; and ");
      return `complete -c ${name} -f -n '${here}' -a ${each.name()} -d ${quoted(each.description())}`;
    });
  });
  const optionLines = places.flatMap(({ path, options }, index) => {
    const above = new Set(index === 0 ? [] : places[0]!.options);
    const at = path.map((word) => `__fish_seen_subcommand_from ${word}`).join("; and ");
    return options
      .filter((option) => !above.has(option))
      .map((option) => {
        const condition = at === "" ? "" : ` -n '${at}'`;
        const value = !takesValue(option) ? " -f" : flagOf(option) === "--config" ? " -r -F" : " -x";
        return `complete -c ${name}${condition} -l ${flagOf(option).slice(2)}${value} -d ${quoted(option.description)}`;
      });
  });
  return `${header(name)}\n${[...new Set([...lines, ...optionLines])].join("\n")}\n`;
}
