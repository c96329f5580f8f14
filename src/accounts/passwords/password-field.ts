// What the password field of a passwd line says, before anything is computed: locked or not, scheme, data, cost.
// Pure; used by password.ts, verifier.ts and pop3-passwd. Source: Dovecot src/auth/password-scheme.c, shadow(5).

export type PasswordField =
  | { readonly kind: "none" }
  /** `hidden` is what stands behind the lock's marks, "" if nothing does. */
  | { readonly kind: "locked"; readonly hidden: string }
  | { readonly kind: "scheme"; readonly scheme: Scheme; readonly data: Uint8Array }
  /** The reason never holds the hash. */
  | { readonly kind: "unusable"; readonly reason: string };

/** Schemes by their one name here; others of the same meaning are in SCHEME_NAMES. */
export type Scheme =
  | "ARGON2"
  | "CRYPT"
  | "PLAIN"
  | "PLAIN-TRUNC"
  | "PBKDF2"
  | "SCRAM-SHA-1"
  | "SCRAM-SHA-256"
  | "SHA"
  | "SHA256"
  | "SHA512"
  | "SSHA"
  | "SSHA256"
  | "SSHA512"
  | "SMD5"
  | "PLAIN-MD5"
  | "PLAIN-MD4"
  | "DIGEST-MD5"
  | "CRAM-MD5";

/** Octets of the digests that stand alone (no salt behind them): hex if twice as long, else base64. */
const DIGEST_BYTES: ReadonlyMap<Scheme, number> = new Map([
  ["SHA", 20],
  ["SHA256", 32],
  ["SHA512", 64],
  ["PLAIN-MD5", 16],
  ["PLAIN-MD4", 16],
  ["DIGEST-MD5", 16],
  ["CRAM-MD5", 32],
]);

const SALTED_DIGESTS: ReadonlySet<Scheme> = new Set(["SSHA", "SSHA256", "SSHA512", "SMD5"]);

const SCHEME_NAMES: ReadonlyMap<string, Scheme> = new Map([
  ["ARGON2", "ARGON2"],
  ["ARGON2I", "ARGON2"],
  ["ARGON2ID", "ARGON2"],
  ["CRYPT", "CRYPT"],
  ["DES-CRYPT", "CRYPT"],
  ["MD5-CRYPT", "CRYPT"],
  ["MD5", "CRYPT"],
  ["SHA256-CRYPT", "CRYPT"],
  ["SHA512-CRYPT", "CRYPT"],
  ["BLF-CRYPT", "CRYPT"],
  ["PLAIN", "PLAIN"],
  ["CLEAR", "PLAIN"],
  ["CLEARTEXT", "PLAIN"],
  ["PLAIN-TRUNC", "PLAIN-TRUNC"],
  ["PBKDF2", "PBKDF2"],
  ["SCRAM-SHA-1", "SCRAM-SHA-1"],
  ["SCRAM-SHA-256", "SCRAM-SHA-256"],
  ["SHA", "SHA"],
  ["SHA1", "SHA"],
  ["SHA256", "SHA256"],
  ["SHA512", "SHA512"],
  ["SSHA", "SSHA"],
  ["SSHA256", "SSHA256"],
  ["SSHA512", "SSHA512"],
  ["SMD5", "SMD5"],
  ["LDAP-MD5", "PLAIN-MD5"],
  ["PLAIN-MD5", "PLAIN-MD5"],
  ["PLAIN-MD4", "PLAIN-MD4"],
  ["DIGEST-MD5", "DIGEST-MD5"],
  ["CRAM-MD5", "CRAM-MD5"],
  ["HMAC-MD5", "CRAM-MD5"],
]);

