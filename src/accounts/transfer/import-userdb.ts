// Courier's userdb (makeuserdb(8)) for pop3-passwd import: "name<TAB>field=value|field=value…". Pure.
import type { NewAccount } from "../file/account-edits.ts";
import { MAIL_FIELD } from "../maildir-path.ts";

/** An account, a reason to skip the line, or undefined for a blank line. */
export function readUserdbLine(text: string): NewAccount | string | undefined {
  if (text.trim() === "" || text.startsWith("#")) return undefined;
  const match = /^([^\t]+)\t(.*)$/.exec(text);
  if (match === null) return "there is no tab behind the user name";
  const [, user = "", rest = ""] = match;
  const fields = new Map(
    rest.split("|").map((part) => {
      const at = part.indexOf("=");
      return at < 0 ? [part, ""] : [part.slice(0, at), part.slice(at + 1)];
    }),
  );
  // As authlib's authuserdb: the service's own password, else the one for all.
  const password = fields.get("pop3pw") ?? fields.get("systempw") ?? "";
  const [uid, gid, home, mail, shell] = ["uid", "gid", "home", "mail", "shell"].map(
    (name) => fields.get(name) || undefined,
  );
  // "mail" may be relative to home; "./Maildir" is what everybody has and needs no saying.
  const path = mail === undefined || mail.startsWith("/") ? mail : `~/${mail.replace(/^\.\//, "")}`;
  const isDefault = path === undefined || /^~\/Maildir\/?$/.test(path);
  return {
    user,
    password,
    gecos: fields.get("gecos") ?? "",
    ...(uid !== undefined && { uid }),
    ...(gid !== undefined && { gid }),
    ...(home !== undefined && { home }),
    ...(shell !== undefined && { shell }),
    extra: isDefault ? new Map() : new Map([[MAIL_FIELD, `maildir:${path}`]]),
  };
}

export function looksLikeUserdb(lines: readonly string[]): boolean {
  return lines.length > 0 && lines.every((line) => /^[^\t:]+\t(?:[a-z0-9-]+=[^|]*)(?:\||$)/.test(line));
}
