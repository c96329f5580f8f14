// Dovecot's `pop3_uidl_format`: how it made unique-ids, in the notation of 2.3 and before (`%08Xu%08Xv`) and of 2.4
// (`%{uid | hex(8)}`). Pure. Used by an import of unique-ids.
import { createHash } from "node:crypto";

/** What a format can name. */
export interface UidlFields {
  readonly uid: number;
  readonly uidValidity: number;
  /** A byte string. */
  readonly baseName: string;
  /** The message's own GUID, where it has one; else it is the base name. */
  readonly guid: string | undefined;
}

export type UidlFormat =
  | { readonly kind: "format"; readonly make: (fields: UidlFields) => string }
  /** "%m (…) cannot be made again" */
  | { readonly kind: "unsupported"; readonly reason: string };

export const DEFAULT_UIDL_FORMAT = "%08Xu%08Xv";

type Part = (fields: UidlFields) => string;

export function parseUidlFormat(format: string): UidlFormat {
  const parts: Part[] = [];
  let position = 0;
  for (const match of format.matchAll(VARIABLE)) {
    const literal = format.slice(position, match.index);
    if (literal.includes("%")) break;
    parts.push(() => literal);
    position = match.index + match[0].length;
    const part = match[0] === "%%" ? () => "%" : parseVariable(match);
    if (typeof part === "string") return { kind: "unsupported", reason: `${format}: ${part}` };
    parts.push(part);
  }
  const rest = format.slice(position);
  if (rest.includes("%"))
    return { kind: "unsupported", reason: `${format}: "${rest}" is no variable of Dovecot's` };
  if (position === 0) return { kind: "unsupported", reason: `${format}: it names no variable` };
  parts.push(() => rest);
  return { kind: "format", make: (fields) => parts.map((part) => part(fields)).join("") };
}

/** `%%`, or `%`, width, modifiers, and a letter or `{name | filter …}`. */
const VARIABLE =
  /%%|%(0?)([0-9]{0,3})([A-Z]*)(?:([a-z])|\{ *([a-z_]+) *((?:\| *[a-z0-9]+ *(?:\([0-9]*\))? *)*)\})/g;

function parseVariable([, zero, width, modifiers, letter, name, filters]: RegExpMatchArray): Part | string {
  const variable = VARIABLES.get(letter ?? name ?? "");
  if (variable === undefined) return `%${letter ?? name} is unknown`;
  if (typeof variable === "string") return variable;
  const steps: ((value: string) => string)[] = [];
  for (const modifier of modifiers ?? "") {
    const step = MODIFIERS.get(modifier);
    if (step === undefined) return `the modifier ${modifier} is unknown`;
    steps.push(step);
  }
  const digits = Number(width);
  if (digits > 0)
    steps.push((value) => (zero === "0" ? value.padStart(digits, "0") : value.slice(0, digits)));
  for (const [, filter, argument] of (filters ?? "").matchAll(/\| *([a-z0-9]+) *(?:\(([0-9]*)\))?/g)) {
    const step = FILTERS.get(filter!);
    if (step === undefined) return `the filter ${filter} is unknown`;
    steps.push((value) => step(value, Number(argument ?? 0)));
  }
  return (fields) => steps.reduce((value, step) => step(value), variable(fields));
}

const NO_HEADER_DIGEST = "%m, a digest of the headers, cannot be made again";
const uid: Part = (fields) => `${fields.uid}`;
const uidValidity: Part = (fields) => `${fields.uidValidity}`;
const fileName: Part = (fields) => fields.baseName;
const guid: Part = (fields) => fields.guid ?? fields.baseName;

const VARIABLES: ReadonlyMap<string, Part | string> = new Map<string, Part | string>([
  ["u", uid],
  ["uid", uid],
  ["v", uidValidity],
  ["uidvalidity", uidValidity],
  ["f", fileName],
  ["filename", fileName],
  ["g", guid],
  ["guid", guid],
  ["m", NO_HEADER_DIGEST],
  ["md5", NO_HEADER_DIGEST],
]);

// Dovecot's %X prints with %llx: lower case.
const hex = (value: string): string => Number(value).toString(16);
const md5 = (value: string): string => createHash("md5").update(value, "latin1").digest("hex");

const MODIFIERS: ReadonlyMap<string, (value: string) => string> = new Map([
  ["X", hex],
  ["M", md5],
  ["L", (value: string) => value.toLowerCase()],
  ["U", (value: string) => value.toUpperCase()],
]);

const FILTERS: ReadonlyMap<string, (value: string, argument: number) => string> = new Map([
  ["hex", (value: string, width: number) => hex(value).padStart(width, "0")],
  ["md5", md5],
  // What stands before it is a digest, which is in hexadecimal digits already.
  ["hexlify", (value: string) => value],
  ["lower", (value: string) => value.toLowerCase()],
  ["upper", (value: string) => value.toUpperCase()],
]);
