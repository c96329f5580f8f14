// The forms that values of config.toml have, each with the name under which the reference explains it. Pure.
import { z } from "zod";
import { isNetwork } from "../../host/networks.ts";
import { parseListenAddress } from "../../net/address.ts";
import { parseDuration } from "../duration.ts";
import { parseMemory } from "../memory.ts";

/** A value in a form of its own. @param expected what is, for the error */
export const written = <T>(parse: (text: string) => T | undefined, expected: string) =>
  z.string({ error: ({ input }) => `${JSON.stringify(input)}${expected}` }).transform((text, context) => {
    const value = parse(text);
    if (value !== undefined) return value;
    context.addIssue({ code: "custom", message: `"${text}"${expected}` });
    return z.NEVER;
  });

export const listenAddress = written(
  parseListenAddress,
  ' is no address, expected "127.0.0.1:110", "[::1]:110" or "*:110"',
).meta({ form: "address" });

export const network = z
  .string()
  .refine(isNetwork, 'expected such as "192.0.2.0/24", "2001:db8::/32" or "192.0.2.1"')
  .meta({ form: "network" });

/** In milliseconds. */
export const duration = (fallback: string) =>
  written(parseDuration, ' is no duration, expected such as "10m", "90s" or "36h"')
    .meta({ form: "duration" })
    .prefault(fallback);

/** In KiB. */
export const memory = (fallback: string, leastKib: number) =>
  z
    .string()
    .transform((text, context) => {
      const kib = parseMemory(text);
      if (kib !== undefined && kib >= leastKib && kib <= MAX_MEMORY_KIB) return kib;
      const message =
        kib === undefined
          ? `"${text}" is no amount of memory, expected such as "19MiB", "1GiB" or "19456KiB"`
          : `"${text}" is out of range, expected ${leastKib}KiB to ${MAX_MEMORY_KIB / 1024 ** 2}GiB`;
      context.addIssue({ code: "custom", message });
      return z.NEVER;
    })
    .meta({ form: `amount of memory, ${leastKib}KiB to ${MAX_MEMORY_KIB / 1024 ** 2}GiB` })
    .prefault(fallback);
const MAX_MEMORY_KIB = 64 * 1024 * 1024;

export const absolutePath = z
  .string()
  .refine((path) => path.startsWith("/") && !path.includes("\0"), "expected an absolute path")
  .meta({ form: "absolute path" });

/** A socket's address holds 108 bytes, the final NUL included (unix(7)); our names in the folder take up to 20. */
export const socketFolder = absolutePath
  .refine((path) => Buffer.byteLength(path) <= 87, "too long for the sockets in it, at most 87 bytes")
  .meta({ form: "absolute path of at most 87 bytes" });

const socketPath = absolutePath.refine(
  (path) => Buffer.byteLength(path) <= 107,
  "too long for a UNIX socket, at most 107 bytes (unix(7))",
);

export const onePathOrMore = z
  .union([absolutePath.transform((path) => [path]), z.array(absolutePath).min(1)])
  .meta({ form: "absolute path, or a list of them" });

/** A name or a number, as in chown(1). */
export const userOrGroup = z
  .union([z.string().min(1), z.int().nonnegative().transform(String)])
  .meta({ form: "name or number" });

/** 4294967295, (uid_t)-1, means "no change" to chown(2). */
export const id = z.int().min(1).max(4_294_967_294);

export const octalMode = z
  .string()
  .regex(/^0?[0-7]{3}$/, 'expected an octal mode such as "0660"')
  .transform((mode) => Number.parseInt(mode, 8))
  .meta({ form: "octal mode" });

/** A UNIX socket, and who may connect to it. */
export const ownedSocket = z.union([
  socketPath.transform((path) => ({ path })),
  z.strictObject({
    path: socketPath,
    user: userOrGroup.optional(),
    group: userOrGroup.optional(),
    mode: octalMode.optional(),
  }),
]);

/** What the reference says of each form that its name alone does not tell. */
export const FORMS: readonly (readonly [form: string, meaning: string])[] = [
  ["duration", 'a number with one of the units ms, s, m, h and d: "250ms", "90s", "10m", "36h", "7d"'],
  ["amount of memory", 'a whole number with one of the units KiB, MiB and GiB: "19456KiB", "19MiB", "1GiB"'],
  ["address", 'IP address and port: "127.0.0.1:110", "[::1]:110", or "*:110" for every address of the host'],
  ["network", '"192.0.2.0/24", "2001:db8::/32", or one address: "192.0.2.1"'],
  ["name or number", "of a user or group of the host, as chown(1) takes it"],
  ["octal mode", 'as chmod(1) takes it: "0660"'],
];
