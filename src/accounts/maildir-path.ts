// Where an account's Maildir is: `mail.maildir` of the config with the account's own values put in. Pure.

export interface MaildirOwner {
  readonly user: string;
  readonly home?: string | undefined;
}

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
export function maildirPath(template: string, { user, home }: MaildirOwner): MaildirPath {
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
      reason: `mail.maildir is under "~", and the account has no absolute home directory`,
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
  return { kind: "path", path: `${usesHome ? home : ""}${path}`.replace(/\/+$/, "") || "/" };
}

function isPathPart(value: string): boolean {
  return value !== "" && !value.startsWith(".") && !/[/\0]/.test(value);
}
