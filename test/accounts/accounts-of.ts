// Lines of a passwd file as accounts, for tests of what is made of accounts.
import { type Account, parseAccountLine } from "../../src/accounts/account.ts";

/** @throws Error when a line is no account */
export function accountsOf(...lines: readonly string[]): Account[] {
  return lines.map((line, index) => {
    const parsed = parseAccountLine(line, index + 1);
    if (parsed.kind !== "account") throw new Error(`${line}: ${parsed.kind}`);
    return parsed.account;
  });
}
