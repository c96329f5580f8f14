// The host's own crypt(3): yescrypt, sha512crypt, bcrypt … as /etc/shadow has them, without a reimplementation here.
// Called by password.ts alone, off the main thread. A host without libxcrypt (musl, an old glibc) goes without.
import { randomBytes } from "node:crypto";
import koffi, { type KoffiFunc } from "koffi";

export type Crypted =
  | { readonly kind: "hash"; readonly hash: string }
  | { readonly kind: "unsupported"; readonly reason: string };

/** crypt(3) takes at most 511 bytes (CRYPT_MAX_PASSPHRASE_SIZE with its NUL); bcrypt silently drops what follows byte 72. */
export const MAX_CRYPT_PASSWORD_BYTES = 511;
export const MAX_BCRYPT_PASSWORD_BYTES = 72;

/**
 * crypt_rn(3) with a data area of its own, so any number may run at once.
 *
 * @param setting a stored hash, or what makeSetting() gave
 */
export async function crypt(password: Uint8Array, setting: string): Promise<Crypted> {
  const library = load();
  if (library === undefined) return { kind: "unsupported", reason: NO_LIBRARY };
  // A C string: what follows a NUL would not count, so such a password is none.
  if (password.includes(0) || password.length > MAX_CRYPT_PASSWORD_BYTES) {
    return { kind: "unsupported", reason: "crypt(3) cannot take this password" };
  }
  const phrase = cString(password);
  const settingString = cString(Buffer.from(setting));
  const data = Buffer.alloc(CRYPT_DATA_BYTES);
  try {
    const pointer = await new Promise<unknown>((resolve, reject) => {
      library.crypt_rn.async(phrase, settingString, data, data.length, (error: unknown, result: unknown) =>
        error ? reject(error) : resolve(result),
      );
    });
    if (pointer === null) {
      return { kind: "unsupported", reason: "the host's crypt(3) does not know this kind of hash" };
    }
    // struct crypt_data begins with its output (crypt.h), and that is where crypt_rn writes.
    return { kind: "hash", hash: data.toString("latin1", 0, data.indexOf(0)) };
  } finally {
    // Not only to wipe them: koffi holds no reference, and a buffer that nothing names any more may be collected while the other
    // thread still reads it. All three have to be named behind the call.
    for (const buffer of [phrase, settingString, data]) buffer.fill(0);
  }
}

/**
 * A setting with fresh salt (crypt_gensalt_rn(3)).
 *
 * @param prefix "$y$", "$6$", "$2b$" …
 * @param cost in the method's own measure; see crypt(5)
 */
export function makeSetting(prefix: string, cost: number): Crypted {
  const library = load();
  if (library === undefined) return { kind: "unsupported", reason: NO_LIBRARY };
  const output = Buffer.alloc(CRYPT_GENSALT_OUTPUT_BYTES);
  const random = randomBytes(32);
  const pointer = library.crypt_gensalt_rn(
    cString(Buffer.from(prefix)),
    cost,
    random,
    random.length,
    output,
    output.length,
  );
  if (pointer === null)
    return { kind: "unsupported", reason: `the host's crypt(3) does not write ${prefix}` };
  return { kind: "hash", hash: output.toString("latin1", 0, output.indexOf(0)) };
}

// crypt.h: sizeof(struct crypt_data), CRYPT_GENSALT_OUTPUT_SIZE
const CRYPT_DATA_BYTES = 32_768;
const CRYPT_GENSALT_OUTPUT_BYTES = 192;
const NO_LIBRARY = "this host has no libcrypt with crypt_rn(3)";

interface Library {
  readonly crypt_rn: KoffiFunc<(phrase: Buffer, setting: Buffer, data: Buffer, size: number) => unknown>;
  readonly crypt_gensalt_rn: KoffiFunc<
    (
      prefix: Buffer,
      count: number,
      random: Buffer,
      size: number,
      output: Buffer,
      outputSize: number,
    ) => unknown
  >;
}

let loaded: Library | "missing" | undefined;

// At first use: most installations have argon2 alone and never load it. libcrypt.so.2 is libxcrypt without the obsolete calls.
function load(): Library | undefined {
  for (const name of loaded === undefined ? ["libcrypt.so.1", "libcrypt.so.2"] : []) {
    try {
      const library = koffi.load(name);
      loaded = {
        crypt_rn: library.func(
          "void *crypt_rn(const uint8_t *phrase, const uint8_t *setting, _Inout_ uint8_t *data, int size)",
        ) as Library["crypt_rn"],
        crypt_gensalt_rn: library.func(
          "void *crypt_gensalt_rn(const uint8_t *prefix, unsigned long count, const uint8_t *random, int size, _Inout_ uint8_t *output, int output_size)",
        ) as Library["crypt_gensalt_rn"],
      };
      break;
    } catch {}
  }
  loaded ??= "missing";
  return loaded === "missing" ? undefined : loaded;
}

function cString(bytes: Uint8Array): Buffer {
  const string = Buffer.alloc(bytes.length + 1);
  string.set(bytes);
  return string;
}
