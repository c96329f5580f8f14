// What pop3-ctl has a process of the mail's owner do with a Maildir, and what comes back: one JSON line there, any number
// back. Pop3-ctl itself, which may be root, never reads mail.
import { z } from "zod";
import { SURROGATE_KINDS } from "../../mime/surrogate.ts";

const folder = z.string().startsWith("/").max(4096);
const maildir = folder;
const number = z.int().positive();
const count = z.int().nonnegative();
/** How the server treats the Maildir, which is how we have to. */
const storage = { lock: z.enum(["flock", "dotlock", "none"]), sharedStorage: z.boolean() };

export const mailboxRequest = z.discriminatedUnion("kind", [
  /** Messages with what their headers say; the one of this number, or the last so many. */
  z.strictObject({
    kind: z.literal("list"),
    maildir,
    number: number.optional(),
    last: number.optional(),
  }),
  z.strictObject({ kind: z.literal("show"), maildir, number }),
  z.strictObject({ kind: z.literal("status"), maildir, ...storage }),
  /** Puts back what UPDATE kept for a while. */
  z.strictObject({ kind: z.literal("undelete"), maildir, ...storage, sinceMs: z.number().optional() }),
  /** Counts all sizes and writes the index. */
  z.strictObject({ kind: z.literal("warm"), maildir, ...storage, surrogate: z.enum(SURROGATE_KINDS) }),
  /** What clients would be told, all of it; changes nothing. */
  z.strictObject({ kind: z.literal("preview"), maildir }),
  /** Freezes another server's unique-ids. */
  z.strictObject({
    kind: z.literal("import"),
    maildir,
    ...storage,
    from: z.enum(["auto", "dovecot", "courier", "x-uidl", "filename", "nothing"]),
    format: z.string().optional(),
    configuredFormat: z.string().optional(),
    controlFolder: folder.optional(),
    renamesDuplicates: z.boolean(),
    reusesXUidl: z.boolean(),
    replace: z.boolean(),
    dryRun: z.boolean(),
    lockWaitMs: z.number().nonnegative(),
  }),
  /** Saves unique-ids in Dovecot's list. */
  z.strictObject({
    kind: z.literal("export"),
    maildir,
    ...storage,
    controlFolder: folder.optional(),
    dryRun: z.boolean(),
    lockWaitMs: z.number().nonnegative(),
  }),
]);

const header = z.strictObject({
  number,
  uniqueId: z.string(),
  octets: z.int().nonnegative(),
  /** As the message says; null where it says nothing that can be read. */
  date: z.string().nullable(),
  from: z.string(),
  subject: z.string(),
});

const progress = z.strictObject({
  kind: z.enum(["progress", "warm", "stopped"]),
  messages: z.int().nonnegative(),
  toCount: z.int().nonnegative(),
  counted: z.int().nonnegative(),
  bytes: z.int().nonnegative(),
});

const imported = z.discriminatedUnion("result", [
  z.strictObject({
    kind: z.literal("import"),
    result: z.enum(["imported", "would-import", "unchanged", "differs"]),
    from: z.enum(["dovecot", "courier", "x-uidl", "filename", "nothing"]),
    format: z.string().nullable(),
    messages: count,
    inherited: count,
    invalid: count,
    duplicate: count,
    changed: count,
  }),
  z.strictObject({ kind: z.literal("import"), result: z.enum(["missing", "locked"]) }),
]);

const exported = z.discriminatedUnion("result", [
  z.strictObject({
    kind: z.literal("export"),
    result: z.enum(["exported", "would-export", "unchanged"]),
    messages: count,
    changed: count,
    unwritable: count,
    backup: z.string().nullable(),
  }),
  z.strictObject({ kind: z.literal("export"), result: z.literal("missing") }),
  z.strictObject({
    kind: z.literal("export"),
    result: z.literal("locked"),
    by: z.enum(["session", "dovecot"]),
  }),
]);

export const mailboxAnswer = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("message"), ...header.shape }),
  z.strictObject({
    kind: z.literal("content"),
    ...header.shape,
    headers: z.array(z.strictObject({ name: z.string(), value: z.string() })),
    text: z.string(),
    attachments: z.array(
      z.strictObject({ name: z.string(), type: z.string(), bytes: z.int().nonnegative() }),
    ),
    /** Only the beginning was read. */
    isCut: z.boolean(),
  }),
  z.strictObject({
    kind: z.literal("status"),
    messages: z.int().nonnegative(),
    octets: z.int().nonnegative(),
    /** Messages whose sizes are not known yet; their octets are missing in the sum. */
    uncounted: z.int().nonnegative(),
    newMessages: z.int().nonnegative(),
    isLocked: z.boolean(),
  }),
  z.strictObject({
    kind: z.literal("undeleted"),
    restored: z.int().nonnegative(),
    /** Those whose place another message has; they stay where they are. */
    occupied: z.int().nonnegative(),
    failed: z.array(z.strictObject({ path: z.string(), code: z.string() })),
  }),
  progress,
  imported,
  exported,
  z.strictObject({ kind: z.literal("previewed"), uniqueId: z.string(), octets: count }),
  z.strictObject({ kind: z.literal("missing") }),
  z.strictObject({ kind: z.literal("locked") }),
  z.strictObject({ kind: z.literal("failed"), reason: z.string() }),
]);

export type MailboxRequest = z.infer<typeof mailboxRequest>;
export type MailboxAnswer = z.infer<typeof mailboxAnswer>;
