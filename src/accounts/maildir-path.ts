// Where an account's Maildir is: `mail.maildir` of the config, or the account's own extra field userdb_mail, with the account's
// values put in. Pure; used by the auth process (tickets), for the MTA's maps, and by pop3-passwd.
import { parseDovecotLocation } from "./transfer/dovecot-location.ts";

export interface MaildirOwner {
  readonly user: string;
  readonly home?: string | undefined;
  readonly extra?: ReadonlyMap<string, string | true>;
}

/** Dovecot's name for an account's own mail location: userdb_mail=maildir:/srv/mail/mrose/Maildir. */
export const MAIL_FIELD = "userdb_mail";

export type MaildirPath =
  | { readonly kind: "path"; readonly path: string }
  /** For the log: what is missing from the account's line. */
  | { readonly kind: "unusable"; readonly reason: string };

/**
 * Replaces "~" at the begin by the account's home, %u by the user name, %n by what stands before its "@", %d by what
 * stands behind it, %% by %.
 *
 * No part of a user name may climb out of the folder that the administrator meant.
 */
export function maildirPath(template: string, { user, home, extra }: MaildirOwner): MaildirPath {
  const own = extra?.get(MAIL_FIELD);
  if (own === undefined) return folderPath(template, "mail.maildir", { user, home });
  const location = own === true ? undefined : parseDovecotLocation(withDriver(own)).maildir;
  if (location !== undefined) return folderPath(location, MAIL_FIELD, { user, home });
  return {
    kind: "unusable",
    reason: `${MAIL_FIELD} is no Maildir: expected maildir:/path or maildir:~/path`,
  };
}

/** Dovecot finds out by itself what kind of mail a location is that does not say so. */
function withDriver(location: string): string {
  return /^[~/%]/.test(location) ? `maildir:${location}` : location;
}

/** @param source names the template where it cannot be used */
export function folderPath(
  template: string,
  source: string,
  { user, home }: Pick<MaildirOwner, "user" | "home">,
): MaildirPath {
  const at = user.lastIndexOf("@");
  const values: ReadonlyMap<string, string> = new Map([
    ["%u", user],
    ["%n", at === -1 ? user : user.slice(0, at)],
    ["%d", at === -1 ? "" : user.slice(at + 1)],
    ["%%", "%"],
  ]);
  const usesHome = template.startsWith("~");
  if (usesHome && (home === undefined || !home.startsWith("/"))) {
    return {
      kind: "unusable",
      reason: `${source} is under "~", and the account has no absolute home directory`,
    };
  }
  let bad: string | undefined;
  const path = template.slice(usesHome ? 1 : 0).replace(/%[und%]/g, (variable) => {
    const value = values.get(variable) ?? "";
    if (variable !== "%%" && !isPathPart(value)) bad = variable;
    return value;
  });
  if (bad !== undefined) {
    return {
      kind: "unusable",
      reason: `the user name's ${bad} is empty, begins with a dot or has a slash in it`,
    };
  }
  const whole = `${usesHome ? home : ""}${path}`.replace(/\/+$/, "") || "/";
  return Buffer.byteLength(whole) > MAX_PATH_BYTES
    ? { kind: "unusable", reason: `${source} gives a path longer than ${MAX_PATH_BYTES} bytes` }
    : { kind: "path", path: whole };
}

/** PATH_MAX of Linux, without its NUL; a ticket takes as much. */
const MAX_PATH_BYTES = 4095;

function isPathPart(value: string): boolean {
  return value !== "" && !value.startsWith(".") && !/[/\0]/.test(value);
}
