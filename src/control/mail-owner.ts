// Where an account's mail is, and whose: from the passwd file and the config, as the server itself finds it.
import type { Account } from "../accounts/account.ts";
import { deliveryOf } from "../accounts/delivery.ts";
import { PasswdFile } from "../accounts/passwd-file.ts";
import type { Config } from "../config/schema.ts";
import { findGroup, findUser, type HostUser } from "../host/user-database.ts";
import type { MailboxRequest } from "./mailbox-protocol.ts";
import { Refusal } from "./refusal.ts";

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
  return `cannot read ${path}: ${code ?? "unknown fault"}${hint}`;
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
  const common = isRoot ? commonOwner(config) : STARTER;
  if (typeof common === "string") return common;
  const delivery = deliveryOf(account, {
    maildir: config.mail.maildir,
    owner: common,
    localDomains: [],
    source: config.accounts.source,
    findUser,
    findGid: findGroup,
  });
  if (delivery.kind === "unusable") return `${account.user}: ${delivery.reason}`;
  const { maildir, uid, gid } = delivery;
  if (!isRoot) return { account, maildir, owner: undefined };
  if (uid === 0 || gid === 0) return `${account.user}: mail must not be root's, nor of root's group`;
  return { account, maildir, owner: { uid, gid } };
}

const STARTER = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };

/** Undefined where each account has an owner of its own. */
function commonOwner({ mail }: Config): Pick<HostUser, "uid" | "gid"> | undefined | string {
  if (mail.user === undefined) return undefined;
  const user = findUser(mail.user);
  if (user === undefined) return `mail.user: no user "${mail.user}" on this host`;
  const gid = mail.group === undefined ? user.gid : findGroup(mail.group);
  return gid === undefined ? `mail.group: no group "${mail.group}" on this host` : { uid: user.uid, gid };
}

/** For the process that works on the Maildir: as the server itself does it. */
export function storageOf({
  mail,
}: Config): Pick<MailboxRequest & { kind: "warm" }, "lock" | "sharedStorage"> {
  return { lock: mail.lock, sharedStorage: mail.shared_storage };
}
