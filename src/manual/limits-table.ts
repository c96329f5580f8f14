// The limits with their defaults and reasons: one table, for etc/config.toml and the reference. Pure.
import { FIXED_LIMITS } from "../config/schema/limits.ts";
import type { ConfigSection } from "./config-keys.ts";

export interface Limit {
  readonly name: string;
  /** Whether it is a key of config.toml. */
  readonly isKey: boolean;
  readonly default: string;
  readonly reason: string;
}

export function limitsTable(sections: readonly ConfigSection[]): Limit[] {
  const { keys = [] } = sections.find(({ name }) => name === "limits") ?? {};
  return [
    ...keys.map(({ name, default: value = "", unit, reason }) => ({
      name,
      isKey: true,
      default: [value.replaceAll('"', ""), unit].join(" ").trim(),
      reason,
    })),
    ...FIXED_LIMITS.map(({ name, limit, reason }) => ({ name, isKey: false, default: limit, reason })),
  ];
}
