// Completions of a command for bash, zsh and fish, made from its definition. `pop3-ctl completion SHELL` prints its own, and
// etc/completions has those of all commands for packages. Pure.
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
  `# Completions of ${name}, made from its commands and options. Not to be edited.`;

/** Options that a value follows, of all places. */
function valueFlags(places: readonly Place[]): string[] {
  return [...new Set(places.flatMap(({ options }) => options.filter(takesValue).map(flagOf)))];
}

/** Those of them whose value is a file or a folder. */
function fileFlags(places: readonly Place[]): string[] {
  const takesFile = (option: Option): boolean => /[<[](?:file|folder|path|directory)[>\]]/.test(option.flags);
  return [...new Set(places.flatMap(({ options }) => options.filter(takesFile).map(flagOf)))];
}

/** A pattern of both shells for what is a command; one that matches nothing where there are none. */
function knownCommands(places: readonly Place[]): string {
  const known = places.slice(1).map(({ path }) => `"${path.join(" ")}"`);
  return known.length === 0 ? '""' : known.join(" | ");
}

function functionName(name: string): string {
  return `_${name.replaceAll("-", "_")}`;
}

function bash(name: string, places: readonly Place[]): string {
  const cases = places.map(({ path, commands, options }) => {
    const words = [...commands.map((each) => each.name()), ...options.map(flagOf), "--help"];
    return `    "${path.join(" ")}") words="${words.join(" ")}" ;;`;
  });
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
      ${knownCommands(places)}) command="\${command:+$command }$word" ;;
    esac
  done
  case \${COMP_WORDS[COMP_CWORD-1]} in
    ${fileFlags(places).join(" | ")}) COMPREPLY=($(compgen -f -- "$current")); return ;;
  esac
  case $command in
${cases.join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F ${functionName(name)} ${name}
`;
}

/** A shell takes each line of a description for a candidate. */
function oneLine(text: string): string {
  return text.replaceAll("\n", " ");
}

function zsh(name: string, places: readonly Place[]): string {
  // A colon divides a word from its description.
  const described = (word: string, text: string): string =>
    `'${word}:${oneLine(text).replaceAll("'", "'\\''").replaceAll(":", "\\:")}'`;
  const cases = places.map(({ path, commands, options }) => {
    const words = [
      ...commands.map((each) => described(each.name(), each.description())),
      ...options.map((option) => described(flagOf(option), option.description)),
      described("--help", "display help"),
    ];
    return `  '${path.join(" ")}')\n    candidates=(\n      ${words.join("\n      ")}\n    ) ;;`;
  });
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
    ${knownCommands(places)}) command="\${command:+$command }$word" ;;
  esac
done
case \${words[CURRENT-1]} in
  ${fileFlags(places).join(" | ")}) _files; return ;;
esac
case $command in
${cases.join("\n")}
esac
_describe '${name}' candidates
`;
}

function fish(name: string, places: readonly Place[]): string {
  const quoted = (text: string): string =>
    `'${oneLine(text).replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
  const lines = places.flatMap(({ path, commands }) => {
    const others = commands.map((each) => each.name()).join(" ");
    const at = path.map((word) => `__fish_seen_subcommand_from ${word}`);
    return commands.map((each) => {
      const here = [...at, `not __fish_seen_subcommand_from ${others}`].join("; and ");
      return `complete -c ${name} -f -n '${here}' -a ${each.name()} -d ${quoted(each.description())}`;
    });
  });
  const files = new Set(fileFlags(places));
  const optionLines = places.flatMap(({ path, options }, index) => {
    const above = new Set(index === 0 ? [] : places[0]!.options);
    const at = path.map((word) => `__fish_seen_subcommand_from ${word}`).join("; and ");
    return options
      .filter((option) => !above.has(option))
      .map((option) => {
        const condition = at === "" ? "" : ` -n '${at}'`;
        const value = !takesValue(option) ? " -f" : files.has(flagOf(option)) ? " -r -F" : " -x";
        return `complete -c ${name}${condition} -l ${flagOf(option).slice(2)}${value} -d ${quoted(option.description)}`;
      });
  });
  return `${header(name)}\n${[...new Set([...lines, ...optionLines])].join("\n")}\n`;
}
