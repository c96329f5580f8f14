// Dovecot's mail_location, "maildir:~/Maildir:INDEX=/var/index": where the Maildir is, and Dovecot's own list. Pure; for
// accounts that have one of their own (userdb_mail), and for what reads Dovecot's config.

export interface DovecotLocation {
  /** "maildir", "mbox", "sdbox" … */
  readonly driver: string;
  /** The inbox, as our own templates are written; undefined where it is no Maildir, or not under "~" or "/". */
  readonly maildir: string | undefined;
  /** Where the inbox's dovecot-uidlist is, when not in the Maildir. */
  readonly controlFolder: string | undefined;
}

export function parseDovecotLocation(text: string): DovecotLocation {
  const [driver = "", root = "", ...options] = text.split(":");
  const option = (name: string): string | undefined =>
    options.find((part) => part.startsWith(`${name}=`))?.slice(name.length + 1);
  const control = pathTemplate(option("CONTROL"));
  const inbox = option("LAYOUT") === "fs" ? "INBOX" : ".INBOX";
  return {
    driver,
    maildir: driver === "maildir" ? pathTemplate(option("INBOX") ?? root) : undefined,
    controlFolder: control === undefined ? undefined : `${control}/${inbox}`,
  };
}

/** As our own are written, with %u, %n, %d and "~"; undefined where it has another variable, or is not absolute. */
function pathTemplate(path: string | undefined): string | undefined {
  const template = path
    ?.replace(/^%(?:h|\{home\})(?=\/|$)/, "~")
    .replace(/%\{(?:user *\| *)?(user|username|domain)\}/g, (_, name) => NAMED.get(name)!)
    .replace(/(?<=.)\/+$/, "");
  return template !== undefined && /^(?:~(?:\/|$)|\/)/.test(template) && !/%[^und%]/.test(template)
    ? template
    : undefined;
}

const NAMED: ReadonlyMap<string, string> = new Map([
  ["user", "%u"],
  ["username", "%n"],
  ["domain", "%d"],
]);
