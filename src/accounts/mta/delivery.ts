// What an MTA asks about the accounts: which address is whose, where its Maildir is, and whose uid and gid the mail has.
// Answers the socketmap and fills the Postfix maps; used by the auth process and by pop3-passwd.
import type { HostUser } from "../../host/user-database.ts";
import type { Account } from "../account.ts";
import { inTurns } from "../in-turns.ts";
import { maildirPath } from "../maildir-path.ts";
import { preparedName } from "../passwords/saslprep.ts";

export interface DeliverySettings {
  /** `mail.maildir` of the config. */
  readonly maildir: string;
  /** Whose all mail is, where it has one owner; else each account's own uid and gid hold. */
  readonly owner: MailOwner | undefined;
  /** Domains whose mailboxes are the accounts without a domain in their names. In lower case. */
  readonly localDomains: readonly string[];
  /** `accounts.source`: whether the host's user of the account's name fills in what its line leaves empty. */
  readonly source: "passwd-file" | "system";
  /** The host's users and groups, for the names that stand in fields uid and gid; numbers never come here. */
  findUser(name: string): HostUser | undefined;
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
  const host = hostUserOf(account, settings);
  const maildir = maildirPath(settings.maildir, { ...account, home: account.home ?? host?.home });
  if (maildir.kind === "unusable") return maildir;
  if (settings.owner !== undefined) return { kind: "delivery", maildir: maildir.path, ...settings.owner };
  // A user stands for its primary group, too.
  const asksHost = isName(account.uid) || account.gid === undefined;
  const named = account.uid !== undefined && asksHost ? settings.findUser(account.uid) : undefined;
  const uid = account.uid === undefined ? notRoot(host?.uid) : numberOf(account.uid, () => named?.uid);
  if (uid === undefined) return { kind: "unusable", reason: idFault("uid", account.uid, settings) };
  const primaryGid = named?.gid ?? (host?.uid === uid ? host?.gid : undefined);
  const gid = account.gid === undefined ? notRoot(primaryGid) : numberOf(account.gid, settings.findGid);
  if (gid === undefined) return { kind: "unusable", reason: idFault("gid", account.gid, settings) };
  return { kind: "delivery", maildir: maildir.path, uid, gid };
}

/** The addresses that the account is reached by, in lower case, as MTAs look them up. */
export function addressesOf(
  { user }: Pick<Account, "user">,
  localDomains: readonly string[],
): readonly string[] {
  const name = foldedAddress(user);
  return name.includes("@") ? [name] : localDomains.map((domain) => `${name}@${domain}`);
}

/** The form by which addresses are compared: Postfix folds "ß" to "ss", as Unicode does. */
export function foldedAddress(address: string): string {
  return preparedName(address).toUpperCase().toLowerCase();
}

/** Accounts by address; where two names differ only in case, the first line of the file has the address. */
export async function accountsByAddress(
  accounts: Iterable<Account>,
  localDomains: readonly string[],
): Promise<ReadonlyMap<string, Account>> {
  const byAddress = new Map<string, Account>();
  await inTurns(accounts, (account) => {
    // A name without a domain is also looked up as it stands.
    for (const address of new Set([foldedAddress(account.user), ...addressesOf(account, localDomains)])) {
      if (!byAddress.has(address)) byAddress.set(address, account);
    }
  });
  return byAddress;
}

/** Only for what the line leaves empty, so that a whole line asks the host nothing. */
function hostUserOf(account: Account, { source, findUser }: DeliverySettings): HostUser | undefined {
  const { user, uid, gid, home } = account;
  if (source === "passwd-file" || (uid !== undefined && gid !== undefined && home !== undefined))
    return undefined;
  // getent(1) would take it for a uid.
  return isName(user) ? findUser(user) : undefined;
}

function isName(field: string | undefined): field is string {
  return field !== undefined && !/^[0-9]+$/.test(field);
}

function numberOf(field: string, find: (name: string) => number | undefined): number | undefined {
  return notRoot(isName(field) ? find(field) : Number(field));
}

// Mail is never delivered as root.
function notRoot(id: number | undefined): number | undefined {
  return id === 0 ? undefined : id;
}

function idFault(
  name: "uid" | "gid",
  field: string | undefined,
  { source }: Pick<DeliverySettings, "source">,
): string {
  if (field !== undefined) return `its ${name} ${field} cannot be used on this host`;
  return source === "system"
    ? `mail.user is not set, the account has no ${name}, and the host has no user of its name with one`
    : `mail.user is not set, and the account has no ${name}`;
}
