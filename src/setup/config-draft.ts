// A config.toml in the making, from another server's configuration: what was taken over, what has no counterpart, what is
// left to do. Pure.
import type { Place } from "../control/dovecot/dovecot-settings.ts";

export interface Note {
  /** Where the other server has it; undefined where it is about all of its configuration. */
  readonly place: Place | undefined;
  readonly setting: string;
  readonly text: string;
}

type Value = string | number | boolean | readonly string[] | { readonly [key: string]: string };

export class ConfigDraft {
  readonly #tables = new Map<string, Map<string, Value>>();
  readonly #notes: Note[] = [];
  readonly #steps: string[] = [];

  set(table: (typeof TABLES)[number], key: string, value: Value): void {
    if (!this.#tables.has(table)) this.#tables.set(table, new Map());
    this.#tables.get(table)!.set(key, value);
  }

  has(table: (typeof TABLES)[number], key: string): boolean {
    return this.#tables.get(table)?.has(key) === true;
  }

  note(setting: string, place: Place | undefined, text: string): void {
    this.#notes.push({ setting, place, text });
  }

  step(text: string): void {
    if (!this.#steps.includes(text)) this.#steps.push(text);
  }

  /** By file and line. */
  get notes(): readonly Note[] {
    const at = ({ place }: Note): string =>
      `${place?.file ?? ""}:${String(place?.line ?? 0).padStart(6, "0")}`;
    return this.#notes.toSorted((a, b) => (at(a) < at(b) ? -1 : at(a) > at(b) ? 1 : 0));
  }

  get steps(): readonly string[] {
    return this.#steps;
  }

  toString(): string {
    return TABLES.flatMap((table) => {
      const entries = [...(this.#tables.get(table) ?? [])];
      if (entries.length === 0) return [];
      return [`[${table}]\n${entries.map(([key, value]) => `${key} = ${written(value)}\n`).join("")}`];
    }).join("\n");
  }
}

const TABLES = ["server", "tls", "auth", "accounts", "mail", "mta", "limits"] as const;

function written(value: Value): string {
  if (typeof value !== "object") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((item) => JSON.stringify(item)).join(", ")}]`;
  const pairs = Object.entries(value).map(([key, item]) => `${key} = ${JSON.stringify(item)}`);
  return `{ ${pairs.join(", ")} }`;
}