/** How a scheme that names one kind of crypt or argon2 string must begin. */
const REQUIRED_START: ReadonlyMap<string, RegExp> = new Map([
  ["ARGON2", /^\$argon2(?:i|id)\$/],
  ["ARGON2I", /^\$argon2i\$/],
  ["ARGON2ID", /^\$argon2id\$/],
  ["DES-CRYPT", /^[./0-9A-Za-z]{2}/],
  ["MD5-CRYPT", /^\$1\$/],
  ["MD5", /^\$1\$/],
  ["SHA256-CRYPT", /^\$5\$/],
  ["SHA512-CRYPT", /^\$6\$/],
  ["BLF-CRYPT", /^\$2[a-z]?\$/],
]);

/**
 * Takes the password field apart: {SCHEME}data, {SCHEME.b64}, {SCHEME.base64}, {SCHEME.hex}, or without a scheme a crypt(3)
 * string (also argon2's own), or Dovecot's oldest form hash[13], hash[34], hash[56].
 */
export function readPasswordField(field: string): PasswordField {
  if (field === "") return { kind: "none" };
  // shadow(5): "!" or "*" cannot begin a hash, so nobody's password matches. Dovecot and Exim refuse such a field as well.
  const locks = /^[!*]+/.exec(field)?.[0];
  if (locks !== undefined) return { kind: "locked", hidden: field.slice(locks.length) };
  if (!field.startsWith("{")) return readBareField(field);

  const end = field.indexOf("}");
  if (end < 0) return unusable('"{" without "}"');
  const written = /^([A-Za-z][A-Za-z0-9-]{0,19})(?:\.(b64|base64|hex))?$/i.exec(field.slice(1, end));
  if (written === null) return unusable("the scheme's name is malformed");
  const name = written[1]!.toUpperCase();
  const scheme = SCHEME_NAMES.get(name);
  if (scheme === undefined) return unusable(`the scheme ${name} is not known`);
  const text = field.slice(end + 1);
  if (text === "") return unusable(`nothing follows {${name}}`);
  const data = decodeData(name, scheme, written[2]?.toLowerCase(), text);
  if (data === undefined) return unusable(`the data of {${name}} are malformed`);
  return { kind: "scheme", scheme, data };
}

/** Puts the lock's mark before the field; a field that is locked stays as it is. */
export function lockedField(field: string): string {
  return readPasswordField(field).kind === "locked" ? field : `!${field}`;
}

/**
 * Two fields with the same answer take the same time to verify: scheme, and what of its parameters costs time.
 * Neither salt nor hash is part of it.
 */
export function verificationCost(field: PasswordField & { kind: "scheme" }): string {
  const text = latin1(field.data);
  switch (field.scheme) {
    case "ARGON2":
      return `ARGON2 ${text.split("$").slice(1, -2).join(" ")}`;
    case "CRYPT":
      return `CRYPT ${cryptCost(text)}`;
    case "PBKDF2":
      return `PBKDF2 ${text.split("$")[3] ?? ""}`;
    case "SCRAM-SHA-1":
    case "SCRAM-SHA-256":
      return `${field.scheme} ${text.split(",")[0]}`;
    default:
      return field.scheme;
  }
}

/** The scheme as people call it, for lists: "ARGON2ID", "SHA512-CRYPT", "YESCRYPT", "SSHA" … Never any part of the hash. */
export function schemeName(field: PasswordField & { kind: "scheme" }): string {
  const text = latin1(field.data);
  if (field.scheme === "ARGON2") return (/^\$(argon2[a-z]*)\$/.exec(text)?.[1] ?? "argon2").toUpperCase();
  if (field.scheme !== "CRYPT") return field.scheme;
  for (const [start, name] of CRYPT_NAMES) if (start.test(text)) return name;
  return "CRYPT";
}

