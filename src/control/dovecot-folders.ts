// Where Dovecot has its files of an account, when not in the Maildir, and whether it runs. Used by what reads its list of
// unique-ids and what writes it.
import { readFileSync } from "node:fs";
import { folderPath } from "../accounts/maildir-path.ts";
import { findUser } from "../host/user-database.ts";
import type { DovecotConfig } from "./dovecot-config.ts";
import type { AccountMail } from "./mail-owner.ts";
import { Refusal } from "./refusal.ts";

export interface DovecotFolders {
  readonly controlFolder?: string;
  readonly indexFolder?: string;
}

/** @throws Refusal when the account has not what the folder's name is made of */
export function dovecotFolders(dovecot: DovecotConfig | undefined, { account }: AccountMail): DovecotFolders {
  const owner = { user: account.user, home: account.home ?? findUser(account.user)?.home };
  const folder = (template: string, option: string): string => {
    const filled = folderPath(template, `${option} of Dovecot's mail_location`, owner);
    if (filled.kind === "unusable") throw new Refusal(`${account.user}: ${filled.reason}`);
    return filled.path;
  };
  return {
    ...(dovecot?.controlFolder !== undefined && {
      controlFolder: folder(dovecot.controlFolder, "CONTROL"),
    }),
    ...(dovecot?.indexFolder !== undefined && { indexFolder: folder(dovecot.indexFolder, "INDEX") }),
  };
}

/** The process id of a Dovecot that runs; undefined where none does. */
export function runningDovecot(masterPidFile: string): number | undefined {
  try {
    const pid = Number(readFileSync(masterPidFile, "latin1"));
    // Left behind by a crash, the number may be another program's by now.
    return readFileSync(`/proc/${pid}/comm`, "latin1").trim() === "dovecot" ? pid : undefined;
  } catch {
    return undefined;
  }
}
