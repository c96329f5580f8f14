// Reads config.toml. Every fault is named with file, line, key and what was expected; nothing is guessed.
import { readFileSync } from "node:fs";
import { parse, TomlError } from "smol-toml";
import type { z } from "zod";
import { isLoopback } from "../net/address.ts";
import { keyLines } from "./key-lines.ts";
import { nearest } from "./nearest.ts";
import { type Config, configSchema } from "./schema.ts";
import { tomlFault } from "./toml-fault.ts";

export interface Fault {
  readonly file: string;
  /** From 1; undefined where no line is to blame, as for a missing key. */
  readonly line: number | undefined;
  /** Dotted, such as "server.listen"; undefined for a fault of syntax. */
  readonly key: string | undefined;
  readonly message: string;
}

export type LoadResult =
  | {
      readonly kind: "config";
      readonly config: Config;
      /** Where a key stands, for faults that are found later. */
      readonly lineOf: (key: string) => number | undefined;
    }
  | { readonly kind: "faulty"; readonly faults: readonly Fault[] };

export const DEFAULT_CONFIG_FILE = "/etc/dewey-pop3/config.toml";

export function loadConfig(file: string): LoadResult {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const mend = code === "EACCES" ? "run this as root" : "pop3-ctl setup writes one, --config names another";
    return faulty({ file, line: undefined, key: undefined, message: `cannot read it (${code}): ${mend}` });
  }
  return parseConfig(text, file);
}

/** @param file only for naming faults */
export function parseConfig(text: string, file: string): LoadResult {
  let document: unknown;
  try {
    document = parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    return faulty({ file, line: error.line, key: undefined, message: tomlFault(error.message) });
  }
  const result = configSchema.safeParse(document);
  const lines = keyLines(text);
  if (!result.success) {
    const faults = result.error.issues.flatMap((issue) => faultsOf(issue));
    return {
      kind: "faulty",
      faults: faults
        .map(({ key, message }) => ({ file, line: lineOf(key, lines), key, message }))
        .sort((a, b) => (a.line ?? 0) - (b.line ?? 0)),
    };
  }
  const faults = contradictions(result.data).map(({ key, message }) => ({
    file,
    line: lineOf(key, lines),
    key,
    message,
  }));
  return faults.length > 0
    ? { kind: "faulty", faults }
    : { kind: "config", config: result.data, lineOf: (key) => lineOf(key, lines) };
}

/** Where the key stands; one within an inline table stands on the table's line. */
function lineOf(key: string, lines: ReadonlyMap<string, number>): number | undefined {
  for (let name = key; name !== ""; name = name.slice(0, Math.max(0, name.lastIndexOf(".")))) {
    const line = lines.get(name);
    if (line !== undefined) return line;
  }
  return undefined;
}

/** "config.toml:12: server.listn: unknown key, did you mean server.listen?" */
export function formatFault({ file, line, key, message }: Fault): string {
  return [`${file}${line === undefined ? "" : `:${line}`}`, key, message]
    .filter((part) => part !== undefined)
    .join(": ");
}

/** What is well-formed key by key and still can't work. */
function contradictions(config: Config): { key: string; message: string }[] {
  const found: { key: string; message: string }[] = [];
  const { listen, listen_tls, listen_proxy, listen_tls_proxy, proxy_networks, run_as } = config.server;
  const addresses = [...listen, ...listen_tls, ...listen_proxy, ...listen_tls_proxy];
  // A host that has nginx alone on it is asked who may log in, and serves nobody itself.
  if (addresses.length === 0 && config.cluster.auth_http === undefined)
    found.push({ key: "server.listen", message: "no address to listen on" });
  if (run_as === "starter" && !addresses.every(({ host }) => isLoopback(host))) {
    found.push({ key: "server.run_as", message: '"starter" is for loopback addresses only' });
  }
  for (const key of ["listen_tls", "listen_tls_proxy"] as const) {
    if (config.server[key].length === 0 || config.tls !== undefined) continue;
    found.push({ key: `server.${key}`, message: "POP3S needs tls.certificate and tls.private_key" });
  }
  for (const key of ["listen_proxy", "listen_tls_proxy"] as const) {
    if (config.server[key].length === 0 || proxy_networks.length > 0) continue;
    found.push({ key: `server.${key}`, message: "name the proxies' addresses in server.proxy_networks" });
  }
  if (config.tls !== undefined && config.tls.certificate.length !== config.tls.private_key.length) {
    found.push({
      key: "tls.private_key",
      message: `expected one for each certificate, in the same order: ${config.tls.certificate.length}`,
    });
  }
  return found;
}

function faultsOf(issue: z.core.$ZodIssue): { key: string; message: string }[] {
  const path = issue.path.filter((part) => typeof part === "string");
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((unknown) => {
      const section = path.length === 0 ? sectionOf(unknown) : undefined;
      if (section !== undefined)
        return { key: unknown, message: `unknown key, it belongs below [${section}]` };
      const known = knownKeys(path);
      const suggestion = nearest(unknown, known);
      const key = [...path, unknown].join(".");
      const hint =
        suggestion === undefined
          ? `known are: ${known.join(", ")}`
          : `did you mean ${[...path, suggestion].join(".")}?`;
      return { key, message: `unknown key, ${hint}` };
    });
  }
  return [{ key: path.join("."), message: messageOf(issue) }];
}

function messageOf(issue: z.core.$ZodIssue): string {
  // A schema of several forms tells of a key that stands nowhere without a word.
  if (
    issue.code === "invalid_union" &&
    issue.errors.flat().every(({ message }) => /received undefined$/.test(message))
  )
    return "it is missing";
  const message = issue.message
    .replace(/^Invalid (?:input|option): /, "")
    .replace(/^Too (?:small|big): expected number to be /, "expected a number ");
  // Zod's names of types are JavaScript's; what one writes is TOML.
  const [, expected = "", received = ""] = /^expected (\w+), received (\w+)$/.exec(message) ?? [];
  const [asked, given] = [TOML_TYPES.get(expected), TOML_TYPES.get(received)];
  return asked === undefined || given === undefined ? message : `expected ${asked}, not ${given}`;
}

const TOML_TYPES: ReadonlyMap<string, string> = new Map([
  ["string", 'a text in quotes, "…"'],
  ["number", "a number without quotes"],
  ["int", "a whole number without quotes"],
  ["boolean", "true or false"],
  ["array", "a list, […]"],
  ["object", "a table, {…}"],
]);

/** The section of a key that was written above all of them. */
function sectionOf(key: string): string | undefined {
  return knownKeys([]).find((section) => knownKeys([section]).includes(key));
}

function knownKeys(path: readonly string[]): string[] {
  let schema: unknown = configSchema;
  for (const part of path) schema = shapeOf(schema)?.[part];
  return Object.keys(shapeOf(schema) ?? {});
}

/** The keys of an object schema, through its wrappers (optional, default) and lists; of several forms, the one with keys. */
function shapeOf(schema: unknown): Record<string, unknown> | undefined {
  const { shape, def } = (schema ?? {}) as {
    shape?: Record<string, unknown>;
    def?: { innerType?: unknown; in?: unknown; element?: unknown; options?: readonly unknown[] };
  };
  if (shape !== undefined || def === undefined) return shape;
  const inner = [def.innerType, def.in, def.element, ...(def.options ?? [])];
  return inner.map(shapeOf).find((found) => found !== undefined);
}

function faulty(fault: Fault): LoadResult {
  return { kind: "faulty", faults: [fault] };
}
