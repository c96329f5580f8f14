// Where an account's mail is, and whose: from the passwd file and the config, as auth finds it.
import type { Account } from "../accounts/account.ts";
import { maildirPath } from "../accounts/maildir-path.ts";
import { PasswdFile } from "../accounts/passwd-file.ts";
import type { Config } from "../config/schema.ts";
import { findGroup, findUser, type HostUser } from "../host/user-database.ts";
import { Refusal } from "./refusal.ts";

export interface AccountMail {
  readonly account: Account;
  readonly maildir: string;
  /** Undefined: this process's own uid, which is not root's. */
  readonly owner: HostUser | undefined;
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
  if (!file.isLoaded) throw new Refusal(`cannot read ${passwd_file}: ${problem ?? "unknown fault"}`);
  return file.accounts;
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
  const path = maildirPath(config.mail.maildir, account);
  if (path.kind === "unusable") return `${account.user}: ${path.reason}`;
  const owner = ownerOf(config, account);
  if (typeof owner === "string") return `${account.user}: ${owner}`;
  return { account, maildir: path.path, owner };
}

function ownerOf({ mail, server }: Config, account: Account): HostUser | undefined | string {
  // As the server itself: without root, and for trying it out, everything has the starter's uid.
  if (process.getuid?.() !== 0) return undefined;
  if (server.run_as === "starter") return undefined;
  const name = mail.user ?? account.uid;
  if (name === undefined) return "neither mail.user of the config nor the account says whose the mail is";
  const user = findUser(name);
  if (user === undefined) return `no user "${name}" on this host`;
  const group = mail.user === undefined ? account.gid : mail.group;
  const gid = group === undefined ? user.gid : findGroup(group);
  if (gid === undefined) return `no group "${group}" on this host`;
  if (user.uid === 0 || gid === 0) return "mail must not be root's, nor of root's group";
  return { uid: user.uid, gid };
}
