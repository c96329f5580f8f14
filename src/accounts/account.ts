// One line of the passwd file as an account: user:password:uid:gid:gecos:home:shell:extra fields.
// Used by the auth process (passwd-file.ts) and by pop3-passwd. Pure: bytes in, account or reason out.
import { saslprep } from "./passwords/saslprep.ts";

export interface Account {
  readonly user: string;
  /** The whole second field: {SCHEME}data, a bare crypt(3) string, "!…" when locked, "" when there is no password. */
  readonly password: string;
  /** A number or a name, as written; neither 0 nor root's name is resolved here. */
  readonly uid?: string;
  readonly gid?: string;
  readonly gecos: string;
  /** An absolute path. */
  readonly home?: string;
  readonly shell?: string;
  /** Field 8: key=value, or true for a key that stands alone. */
  readonly extra: ReadonlyMap<string, string | true>;
  /** Counted from 1. */
  readonly lineNumber: number;
}

export type ParsedLine =
  | { readonly kind: "account"; readonly account: Account }
  | { readonly kind: "blank" }
  | { readonly kind: "invalid"; readonly reason: string };

const MAX_LINE_BYTES = 8192;
const MAX_USER_BYTES = 255;
const MAX_ID = 4_294_967_294; // (uid_t)-1 means "no change" to chown(2), so it can be nobody's uid.

/**
 * Reads one line of the passwd file, without its line feed (a carriage return before it is dropped).
 * Fields are split at every ":"; nothing is escaped. Fields from the password on may be missing.
 * Source: Dovecot src/auth/db-passwd-file.c.
 *
 * @param lineNumber counted from 1
 * @returns blank for an empty line, a comment ("#…") and a line without a user (":…"). A reason never holds the password.
 */
export function parseAccountLine(line: Uint8Array | string, lineNumber: number): ParsedLine {
  const bytes = typeof line === "string" ? encoder.encode(line) : line;
  if (bytes.length > MAX_LINE_BYTES) return invalid(`longer than ${MAX_LINE_BYTES} bytes`);
  let text = strictUtf8(bytes);
  // An old Latin-1 gecos must not lock a user out; every other field decides something and has to be unambiguous.
  const isUtf8 = text !== undefined;
  text ??= lenientDecoder.decode(bytes);
  if (text.endsWith("\r")) text = text.slice(0, -1);
  if (text.trim() === "" || text.startsWith("#") || text.startsWith(":")) return { kind: "blank" };

  const fields = text.split(":");
  const [user = "", password = "", uid = "", gid = "", gecos = "", home = "", shell = ""] = fields;
  if (!isUtf8 && [...fields.slice(0, 4), ...fields.slice(5)].some((field) => field.includes("\uFFFD"))) {
    return invalid("not valid UTF-8");
  }
  const userFault = userNameFault(user);
  if (userFault !== undefined) return invalid(userFault);
  if (CONTROL.test(password)) return invalid("the password field holds a control character");
  const idFaultFound = idFault("uid", uid) ?? idFault("gid", gid);
  if (idFaultFound !== undefined) return invalid(idFaultFound);
  if (home !== "" && !home.startsWith("/")) return invalid("home is not an absolute path");
  if (CONTROL.test(home)) return invalid("home holds a control character");

  const account: Account = {
    user,
    password,
    ...(uid !== "" && { uid }),
    ...(gid !== "" && { gid }),
    gecos,
    ...(home !== "" && { home }),
    ...(shell !== "" && { shell }),
    extra: parseExtraFields(fields.slice(7)),
    lineNumber,
  };
  return { kind: "account", account };
}

/** The account as a line of the passwd file, without line end. The caller has parsed or checked every field. */
export function formatAccountLine(account: Omit<Account, "lineNumber">): string {
  const { user, password, uid = "", gid = "", gecos, home = "", shell = "" } = account;
  const extra = [...account.extra]
    .map(([key, value]) => (value === true ? key : `${key}=${value}`))
    .join(" ");
  return [user, password, uid, gid, gecos, home, shell, extra].join(":");
}

/**
 * What forbids this user name, or undefined if nothing does. A name becomes part of paths (%u, %n, %d of mail.maildir) and of
 * lines that are read without escaping, so both halves of user@domain have to be harmless file names.
 */
export function userNameFault(user: string): string | undefined {
  if (user === "") return "the user name is empty";
  if (encoder.encode(user).length > MAX_USER_BYTES)
    return `the user name is longer than ${MAX_USER_BYTES} bytes`;
  if (/\p{Surrogate}/u.test(user)) return "the user name is not valid UTF-8";
  if (CONTROL.test(user)) return "the user name holds a control character";
  if (/\s/u.test(user)) return "the user name holds whitespace";
  if (/[/:]/.test(user)) return 'the user name holds "/" or ":"';
  if (user.startsWith("#")) return 'the user name begins with "#"';
  for (const part of user.split("@")) {
    if (part === "") return 'the user name has nothing before or behind "@"';
    if (part.startsWith(".")) return 'the user name or its domain begins with "."';
  }
  const prepared = saslprep(user);
  if (prepared === undefined) return "the user name holds what SASLprep (RFC 4013) forbids in names";
  // A full-width "/", say, is one when the name is prepared, as it is where names are compared.
  return prepared === user ? undefined : userNameFault(prepared);
}

const CONTROL = /\p{Cc}/u;
const encoder = new TextEncoder();
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const lenientDecoder = new TextDecoder("utf-8", { ignoreBOM: true });

function invalid(reason: string): ParsedLine {
  return { kind: "invalid", reason };
}

function strictUtf8(bytes: Uint8Array): string | undefined {
  try {
    return strictDecoder.decode(bytes);
  } catch {
    return undefined;
  }
}

// Mail is never served as root: uid and gid 0 are refused as Dovecot refuses them.
function idFault(name: "uid" | "gid", value: string): string | undefined {
  if (value === "") return undefined;
  if (/^[0-9]{1,10}$/.test(value)) {
    const id = Number.parseInt(value, 10);
    return id >= 1 && id <= MAX_ID ? undefined : `${name} ${value} is not allowed`;
  }
  if (value === "root") return `${name} root is not allowed`;
  return /^[A-Za-z_][A-Za-z0-9_.-]{0,63}\$?$/.test(value)
    ? undefined
    : `${name} is neither a number nor a name`;
}

function parseExtraFields(fields: readonly string[]): ReadonlyMap<string, string | true> {
  const extra = new Map<string, string | true>();
  // Dovecot's oldest form: an empty field 8, then the mail location.
  if (fields[0] === "" && fields.length > 1) {
    const mail = fields.slice(1).join(":");
    if (mail !== "") extra.set("userdb_mail", mail);
    return extra;
  }
  for (const word of fields.join(":").split(/[ \t]+/)) {
    const at = word.indexOf("=");
    if (at === 0 || word === "") continue;
    if (at < 0) extra.set(word, true);
    else extra.set(word.slice(0, at), word.slice(at + 1));
  }
  return extra;
}