const CRYPT_NAMES: readonly (readonly [RegExp, string])[] = [
  [/^\$y\$/, "YESCRYPT"],
  [/^\$gy\$/, "GOST-YESCRYPT"],
  [/^\$7\$/, "SCRYPT"],
  [/^\$2[a-z]?\$/, "BCRYPT"],
  [/^\$6\$/, "SHA512-CRYPT"],
  [/^\$5\$/, "SHA256-CRYPT"],
  [/^\$sha1\$/, "SHA1-CRYPT"],
  [/^\$md5/, "SUN-MD5"],
  [/^\$1\$/, "MD5-CRYPT"],
  [/^\$3\$/, "NT"],
  [/^_/, "BSDI-DES"],
  [/^[./0-9A-Za-z]{2}/, "DES-CRYPT"],
];

const encoder = new TextEncoder();
const latin1Decoder = new TextDecoder("latin1");

function latin1(bytes: Uint8Array): string {
  return latin1Decoder.decode(bytes);
}

function unusable(reason: string): PasswordField {
  return { kind: "unusable", reason };
}

/** The oldest of crypt(3)'s, without a prefix: two characters of salt, eleven for each eight of the password (crypt(5)). */
const DES_HASH = /^[./0-9A-Za-z]{2}(?:[./0-9A-Za-z]{11})+$/;

function readBareField(field: string): PasswordField {
  if (/^\$argon2(?:i|id)\$/.test(field))
    return { kind: "scheme", scheme: "ARGON2", data: encoder.encode(field) };
  const old = field.startsWith("$") ? null : /^(.*)\[(13|34|56)\]$/.exec(field);
  if (old === null || old[2] === "13") {
    const hash = old?.[1] ?? field;
    if (!/^[$_]/.test(hash) && !DES_HASH.test(hash))
      return unusable(
        "it is no hash: a password in clear text is written {PLAIN}…, and better hashed by pop3-passwd set",
      );
    return { kind: "scheme", scheme: "CRYPT", data: encoder.encode(hash) };
  }
  const scheme: Scheme = old[2] === "34" ? "PLAIN-MD5" : "DIGEST-MD5";
  const data = decodeData(scheme, scheme, undefined, old[1]!);
  return data === undefined ? unusable("the old-form hash is malformed") : { kind: "scheme", scheme, data };
}

function decodeData(
  name: string,
  scheme: Scheme,
  encoding: string | undefined,
  text: string,
): Uint8Array | undefined {
  const digestBytes = DIGEST_BYTES.get(scheme);
  let data: Uint8Array | undefined;
  if (encoding === "hex") data = decodeHex(text);
  else if (encoding !== undefined || SALTED_DIGESTS.has(scheme)) data = decodeBase64(text);
  else if (digestBytes !== undefined)
    data = text.length === 2 * digestBytes ? decodeHex(text) : decodeBase64(text);
  else data = encoder.encode(text);
  if (data === undefined || data.length === 0) return undefined;
  if (digestBytes !== undefined && data.length !== digestBytes) return undefined;
  const start = REQUIRED_START.get(name);
  return start === undefined || start.test(latin1(data)) ? data : undefined;
}

function decodeHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || !/^[0-9A-Fa-f]*$/.test(text)) return undefined;
  return Uint8Array.from({ length: text.length / 2 }, (_, index) =>
    Number.parseInt(text.slice(2 * index, 2 * index + 2), 16),
  );
}

function decodeBase64(text: string): Uint8Array | undefined {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return undefined;
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}

// What stands before the salt. $y$j9T$salt$hash, $6$rounds=9000$salt$hash, $2b$12$…, $7$CU....1....salt$hash, _J9..salthash
function cryptCost(text: string): string {
  if (text.startsWith("_")) return `_${text.slice(1, 5)}`;
  if (!text.startsWith("$")) return "DES";
  if (text.startsWith("$7$")) return text.slice(0, 14);
  const [, method = "", parameters = ""] = text.split("$");
  if (method === "y" || method === "gy" || method.startsWith("2") || method === "sha1")
    return `${method} ${parameters}`;
  return parameters.startsWith("rounds=")
    ? `${method} ${parameters}`
    : method.split(",")[0]! + (method.split(",")[1] ?? "");
}
