// What becomes of messages, as the config and the passwd file's extra fields write it. Pure.
import type { SurrogateKind } from "../mime/surrogate.ts";
import { WORKAROUNDS, type Workaround } from "../mime/workarounds.ts";
import { parseDuration } from "./duration.ts";

const DAY_MS = 86_400_000;

/** Whole days, because that is what EXPIRE can tell (RFC 2449 §6.7); null: never. Undefined when the text is neither. */
export function parseExpireDays(text: string): number | null | undefined {
  if (text === "never") return null;
  const days = (parseDuration(text) ?? 0) / DAY_MS;
  return Number.isInteger(days) && days >= 1 ? days : undefined;
}

/** Milliseconds; "off" is 0. Undefined when the text is neither that nor a duration. */
export function parseKeepDeleted(text: string): number | undefined {
  return text === "off" ? 0 : parseDuration(text);
}

/** `mail.utf8_headers`: what a client that has not said UTF8 gets of a message with headers in UTF-8. */
export const UTF8_HEADERS = ["downgrade", "wrap", "refuse", "as-stored"] as const;
export type Utf8Headers = (typeof UTF8_HEADERS)[number];

/** What is counted for such clients, also where they get none: the setting may change. */
export function surrogateKindOf(utf8Headers: Utf8Headers): SurrogateKind {
  return utf8Headers === "wrap" ? "wrapped" : "downgraded";
}

/** Names with commas between them; "none" is none. Undefined when one of them is none that there is. */
export function parseWorkarounds(text: string): readonly Workaround[] | undefined {
  if (text === "none") return [];
  const names = text.split(",");
  const known = WORKAROUNDS.filter((workaround) => names.includes(workaround));
  return names.every((name) => known.some((workaround) => workaround === name)) ? known : undefined;
}

/** Of names that are none: what was expected, and what those that people know from elsewhere mean here. */
export function workaroundsForm(text: string): string {
  const known = text.split(",").flatMap((name) => WORKAROUNDS_ELSEWHERE.get(name) ?? []);
  return [`expected some of ${WORKAROUNDS.join(", ")}, or "none"`, ...known].join("; ");
}

/** Dovecot's `pop3_client_workarounds`, and the one that nobody needs. */
const WORKAROUNDS_ELSEWHERE: ReadonlyMap<string, string> = new Map([
  ["outlook-no-nuls", '"outlook-no-nuls" is "nul" here'],
  ["oe-ns-eoh", '"oe-ns-eoh" is "missing-end-of-headers" here'],
  ["bare-lf", "a bare LF is sent as CRLF to every client"],
]);

export const EXPIRE_FORM = 'expected whole days such as "30d", or "never"';
export const KEEP_DELETED_FORM = 'expected a duration such as "7d", or "off"';
