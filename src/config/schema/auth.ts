// [auth]: how passwords are asked for, checked, stored, and guessing them slowed down.
import { availableParallelism } from "node:os";
import { z } from "zod";
import { absolutePath, duration, memory, network } from "./values.ts";

/** As src/sasl/mechanisms.ts has them, which master, who reads the config, must not know. */
const MECHANISMS = [
  "PLAIN",
  "LOGIN",
  "SCRAM-SHA-256",
  "SCRAM-SHA-1",
  "SCRAM-SHA-256-PLUS",
  "SCRAM-SHA-1-PLUS",
  "EXTERNAL",
] as const;

/** What accounts/passwords/hash-policy.ts can write; named here again, since this file is read by processes that may know no accounts. */
export const PASSWORD_SCHEMES = [
  "argon2id",
  "yescrypt",
  "sha512-crypt",
  "sha256-crypt",
  "bcrypt",
  "scram-sha-256",
  "scram-sha-1",
] as const;

export const auth = z
  .strictObject({
    passwd_file: absolutePath.default("/etc/dewey-pop3/passwd").meta({
      description:
        "One account a line, as Dovecot's passwd-file and Exim's lsearch read them. Readable by server.auth_user alone.",
      reason: "One file for POP3 and SMTP: a password is changed in one place.",
    }),
    plaintext_without_tls: z.enum(["never", "loopback", "always"]).default("loopback").meta({
      description:
        'Where a password is taken without TLS: "never", "loopback" (from 127.0.0.0/8 and ::1), "always".',
      reason: "On the way from other hosts it could be read by others.",
    }),
    mechanisms: z
      .array(z.enum(MECHANISMS))
      .min(1)
      .optional()
      .meta({
        description:
          "SASL mechanisms, exactly these; PLAIN stands for USER and PASS, too. SCRAM works as soon as an account has something " +
          "stored for it; clients that find SCRAM don't fall back to PLAIN, so give it to all accounts (pop3-passwd set " +
          "--scheme scram-sha-256) or name the mechanisms here.",
        reason: "A client takes the best that it knows of those that work.",
        defaultText: "every one that works",
        example:
          '["PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-1", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "EXTERNAL"]',
      }),
    failure_delay: duration("2s").meta({
      description:
        "A refused login is answered no sooner than this. Failures beyond a handful (of an account, an address, or both) double " +
        "it, up to max_failure_delay, and no more attempts are checked in that time, however many connections they come by. " +
        "At most 8s towards the MTA: Postfix waits for 10. An address from which an account has logged in before is not " +
        'slowed down by strangers elsewhere, and the same wrong password again and again counts once. "0s" slows nobody down.',
      reason:
        "It slows guessing down and hides how long checking took, and a person who mistyped hardly notices.",
    }),
    max_failure_delay: duration("15s").meta({
      description: "The longest that a refused login waits for its answer.",
      reason:
        "Longer, and mail programs give up; one attempt in 15 seconds is 5,760 a day, from everywhere together.",
    }),
    throttle_exempt_nets: z
      .array(network)
      .prefault(["127.0.0.0/8", "::1/128"])
      .meta({
        description:
          "Networks whose addresses stand for many people, as webmail's and proxies' do: an address in them is not slowed down " +
          "for what different accounts got wrong.",
        reason: "What runs on this host asks for many people. Each account's failures count from there, too.",
      }),
    throttle_store: z
      .string()
      .refine(isRedisUrl, 'expected such as "redis://192.0.2.20:6379/0" or "rediss://user:password@host"')
      .optional()
      .meta({
        description:
          "Redis or Valkey through which several hosts tell each other of failures, so that who guesses at one is slowed down at " +
          "all: redis://[user:password@]host[:port][/database], rediss: with TLS. No login waits for it; while it is away each " +
          "host counts for itself. With a password in it, this file must not be readable by everybody.",
        reason: "One host needs none.",
        defaultText: "each host counts for itself",
        example: '"redis://192.0.2.20:6379/0"',
      }),
    parallel_verifications: z
      .int()
      .min(1)
      .max(256)
      .default(() => availableParallelism())
      .meta({
        description: "How many passwords are verified at one time; the others wait their turn.",
        reason: "Each takes a core for itself, and argon2id holds its memory meanwhile.",
        unit: "verifications",
        defaultText: "one for each core",
        example: "2",
      }),
    verification_memory: memory("512MiB", 1024).meta({
      description:
        "What all verifications under way may hold together; more wait their turn. An account whose hash asks for more than " +
        "this alone is refused, and the log names its line.",
      reason: "A line of the passwd file must not be able to end the process.",
    }),
    password_scheme: z
      .enum(PASSWORD_SCHEMES)
      .default("argon2id")
      .meta({
        description:
          'How new passwords are hashed: "argon2id", or for an MTA that reads the passwd file itself "yescrypt", ' +
          '"sha512-crypt", "sha256-crypt", "bcrypt"; "scram-sha-256", "scram-sha-1". See also: pop3-passwd set --scram.',
        reason: "OWASP's first choice: memory is what makes guessing dear.",
      }),
    argon2_memory: memory("19MiB", 8).meta({
      description: "The memory that argon2id takes for a new hash.",
      reason:
        "OWASP's recommended minimum: a POP3 client logs in anew at every poll. More is safer if the file is ever stolen, and " +
        "costs at every first login of a client.",
    }),
    argon2_time: z.int().min(1).max(100).default(2).meta({
      description: "How often argon2id goes over its memory.",
      reason: "OWASP's recommended minimum for 19 MiB.",
      unit: "iterations",
    }),
    argon2_parallelism: z.int().min(1).max(16).default(1).meta({
      description: "In how many lanes argon2id does it.",
      reason: "OWASP's recommendation: several logins keep all cores busy as well.",
      unit: "lanes",
    }),
    rehash_on_login: z
      .boolean()
      .default(false)
      .meta({
        description:
          "A weak hash (a fast digest, too low a cost, or marked by pop3-passwd rehash) is replaced after a login that showed " +
          "the password. auth_user must be able to replace the file: let it own the file, in a folder of its own, " +
          "and let systemd leave that folder writable (ReadWritePaths=).\n" +
          "  install -d -o dewey-auth -g dewey-auth -m 750 /etc/dewey-pop3/accounts",
        reason:
          "Whoever takes over the auth process could then change passwords. Leave it off, too, where Exim reads the file itself, " +
          "unless password_scheme is one that crypt(3) knows.",
      }),
  })
  .refine((auth) => auth.argon2_memory <= auth.verification_memory, {
    path: ["argon2_memory"],
    message: "must not be more than auth.verification_memory, or nobody could log in",
  })
  .refine((auth) => auth.argon2_memory >= 8 * auth.argon2_parallelism, {
    path: ["argon2_memory"],
    message: "must be 8KiB for each of auth.argon2_parallelism at least",
  })
  .prefault({})
  .meta({ description: "Who may log in, how, and how new passwords are stored." });

function isRedisUrl(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url !== undefined && /^rediss?:$/.test(url.protocol) && url.hostname !== "";
}
