// What may be shown of an account to whoever may list accounts: everything but the hashes. For pop3-passwd list and export. Pure.
import type { Account } from "./account.ts";
import { type PasswordField, readPasswordField, schemeName } from "./passwords/password-field.ts";
import { SCRAM_FIELDS } from "./passwords/scram-verifier.ts";

export interface AccountSummary {
  readonly user: string;
  readonly state: "active" | "locked" | "no-password" | "no-login" | "unusable";
  readonly scheme: string | null;
  readonly uid: string | null;
  readonly gid: string | null;
  readonly home: string | null;
  readonly gecos: string;
  readonly shell: string | null;
  /** A hash among the extra fields is shown as true: it is there. */
  readonly extra: Record<string, string | true>;
  readonly line: number;
}

export function accountSummary(account: Account): AccountSummary {
  const { user, uid = null, gid = null, home = null, gecos, shell = null, lineNumber: line } = account;
  const hash = hashBehindLock(account.password);
  return {
    user,
    state: stateOf(account),
    scheme: hash.kind === "scheme" ? schemeName(hash) : null,
    uid,
    gid,
    home,
    gecos,
    shell,
    extra: Object.fromEntries(
      [...account.extra].map(([key, value]) => [key, HASHES.has(key) ? true : value]),
    ),
    line,
  };
}

/** The hash that holds, or would hold if the account were not locked. */
export function hashBehindLock(password: string): PasswordField {
  const field = readPasswordField(password);
  return field.kind === "locked" ? readPasswordField(field.hidden) : field;
}

const HASHES: ReadonlySet<string> = new Set(Object.values(SCRAM_FIELDS));

function stateOf(account: Account): AccountSummary["state"] {
  const field = readPasswordField(account.password);
  switch (field.kind) {
    case "none":
      return "no-password";
    case "locked":
      return "locked";
    case "unusable":
      return "unusable";
    case "scheme":
      return account.extra.has("nologin") ? "no-login" : "active";
    default:
      return field satisfies never;
  }
}
