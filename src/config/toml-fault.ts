// What the TOML parser says of a fault, with what an administrator most likely did. Pure.

/** @param message as smol-toml has it, with an excerpt behind the first line */
export function tomlFault(message: string): string {
  const [said = ""] = message.replace(/^Invalid TOML document: /, "").split("\n");
  const likely = LIKELY.get(said);
  return `not TOML: ${said}${likely === undefined ? "" : `, ${likely}`}`;
}

const LIKELY: ReadonlyMap<string, string> = new Map([
  ["control characters are not allowed in strings", 'is a " missing at its end?'],
  ["invalid value", 'texts stand in quotes: "…"'],
  ["illegal character in key", 'a section is "[name]", a key "name = value"'],
  ["trying to redefine an already defined table or value", "it stands there twice"],
]);
