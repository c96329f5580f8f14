// What config.toml may say, read from its schema: each key with its form, default, unit and reason. Pure, but for
// defaults that the host decides, which have a text instead.
import { z } from "zod";
import { configSchema } from "../config/schema.ts";

export interface ConfigSection {
  readonly name: string;
  readonly description: string;
  /** Without it in the file, what it configures is off. */
  readonly isOptional: boolean;
  readonly keys: readonly ConfigKey[];
}

export interface ConfigKey {
  /** Without its section. */
  readonly name: string;
  readonly description: string;
  /** Why it is there, or why its default is what it is. */
  readonly reason: string;
  /** What may be written, such as "integer, 1 to 64". */
  readonly form: string;
  /** What a number counts; a duration carries its unit. */
  readonly unit: string | undefined;
  /** As TOML; undefined where there is none, or where the host decides. */
  readonly default: string | undefined;
  /** In words, where `default` is undefined. */
  readonly defaultText: string | undefined;
  /** As TOML, for what has no default that could be shown. */
  readonly example: string | undefined;
  /** Of a table. */
  readonly keys: readonly ConfigKey[];
}

export function configSections(schema: z.ZodObject = configSchema): ConfigSection[] {
  return Object.entries(schema.shape).map(([name, section]) => ({
    name,
    description: textOf(section, "description") ?? "",
    isOptional: section instanceof z.ZodOptional,
    keys: keysOf(section),
  }));
}

function keysOf(schema: unknown): ConfigKey[] {
  const table = chain(schema).find((each) => each instanceof z.ZodObject);
  return Object.entries(table?.shape ?? {}).map(([name, key]) => {
    const defaultText = textOf(key, "defaultText");
    return {
      name,
      description: textOf(key, "description") ?? "",
      reason: textOf(key, "reason") ?? "",
      form: formOf(key),
      unit: textOf(key, "unit"),
      default: defaultText === undefined ? defaultOf(key) : undefined,
      defaultText,
      example: textOf(key, "example"),
      keys: keysOf(key),
    };
  });
}

/** A schema and those that it wraps, from the outside in. */
function chain(schema: unknown): z.ZodType[] {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault)
    return [schema, ...chain(schema.def.innerType)];
  if (schema instanceof z.ZodPipe) return [schema, ...chain(schema.def.in)];
  return schema instanceof z.ZodType ? [schema] : [];
}

function textOf(schema: unknown, name: string): string | undefined {
  const text = schema instanceof z.ZodType ? schema.meta()?.[name] : undefined;
  return typeof text === "string" ? text : undefined;
}

function defaultOf(schema: unknown): string | undefined {
  for (const each of chain(schema))
    if (each instanceof z.ZodDefault || each instanceof z.ZodPrefault) return toml(each.def.defaultValue);
  return undefined;
}

/** JSON's strings, numbers and lists are TOML's, too. */
function toml(value: unknown): string {
  return JSON.stringify(value, undefined, 1)
    .replace(/\n */g, " ")
    .replace(/^\[ (.*) \]$/, "[$1]");
}

function formOf(schema: unknown): string {
  for (const each of chain(schema)) {
    const form = textOf(each, "form");
    if (form !== undefined) return form;
    if (each instanceof z.ZodEnum) return alternatives(each.options.map((option) => `"${option}"`));
    if (each instanceof z.ZodBoolean) return "true or false";
    if (each instanceof z.ZodNumber) return `integer${rangeOf(each)}`;
    if (each instanceof z.ZodArray) return listOf(formOf(each.element));
    if (each instanceof z.ZodString) return "string";
  }
  return "";
}

/** "list of addresses". @param form of one element */
function listOf(form: string): string {
  if (/[",]/.test(form)) return `list, each one ${form}`;
  return `list of ${form}${form.endsWith("s") ? "es" : "s"}`;
}

function rangeOf({ minValue, maxValue }: z.ZodNumber): string {
  if (maxValue === null || maxValue >= Number.MAX_SAFE_INTEGER) return `, ${minValue} or more`;
  return `, ${minValue} to ${maxValue}`;
}

function alternatives(words: readonly string[]): string {
  return words.length < 2 ? words.join() : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}
