// pop3-passwd list: the accounts, without their hashes.
import type { Command } from "commander";
import { accountSummary } from "../../accounts/account-summary.ts";
import { type GlobalOptions, optionsOf, table, withExamples } from "./context.ts";
import { describeLineFault, readAccounts } from "./read-accounts.ts";

type ListOptions = GlobalOptions & { readonly json?: true; readonly domain?: string };

export function addListCommand(program: Command): void {
  const command = program
    .command("list")
    .description("list the accounts, without their hashes")
    .option("--domain <domain>", "only the accounts of this domain")
    .option("--json", "as a JSON array")
    .action((_: unknown, command: Command) => list(optionsOf(command)));
  withExamples(command, "list", "list --domain example.org", "list --json | jq -r '.[].user'");
}

async function list(options: ListOptions): Promise<void> {
  const { accounts, faults } = await readAccounts(options, options.domain);
  const entries = accounts.map(accountSummary);
  if (options.json) console.log(JSON.stringify(entries, undefined, 2));
  else if (entries.length === 0)
    console.log(options.domain === undefined ? "no accounts" : `no accounts of ${options.domain}`);
  else {
    const rows = entries.map(({ user, state, scheme, uid, gid, home }) => [
      user,
      state,
      scheme,
      uid,
      gid,
      home,
    ]);
    console.log(table([["USER", "STATE", "SCHEME", "UID", "GID", "HOME"], ...rows]));
  }
  for (const fault of faults) console.error(`pop3-passwd: ${describeLineFault(fault)}`);
}
