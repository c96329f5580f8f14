// Where an account's mail is, and whose: from the passwd file and the config, as the server itself finds it.
import type { Account } from "../../accounts/account.ts";
import { describeErrorCode } from "../../accounts/file/file-error.ts";
import { PasswdFile } from "../../accounts/file/passwd-file.ts";
import { deliveryOf } from "../../accounts/mta/delivery.ts";
import { commonOwner } from "../../config/common-owner.ts";
import { ownUids } from "../../config/own-uids.ts";
import { ownerFault, rootFault } from "../../config/owner-fault.ts";
import type { Config } from "../../config/schema.ts";
import { findGroup, findUser, type HostUser, remembered } from "../../host/user-database.ts";
import { Refusal } from "../terminal/refusal.ts";
import type { MailboxRequest } from "./mailbox-protocol.ts";

export interface AccountMail {
  readonly account: Account;
  readonly maildir: string;
  /** Undefined: this process's own uid. */
  readonly owner: Pick<HostUser, "uid" | "gid"> | undefined;
}

/** @throws Refusal when the file cannot be read */
export async function readAccounts(config: Config): Promise<ReadonlyMap<string, Account>> {
  const { passwd_file } = config.auth;
  let problem: string | undefined;
  const file = new PasswdFile({
    path: passwd_file,
    onEvent: (event) => {
      if (event.kind === "unreadable") problem = event.code;
    },
  });
  await file.refresh();
  if (!file.isLoaded) throw new Refusal(cannotRead(passwd_file, problem));
  return file.accounts;
}

function cannotRead(path: string, code: string | undefined): string {
  const hint = code === "EACCES" ? " (run it as root or as whoever started pop3-server)" : "";
  return `cannot read ${path}: ${code === undefined ? "unknown fault" : describeErrorCode(code)}${hint}`;
}

/** @throws Refusal naming what is missing */
export async function findMail(config: Config, user: string): Promise<AccountMail> {
  const account = (await readAccounts(config)).get(user);
  if (account === undefined) throw new Refusal(`no account "${user}" in ${config.auth.passwd_file}`);
  const located = locateMail(config, account);
  if (typeof located === "string") throw new Refusal(located);
  return located;
}

/** A text says why not. */
export function locateMail(config: Config, account: Account): AccountMail | string {
  // As the server itself: without root, and for trying it out, everything has the starter's uid.
  const isRoot = process.geteuid?.() === 0 && config.server.run_as === "users";
  const common = isRoot ? commonOwner(config.mail) : STARTER;
  if (common.kind === "unknown") return `${common.key}: ${common.message}`;
  const delivery = deliveryOf(account, {
    maildir: config.mail.maildir,
    owner: common.kind === "owner" ? common.owner : undefined,
    localDomains: [],
    source: config.accounts.source,
    findUser: hostUser,
    findGid: hostGroup,
  });
  if (delivery.kind === "unusable") return `${account.user}: ${delivery.reason}`;
  const { maildir, uid, gid } = delivery;
  if (!isRoot) return { account, maildir, owner: undefined };
  const fault =
    common.kind === "each-account"
      ? ownerFault({ uid, gid }, config.mail, ownUids(config.server, hostUser))
      : rootFault({ uid, gid });
  if (fault !== undefined) return `${account.user}: ${fault}`;
  return { account, maildir, owner: { uid, gid } };
}

const STARTER = {
  kind: "owner",
  owner: { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 },
} as const;

const hostUser = remembered(findUser);
const hostGroup = remembered(findGroup);

/** For the process that works on the Maildir: as the server itself does it. */
export function storageOf({
  mail,
}: Config): Pick<MailboxRequest & { kind: "warm" }, "lock" | "sharedStorage"> {
  return { lock: mail.lock, sharedStorage: mail.shared_storage };
}
