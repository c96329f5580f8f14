// Where Dovecot has an account's list of unique-ids when that is not in the Maildir. Used by what reads and what writes it.
import { folderPath } from "../../accounts/maildir-path.ts";
import { findUser } from "../../host/user-database.ts";
import type { AccountMail } from "../mailbox/mail-owner.ts";
import { Refusal } from "../terminal/refusal.ts";
import type { DovecotConfig } from "./dovecot-config.ts";

/** @throws Refusal when the account has not what the folder's name is made of */
export function controlFolder(
  dovecot: DovecotConfig | undefined,
  { account }: AccountMail,
): { readonly controlFolder?: string } {
  if (dovecot?.controlFolder === undefined) return {};
  const home = account.home ?? findUser(account.user)?.home;
  const filled = folderPath(dovecot.controlFolder, "CONTROL of Dovecot's mail_location", {
    user: account.user,
    home,
  });
  if (filled.kind === "unusable") throw new Refusal(`${account.user}: ${filled.reason}`);
  return { controlFolder: filled.path };
}
