// The options of pop3-passwd add and set that are about the account and not its password: --uid, --home, --allow-nets, --no-login …
import { type Command, InvalidArgumentError } from "commander";
import type { ChangedDetails, DetailField, NewAccount } from "../../accounts/file/account-edits.ts";
import { MAIL_FIELD } from "../../accounts/maildir-path.ts";
import { isNetworkList } from "../../accounts/may-log-in.ts";

export interface DetailOptions {
  readonly uid?: string;
  readonly gid?: string;
  readonly home?: string;
  readonly gecos?: string;
  readonly shell?: string;
  readonly maildir?: string;
  readonly allowNets?: string;
  /** false by --no-login, true by --login. */
  readonly login?: boolean;
  readonly extra?: ReadonlyMap<string, string | true>;
}

export function addDetailOptions(command: Command): Command {
  return (
    command
      .option("--uid <uid>", "number or name of the mail's owner")
      .option("--gid <gid>", "number or name of the mail's group")
      .option("--home <directory>", "home, an absolute path")
      .option("--maildir <path>", "the account's own Maildir, instead of mail.maildir of the config", maildir)
      .option(
        "--allow-nets <networks>",
        "log in from there alone: 192.0.2.0/24,2001:db8::/32,local",
        networks,
      )
      // In this order: the other way round, login would be true without being asked for.
      .option("--login", "undo --no-login")
      .option("--no-login", "mail comes, but nobody logs in")
      .option("--gecos <text>", "full name or remark")
      .option("--shell <path>", "for other readers of the file")
      .option("--extra <field>", "an extra field, NAME or NAME=VALUE; may be repeated", collectExtra)
  );
}

/** What the options change; an empty value takes a field away. */
export function changedDetails(options: DetailOptions): ChangedDetails {
  const fields = new Map<DetailField, string>();
  for (const name of ["uid", "gid", "home", "gecos", "shell"] as const) {
    const value = options[name];
    if (value !== undefined) fields.set(name, value);
  }
  const extra = new Map<string, string | true | undefined>(options.extra ?? []);
  if (options.maildir !== undefined)
    extra.set(MAIL_FIELD, options.maildir === "" ? undefined : `maildir:${options.maildir}`);
  if (options.allowNets !== undefined) extra.set("allow_nets", options.allowNets || undefined);
  if (options.login !== undefined) extra.set("nologin", options.login ? undefined : true);
  return { fields, extra };
}

/** A new account with these details, and no password yet. */
export function accountWith(user: string, options: DetailOptions): NewAccount {
  const { fields, extra } = changedDetails(options);
  const given = [...extra].filter((field): field is [string, string | true] => field[1] !== undefined);
  const details = Object.fromEntries([...fields].filter(([, value]) => value !== ""));
  return { gecos: "", ...details, user, password: "", extra: new Map(given) };
}

function collectExtra(
  field: string,
  before: ReadonlyMap<string, string | true> = new Map(),
): ReadonlyMap<string, string | true> {
  const [, key, value] = /^([A-Za-z0-9_.-]+)(?:=(\S*))?$/.exec(field) ?? [];
  if (key === undefined) throw new InvalidArgumentError("Expected NAME or NAME=VALUE, without spaces.");
  return new Map<string, string | true>([...before, [key, value ?? true]]);
}

function maildir(path: string): string {
  if (path === "" || /^(?:~\/|\/)[^:\s]*$/.test(path)) return path;
  throw new InvalidArgumentError('Expected an absolute path or one under "~/", without spaces and colons.');
}

// A typing error here would shut the account out of everywhere, and be found by its user.
function networks(list: string): string {
  if (list === "" || isNetworkList(list)) return list;
  throw new InvalidArgumentError("Expected networks separated by commas: 192.0.2.0/24,2001:db8::/32,local.");
}
