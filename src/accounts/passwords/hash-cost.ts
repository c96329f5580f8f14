// What verifying against a stored hash costs, read from the hash before anything is computed: memory, time, and whether that is
// more than a line of a file may ask for. Pure; used by password.ts, verifier.ts, rehash.ts and pop3-passwd audit.
import type { PasswordField } from "./password-field.ts";

export interface HashCost {
  /** As people write it: "m=19456,t=2,p=1", "rounds=5000", "cost=11"; "" for a plain digest. */
  readonly text: string;
  /** What the computation holds while it runs. */
  readonly memoryKib: number;
  /** The number that says how much work it is, in the scheme's own measure; 1 for a plain digest. */
  readonly work: number;
  /** Hours of a processor for one login: a mistake or an attack, not a cost. Says what it asks for. */
  readonly excess?: string;
}

export interface Argon2Parameters {
  readonly type: "i" | "id";
  readonly version: number;
  readonly memoryKib: number;
  readonly iterations: number;
  readonly parallelism: number;
  readonly salt: Buffer;
  readonly hash: Buffer;
}

/** Undefined for a string that no argon2 implementation would take. */
export function readArgon2(text: string): Argon2Parameters | undefined {
  const match =
    /^\$argon2(id|i)\$(?:v=([0-9]{1,3})\$)?([mtp]=[0-9]{1,10}(?:,[mtp]=[0-9]{1,10}){2})\$([A-Za-z0-9+/]+)=*\$([A-Za-z0-9+/]+)=*$/.exec(
      text,
    );
  if (match === null) return undefined;
  const parameters = new Map(
    match[3]!.split(",").map((part) => [part[0], Number.parseInt(part.slice(2), 10)]),
  );
  const [memoryKib = 0, iterations = 0, parallelism = 0] = ["m", "t", "p"].map((name) =>
    parameters.get(name),
  );
  const salt = Buffer.from(match[4]!, "base64");
  const hash = Buffer.from(match[5]!, "base64");
  // Version 1.0 wrote no v=.
  const version = Number.parseInt(match[2] ?? "16", 10);
  const isSound =
    (version === 0x10 || version === 0x13) &&
    parallelism >= 1 &&
    iterations >= 1 &&
    memoryKib >= 8 * parallelism &&
    salt.length >= 8 &&
    hash.length >= 16;
  const type = match[1] === "id" ? "id" : "i";
  return isSound ? { type, version, memoryKib, iterations, parallelism, salt, hash } : undefined;
}

export function hashCost({ scheme, data }: PasswordField & { kind: "scheme" }): HashCost {
  const text = Buffer.from(data).toString("latin1");
  switch (scheme) {
    case "ARGON2": {
      const argon2 = readArgon2(text);
      // A malformed one costs nothing: it is refused before it is computed.
      if (argon2 === undefined) return CHEAP;
      const { memoryKib, iterations, parallelism } = argon2;
      return {
        text: `m=${memoryKib},t=${iterations},p=${parallelism}`,
        memoryKib,
        work: memoryKib * iterations,
        ...(iterations > MAX_ARGON2_ITERATIONS && { excess: `${iterations} iterations` }),
        ...(parallelism > MAX_ARGON2_LANES && { excess: `${parallelism} lanes` }),
      };
    }
    case "CRYPT":
      return cryptCost(text);
    case "PBKDF2":
      return counted("iterations", text.split("$")[3], 1);
    case "SCRAM-SHA-1":
    case "SCRAM-SHA-256":
      return counted("iterations", text.split(",")[0], 1);
    default:
      return CHEAP;
  }
}

/** Why this hash is not computed here, or undefined. */
export function costFault({ memoryKib, excess }: HashCost, maxMemoryKib: number): string | undefined {
  if (excess !== undefined) return `the hash asks for ${excess}: hours for one login`;
  if (memoryKib > maxMemoryKib)
    return `the hash asks for ${mebibytes(memoryKib)} of memory, and auth.verification_memory is ${mebibytes(maxMemoryKib)}`;
  return undefined;
}

const CHEAP: HashCost = { text: "", memoryKib: 0, work: 1 };

