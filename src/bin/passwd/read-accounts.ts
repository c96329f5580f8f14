// The accounts of the file as the server finds them, with what it would complain of.
import type { Account } from "../../accounts/account.ts";
import { isOfDomain } from "../../accounts/file/account-edits.ts";
import { describeErrorCode } from "../../accounts/file/file-error.ts";
import { PasswdFile, type PasswdFileEvent } from "../../accounts/file/passwd-file.ts";
import { cannotRead, type GlobalOptions, passwdFileOf, Refusal } from "./context.ts";

export type LineFault = PasswdFileEvent & { readonly kind: "invalid-line" | "duplicate" };

export interface ReadAccounts {
  readonly accounts: readonly Account[];
  readonly faults: readonly LineFault[];
}

export async function readAccounts(options: GlobalOptions, domain?: string): Promise<ReadAccounts> {
  const faults: LineFault[] = [];
  const onEvent = (event: PasswdFileEvent): void => {
    switch (event.kind) {
      case "reloaded":
        return;
      case "invalid-line":
      case "duplicate":
        faults.push(event);
        return;
      case "unreadable":
      case "unwatched":
        throw new Refusal(cannotRead(event.path, describeErrorCode(event.code), event.code));
      default:
        event satisfies never;
    }
  };
  const file = new PasswdFile({ path: passwdFileOf(options), onEvent });
  await file.refresh();
  const accounts = [...file.accounts.values()];
  if (domain === undefined) return { accounts, faults };
  return { accounts: accounts.filter(({ user }) => isOfDomain(user, domain)), faults };
}

export function describeLineFault(fault: LineFault): string {
  return fault.kind === "invalid-line"
    ? `line ${fault.lineNumber} is skipped: ${fault.reason}`
    : `line ${fault.lineNumber} is skipped: ${fault.user} stands in line ${fault.firstLineNumber} already`;
}
