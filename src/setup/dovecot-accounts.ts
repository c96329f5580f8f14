// Whose accounts they are: Dovecot's passdb and userdb blocks. Pure. Used where its configuration is taken over.
import type { DovecotSetting } from "../control/dovecot/dovecot-settings.ts";
import type { ConfigDraft } from "./config-draft.ts";

/** @returns the home of every account, where they have one by rule */
export function accountsFromDovecot(
  draft: ConfigDraft,
  settings: readonly DovecotSetting[],
): string | undefined {
  draft.set("auth", "passwd_file", "/etc/dewey-pop3/passwd");
  let home: string | undefined;
  for (const block of accountBlocks(settings)) {
    const { kind, driver, place, value } = block;
    if (kind === "passdb" && (value("deny") === "yes" || value("master") === "yes")) {
      draft.note(
        `passdb ${driver}`,
        place,
        "for some who may not log in, or as others, has no counterpart (pop3-passwd lock)",
      );
    } else if (driver === "passwd-file") {
      const path = passwdFileOf(block);
      if (path !== undefined && !path.includes("%"))
        draft.step(`take over the accounts: pop3-passwd import ${path}`);
      else
        draft.note(
          `${kind} ${driver}`,
          place,
          `${path ?? "it"} is no one file: pop3-passwd import each of them`,
        );
    } else if (kind === "passdb" && SYSTEM.has(driver)) {
      draft.step("take over the accounts: pop3-passwd import --passwd /etc/passwd --dated /etc/shadow");
      if (driver === "pam")
        draft.note("passdb pam", place, "is not asked: hashes are taken over once, from /etc/shadow");
    } else if (kind === "userdb" && driver === "passwd") {
      draft.set("accounts", "source", "system");
    } else if (kind === "userdb" && driver === "static") {
      const field = (name: string): string | undefined =>
        value(name) ?? new RegExp(`(?:^|\\s)${name}=(\\S+)`).exec(value("args") ?? "")?.[1];
      const [uid, gid] = [field("uid"), field("gid")];
      if (uid !== undefined) draft.set("mail", "user", uid);
      if (gid !== undefined) draft.set("mail", "group", gid);
      home ??= field("home");
    } else if (driver !== "prefetch") {
      draft.note(
        `${kind} ${driver}`,
        place,
        "is not asked: write the accounts to a file (passwd-file's format, or CSV), and pop3-passwd import it",
      );
    }
  }
  return home;
}

export function passwdFileOf({ value }: AccountBlock): string | undefined {
  return (
    value("passwd_file_path") ??
    value("args")
      ?.split(/\s+/)
      .findLast((word) => word.startsWith("/"))
  );
}

const SYSTEM: ReadonlySet<string> = new Set(["pam", "passwd", "shadow"]);

export interface AccountBlock {
  readonly kind: "passdb" | "userdb";
  readonly driver: string;
  readonly place: DovecotSetting["place"];
  value(key: string): string | undefined;
}

/** `passdb { driver = … }` before 2.4, `passdb NAME { driver = … }` since; fields { } of 2.4 count as the block's own. */
export function accountBlocks(settings: readonly DovecotSetting[]): AccountBlock[] {
  const groups: DovecotSetting[][] = [];
  let last: DovecotSetting | undefined;
  for (const setting of settings) {
    if (!/^(?:pass|user)db\b/.test(setting.sections[0] ?? "")) {
      last = undefined;
      continue;
    }
    const isSame =
      last !== undefined &&
      last.sections[0] === setting.sections[0] &&
      (last.block === setting.block || last.sections.length !== setting.sections.length);
    if (isSame) groups.at(-1)!.push(setting);
    else groups.push([setting]);
    last = setting;
  }
  return groups.map((group) => {
    const [kind = "", name = ""] = group[0]!.sections[0]!.split(" ");
    const value = (key: string): string | undefined => group.find((setting) => setting.key === key)?.value;
    return {
      kind: kind as AccountBlock["kind"],
      driver: value("driver") ?? name,
      place: group[0]!.place,
      value,
    };
  });
}
