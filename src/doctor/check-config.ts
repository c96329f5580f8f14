// Whether the server would take its config: what `pop3-server --check` looks at, certificates left to their own check.
import { formatFault, loadConfig } from "../config/load.ts";
import type { Config } from "../config/schema.ts";
import { type ProcessUsers, processUsers } from "../processes/master/process-users.ts";
import { type Finding, reporter } from "./finding.ts";

export interface CheckedConfig {
  readonly findings: readonly Finding[];
  /** Undefined where the file is faulty. */
  readonly config?: Config;
  /** Undefined where the config names somebody that the host does not know. */
  readonly users?: ProcessUsers;
}

export function checkConfig(file: string, isRoot: boolean): CheckedConfig {
  const report = reporter("config");
  const loaded = loadConfig(file);
  if (loaded.kind === "faulty")
    return { findings: loaded.faults.map((fault) => report("error", formatFault(fault), `edit ${file}`)) };
  const { config } = loaded;
  const users = processUsers(config, isRoot);
  if (users.kind === "unknown")
    return { config, findings: [report("error", `${file}: ${users.key}: ${users.message}`)] };
  return { config, users: users.users, findings: [report("ok", `${file} is sound`)] };
}
