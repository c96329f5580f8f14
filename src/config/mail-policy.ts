// What becomes of messages, as the config and the passwd file's extra fields write it. Pure.
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

export const EXPIRE_FORM = 'expected whole days such as "30d", or "never"';
export const KEEP_DELETED_FORM = 'expected a duration such as "7d", or "off"';