// What takes some ten seconds of a processor and more.
const MAX_ARGON2_ITERATIONS = 1000;
const MAX_ARGON2_LANES = 64;
const MAX_ROUNDS = 20_000_000;
const MAX_BCRYPT_COST = 18;

function mebibytes(kib: number): string {
  return `${Math.ceil(kib / 1024)} MiB`;
}

function counted(name: string, digits: string | undefined, fallback: number): HashCost {
  const count = /^[0-9]{1,10}$/.test(digits ?? "") ? Number.parseInt(digits!, 10) : fallback;
  const cost = { text: `${name}=${count}`, memoryKib: 0, work: count };
  return count > MAX_ROUNDS ? { ...cost, excess: `${count} ${name}` } : cost;
}

// crypt(5): $y$j9T$salt$hash, $7$CU..../....salt$hash, $6$rounds=9000$salt$hash, $2b$12$…, $sha1$40000$…, $md5,rounds=904$…
function cryptCost(text: string): HashCost {
  const [, method = "", parameters = ""] = text.split("$");
  if (!text.startsWith("$")) return CHEAP;
  switch (method.split(",")[0]) {
    case "y":
    case "gy":
      return scryptCost(yescryptParameters(parameters));
    case "7":
      return scryptCost({ logN: digit(parameters[0]), r: littleEndian(parameters.slice(1, 6)) });
    case "5":
    case "6":
      return counted("rounds", /^rounds=([0-9]+)$/.exec(parameters)?.[1], 5000);
    case "sha1":
      return counted("iterations", parameters, 1);
    case "md5":
      return counted("rounds", /^md5,rounds=([0-9]+)$/.exec(method)?.[1], 0);
    default:
      return method.startsWith("2") ? bcryptCost(parameters) : CHEAP;
  }
}

function bcryptCost(parameters: string): HashCost {
  const cost = /^[0-9]{2}$/.test(parameters) ? Number.parseInt(parameters, 10) : 0;
  const text = `cost=${cost}`;
  return { text, memoryKib: 4, work: 2 ** cost, ...(cost > MAX_BCRYPT_COST && { excess: text }) };
}

interface ScryptParameters {
  readonly logN: number | undefined;
  readonly r: number | undefined;
}

function scryptCost({ logN, r }: ScryptParameters): HashCost {
  // What cannot be read is left to crypt(3), which refuses it too.
  if (logN === undefined || r === undefined) return CHEAP;
  const memoryKib = (2 ** logN * r * 128) / 1024;
  return { text: `N=${2 ** logN},r=${r}`, memoryKib, work: memoryKib };
}

const DIGITS = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

function digit(character: string | undefined): number | undefined {
  const value = character === undefined || character === "" ? -1 : DIGITS.indexOf(character);
  return value < 0 ? undefined : value;
}

function littleEndian(characters: string): number | undefined {
  let value = 0;
  for (const [index, character] of [...characters].entries()) {
    const part = digit(character);
    if (part === undefined) return undefined;
    value += part * 64 ** index;
  }
  return characters.length === 5 ? value : undefined;
}

// Flavor, log2(N), r, each a number of one character or more: libxcrypt's decode64_uint32() in lib/alg-yescrypt-common.c.
function yescryptParameters(parameters: string): ScryptParameters {
  const flavor = variableLength(parameters, 0, 0);
  const logN = flavor && variableLength(parameters, flavor.next, 1);
  const r = logN && variableLength(parameters, logN.next, 1);
  return { logN: logN?.value, r: r?.value };
}

function variableLength(
  text: string,
  at: number,
  min: number,
): { readonly value: number; readonly next: number } | undefined {
  const first = digit(text[at]);
  if (first === undefined) return undefined;
  let [start, end, more, value] = [0, 47, 0, min];
  while (first > end) {
    value += (end + 1 - start) * 64 ** more;
    start = end + 1;
    end = start + Math.floor((62 - end) / 2);
    more += 1;
  }
  value += (first - start) * 64 ** more;
  for (let index = 1; index <= more; index += 1) {
    const part = digit(text[at + index]);
    if (part === undefined) return undefined;
    value += part * 64 ** (more - index);
  }
  return { value, next: at + 1 + more };
}
