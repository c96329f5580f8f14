// pop3-passwd --make-maildir: an account's Maildir with new, cur and tmp, for the mail's owner. As root, what lies in the owner's reach is
// made by a child process that has the owner's uid: a symbolic link that the owner put there leads it no further than the owner.
import { execFile } from "node:child_process";
import { lchown, lstat, mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Account } from "../../accounts/account.ts";
import { describeFileError, errorCode } from "../../accounts/file/file-error.ts";
import { deliveryOf, type MailOwner } from "../../accounts/mta/delivery.ts";
import { commonOwner } from "../../config/common-owner.ts";
import { findGroup, findUser } from "../../host/user-database.ts";

export interface PlannedMaildir {
  readonly path: string;
  /** The account's home if the Maildir is in it, else the folder that it is in. */
  readonly home: string;
  /** Undefined: whoever runs this. */
  readonly owner: MailOwner | undefined;
}

/** What of the config says where mail is and whose. */
export interface MailSettings {
  readonly maildir: string;
  readonly user?: string | undefined;
  readonly group?: string | undefined;
  /** `accounts.source`. */
  readonly source?: "passwd-file" | "system" | undefined;
  /** Why a user of the host may have no mail; undefined: there is no config that says so. */
  readonly ownerFault?: ((owner: MailOwner) => string | undefined) | undefined;
}

/** Where the Maildir will be and whose, or what is missing for making it. */
export function planMaildir(account: Account, mail: MailSettings): PlannedMaildir | string {
  // Only root makes anything for others.
  const isRoot = process.geteuid?.() === 0;
  const common = isRoot ? commonOwner(mail) : undefined;
  if (common?.kind === "unknown") return `${common.key}: ${common.message}`;
  const starter = { uid: process.geteuid!(), gid: process.getegid!() };
  const owner = common === undefined ? starter : common.kind === "owner" ? common.owner : undefined;
  const delivery = deliveryOf(account, {
    maildir: mail.maildir,
    owner,
    localDomains: [],
    source: mail.source ?? "passwd-file",
    findUser,
    findGid: findGroup,
  });
  if (delivery.kind === "unusable") return delivery.reason;
  const { maildir: path, uid, gid } = delivery;
  const fault = owner === undefined ? mail.ownerFault?.(delivery) : undefined;
  if (fault !== undefined) return fault;
  const home = account.home !== undefined && isBelow(path, account.home) ? account.home : dirname(path);
  return { path, home, owner: isRoot ? { uid, gid } : undefined };
}

/** @returns what went wrong, or undefined; a Maildir that is there stays as it is */
export async function makeMaildir({ path, home, owner }: PlannedMaildir): Promise<string | undefined> {
  try {
    // The folders above are whoever's runs this; home and what is below it are the owner's.
    await mkdir(dirname(home), { recursive: true, mode: 0o755 });
    if ((await makeFolder(home)) && owner !== undefined) await lchown(home, owner.uid, owner.gid);
    await makeAsOwner([path, ...["new", "cur", "tmp"].map((name) => join(path, name))], owner);
    return undefined;
  } catch (error) {
    return `the Maildir ${path} cannot be made: ${describeFault(error)}`;
  }
}

function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder.replace(/\/+$/, "")}/`);
}

/** Whether it was made; false if it was there. */
async function makeFolder(path: string): Promise<boolean> {
  try {
    await mkdir(path, { mode: 0o700 });
    return true;
  } catch (error) {
    if (errorCode(error) !== "EEXIST" || !(await lstat(path)).isDirectory()) throw error;
    return false;
  }
}

function makeAsOwner(folders: readonly string[], owner: MailOwner | undefined): Promise<void> {
  // mkdir(1) -p makes no fuss about those that are there; mode 700 is for what it makes itself.
  const args = ["-p", "-m", "700", "--", ...folders];
  return new Promise((resolve, reject) => {
    execFile("mkdir", args, { cwd: "/", ...owner }, (error, _, said) => {
      if (error === null) resolve();
      else reject(new MkdirError(said.trim().split("\n")[0] || error.message));
    });
  });
}

class MkdirError extends Error {}

function describeFault(error: unknown): string {
  return error instanceof MkdirError ? error.message : describeFileError(error);
}
