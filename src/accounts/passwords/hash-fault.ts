// Why no password can be compared with a stored hash, although its scheme is known: it is not whole, or costs more than a line of
// a file may ask for. Pure; used by password.ts, pop3-passwd audit, and so the doctor, and pop3-ctl why.
import { costFault, hashCost } from "./hash-cost.ts";
import { type PasswordField, schemeName } from "./password-field.ts";

/** Undefined where it can be computed. The reason never holds any part of the hash. */
export function hashFault(
  field: PasswordField & { kind: "scheme" },
  maxMemoryKib: number,
): string | undefined {
  return lengthFault(field) ?? costFault(hashCost(field), maxMemoryKib);
}

/** Characters behind the last "$", crypt(5); bcrypt's have the salt among them. All are of one length, whatever the password. */
const CRYPT_CHARACTERS: ReadonlyMap<string, number> = new Map([
  ["YESCRYPT", 43],
  ["GOST-YESCRYPT", 43],
  ["SCRYPT", 43],
  ["BCRYPT", 53],
  ["SHA512-CRYPT", 86],
  ["SHA256-CRYPT", 43],
  ["MD5-CRYPT", 22],
]);

// crypt(3) reads the salt alone, and so takes a hash whose end was lost by copying: every password would be called wrong.
function lengthFault(field: PasswordField & { kind: "scheme" }): string | undefined {
  if (field.scheme !== "CRYPT") return undefined;
  const name = schemeName(field);
  const whole = CRYPT_CHARACTERS.get(name);
  const text = Buffer.from(field.data).toString("latin1");
  const there = text.length - text.lastIndexOf("$") - 1;
  if (whole === undefined || there === whole) return undefined;
  return `the hash is not whole: ${name} has ${whole} characters behind the last "$", here are ${there}`;
}
