// [accounts] and [mail]: where mail is, whose it is, and what becomes of it.
import { z } from "zod";
import { WORKAROUNDS } from "../../mime/workarounds.ts";
import {
  EXPIRE_FORM,
  KEEP_DELETED_FORM,
  parseExpireDays,
  parseKeepDeleted,
  UTF8_HEADERS,
  workaroundsForm,
} from "../mail-policy.ts";
import { duration, id, userOrGroup, written } from "./values.ts";

export const accounts = z
  .strictObject({
    source: z
      .enum(["passwd-file", "system"])
      .default("passwd-file")
      .meta({
        description:
          "Where uid, gid and home come from when an account's line in the passwd file leaves them empty: " +
          '"passwd-file": nowhere; "system": from the host\'s user of the same name (/etc/passwd, LDAP, sssd).',
        reason: "A name in the passwd file should not become a user of the host by chance.",
      }),
  })
  .prefault({})
  .meta({ description: "Whom the lines of the passwd file stand for." });

export const mail = z
  .strictObject({
    maildir: z
      .string()
      .regex(/^(?:~(?:\/|$)|\/)/, 'expected an absolute path or one under "~"')
      .refine((path) => !path.includes("\0") && !/%[^und%]/.test(path), "only %u, %n, %d and %% are replaced")
      .meta({ form: 'path, absolute or under "~"' })
      .default("~/Maildir")
      .meta({
        description:
          'Where an account\'s Maildir is. "~" is the account\'s home, %u user@domain, %n user, %d domain. Absolute or under "~".',
        reason: "It is where Postfix (home_mailbox = Maildir/) and Exim put it.",
      }),
    user: userOrGroup.optional().meta({
      description:
        "Whose uid all mail belongs to: the user that Postfix or Exim delivers as. Left out, and started as root, each " +
        "account's mail belongs to the account's own uid and gid: system users, each with a mailbox process of its own.",
      reason: "Only the MTA's config tells.",
      defaultText: "each account's own",
      example: '"vmail"',
    }),
    group: userOrGroup.optional().meta({
      description: "Whose gid all mail belongs to, with mail.user.",
      reason: "Only the MTA's config tells.",
      defaultText: "the group of mail.user",
      example: '"vmail"',
    }),
    lock: z
      .enum(["flock", "dotlock", "none"])
      .default("flock")
      .meta({
        description:
          'How a session has its maildrop to itself. "flock": by the kernel, across hosts where NFS\'s lock manager runs. ' +
          '"dotlock": by a file, for file systems that cannot lock; every host that serves the mail has to use it. "none": ' +
          "something else sees to it that there is one session at a time.",
        reason: "No crash leaves a lock of the kernel's behind.",
      }),
    shared_storage: z
      .boolean()
      .default(false)
      .meta({
        description:
          "Whether other hosts serve the same Maildirs from a shared file system (NFS, CephFS): what it tells is then asked for " +
          "anew instead of believed from memory, its clock may differ from this host's by a minute, and a stale handle is tried " +
          "again. etc/SCALING.md says what to look after.",
        reason: "A file system of this host's own needs none of that, and is faster without.",
      }),
    first_uid: id.default(1000).meta({
      description: "System users: the least uid whose mail is served; never root's.",
      reason: "Debian's people begin at 1000.",
      unit: "uid",
    }),
    last_uid: id.default(59_999).meta({
      description: "System users: the greatest uid whose mail is served.",
      reason: "Debian's people end there; 65534 is nobody.",
      unit: "uid",
    }),
    first_gid: id.default(100).meta({
      description: "System users: the least gid; the process has it and no other groups.",
      reason: "Debian's groups for people begin at 100 (users); disk, shadow and adm lie below.",
      unit: "gid",
    }),
    last_gid: id.default(59_999).meta({
      description: "System users: the greatest gid.",
      reason: "As for last_uid.",
      unit: "gid",
    }),
    process_idle: duration("5m").meta({
      description: "System users: a mailbox process ends so long after its last session.",
      reason: "Starting one costs a login a moment, keeping it memory; clients poll every few minutes.",
    }),
    max_user_processes: z
      .int()
      .min(1)
      .max(10_000)
      .default(100)
      .meta({
        description:
          "System users: mailbox processes at one time. At the limit an idle one ends for the new one; are all busy, the login is " +
          "refused with [SYS/TEMP].",
        reason: "Each takes some 25 MB of its own.",
        unit: "processes",
      }),
    utf8_headers: z
      .enum(UTF8_HEADERS)
      .default("downgrade")
      .meta({
        description:
          "What a client that has not said UTF8 (RFC 6856) gets of a message with headers in UTF-8, as SMTPUTF8 brings them. " +
          '"downgrade": a copy in encoded words (RFC 6858). "wrap": a message that has the other attached whole. "refuse": -ERR ' +
          '[UTF8]. "as-stored": the message itself, which RFC 6856 forbids.',
        reason:
          "Every mail program shows a downgraded copy; a wrapped one keeps its signatures and hides its text.",
      }),
    workarounds: z
      .array(
        z.enum(WORKAROUNDS, {
          error: ({ input }) => `"${String(input)}": ${workaroundsForm(String(input))}`,
        }),
      )
      .default([])
      .meta({
        description:
          'For clients that cannot bear what some messages have. "nul": NUL octets become 0x80 (Outlook stops there). ' +
          '"missing-end-of-headers": an empty line is added where none is (Outlook Express, Netscape). "bare-cr": a CR without ' +
          "an LF becomes a space. A bare LF is sent as CRLF to every client. For one account: pop3_workarounds=nul,bare-cr.",
        reason: "Messages arrive as they were sent.",
      }),
    mark_seen: z
      .boolean()
      .default(true)
      .meta({
        description:
          "Moves messages that a client has got whole to cur/ with flag S. For one account: the extra field pop3_mark_seen=no " +
          "(or yes) of its passwd line.",
        reason: "IMAP programs then show them as read.",
      }),
    keep_deleted: written(parseKeepDeleted, `: ${KEEP_DELETED_FORM}`)
      .meta({ form: 'duration, or "off"' })
      .prefault("off")
      .meta({
        description:
          'How long removed messages are kept in .dewey-deleted/ of their Maildir, for an undo: "7d", or "off". For one account: ' +
          "pop3_keep_deleted=30d.",
        reason: "Meanwhile they count for the quota, and people expect deleted mail to be gone.",
      }),
    expire: written(parseExpireDays, `: ${EXPIRE_FORM}`)
      .meta({ form: 'duration in whole days, or "never"' })
      .prefault("never")
      .meta({
        description:
          'QUIT also removes messages that have been there for longer: whole days such as "30d", or "never". Clients are told by ' +
          "CAPA (EXPIRE, RFC 2449). For one account: pop3_expire=90d.",
        reason: "Mail is deleted by whom it belongs to, unless you say otherwise.",
      }),
  })
  .refine((mail) => mail.first_uid <= mail.last_uid, {
    path: ["last_uid"],
    message: "must not be less than mail.first_uid, or nobody's mail is served",
  })
  .refine((mail) => mail.first_gid <= mail.last_gid, {
    path: ["last_gid"],
    message: "must not be less than mail.first_gid, or nobody's mail is served",
  })
  .prefault({})
  .meta({ description: "Where mail is, whose it is, and what becomes of it." });
