// What an MTA asks about the accounts: which address is whose, where its Maildir is, and whose uid and gid the mail has.
// Answers the socketmap and fills the Postfix maps; used by the auth process and by pop3-passwd.
import type { Account } from "./account.ts";
import { inTurns } from "./in-turns.ts";
import { maildirPath } from "./maildir-path.ts";

export interface DeliverySettings {
  /** `mail.maildir` of the config. */
  readonly maildir: string;
  /** Whose all mail is, where it has one owner; else each account's own uid and gid hold. */
  readonly owner: MailOwner | undefined;
  /** Domains whose mailboxes are the accounts without a domain in their names. In lower case. */
  readonly localDomains: readonly string[];
  /** Numbers for the names that stand in fields uid and gid; numbers never come here. */
  findUid(name: string): number | undefined;
  findGid(name: string): number | undefined;
}

export interface MailOwner {
  readonly uid: number;
  readonly gid: number;
}

export type Delivery =
  | { readonly kind: "delivery"; readonly maildir: string; readonly uid: number; readonly gid: number }
  /** For the log: what is missing from the account's line. */
  | { readonly kind: "unusable"; readonly reason: string };

/** Who is locked or may not log in still receives mail: only deleting an account refuses it. */
export function deliveryOf(account: Account, settings: DeliverySettings): Delivery {
  const maildir = maildirPath(settings.maildir, account);
  if (maildir.kind === "unusable") return maildir;
  if (settings.owner !== undefined) return { kind: "delivery", maildir: maildir.path, ...settings.owner };
  const uid = numberOf(account.uid, settings.findUid);
  if (uid === undefined) return { kind: "unusable", reason: idFault("uid", account.uid) };
  const gid = numberOf(account.gid, settings.findGid);
  if (gid === undefined) return { kind: "unusable", reason: idFault("gid", account.gid) };
  return { kind: "delivery", maildir: maildir.path, uid, gid };
}

/** The addresses that the account is reached by, in lower case, as MTAs look them up. */
export function addressesOf(
  { user }: Pick<Account, "user">,
  localDomains: readonly string[],
): readonly string[] {
  const name = user.toLowerCase();
  return name.includes("@") ? [name] : localDomains.map((domain) => `${name}@${domain}`);
}

/** Accounts by address; where two names differ only in case, the first line of the file has the address. */
export async function accountsByAddress(
  accounts: Iterable<Account>,
  localDomains: readonly string[],
): Promise<ReadonlyMap<string, Account>> {
  const byAddress = new Map<string, Account>();
  await inTurns(accounts, (account) => {
    // A name without a domain is also looked up as it stands.
    for (const address of new Set([account.user.toLowerCase(), ...addressesOf(account, localDomains)])) {
      if (!byAddress.has(address)) byAddress.set(address, account);
    }
  });
  return byAddress;
}

function numberOf(field: string | undefined, find: (name: string) => number | undefined): number | undefined {
  if (field === undefined) return undefined;
  const id = /^[0-9]{1,10}$/.test(field) ? Number.parseInt(field, 10) : find(field);
  // Mail is never delivered as root.
  return id === 0 ? undefined : id;
}

function idFault(name: "uid" | "gid", field: string | undefined): string {
  return field === undefined
    ? `mail.user is not set, and the account has no ${name}`
    : `its ${name} ${field} cannot be used on this host`;
}
