// [mta]: what Postfix and Exim ask, and who of them may.
import { z } from "zod";
import { absolutePath, octalMode, ownedSocket, userOrGroup } from "./values.ts";

/** The kinds of maps that are written (DATABASE_README of Postfix). */
export const POSTFIX_MAP_TYPES = ["hash", "btree", "lmdb", "cdb", "texthash"] as const;

const mtaSockets = z
  .union(
    [ownedSocket.transform((socket) => [socket]), z.array(ownedSocket)],
    'expected an absolute path of at most 107 bytes, or { path = "/…", user = "…", group = "…", mode = "0660" }, or a list of these',
  )
  .meta({ form: "absolute path, or { path, user, group, mode }, or a list of these" })
  .prefault([]);

const postfixMaps = z.strictObject({
  folder: absolutePath.meta({
    description: "Where the maps are written.\n  install -d -o dewey-auth -m 755 /var/lib/dewey-pop3/postfix",
    reason: "It belongs to server.auth_user, who writes them.",
    defaultText: "none; it has to be there",
  }),
  type: z
    .enum(POSTFIX_MAP_TYPES)
    .default("hash")
    .meta({
      description:
        "As main.cf names it. postmap, which needs no root for that, makes the index beside the old one, which is then " +
        'replaced as a whole; Postfix notices by itself. "texthash" is text alone, for Exim: Postfix would read it at its ' +
        "next reload only.",
      reason: "Every Postfix of Debian 12 has it.",
    }),
  postmap: z.array(z.string().min(1)).min(1).default(["/usr/sbin/postmap"]).meta({
    description:
      'Program and first arguments; another instance of Postfix:\n  postmap = ["/usr/sbin/postmap", "-c", "/etc/postfix-two"]',
    reason: "It is where Debian has it.",
  }),
});

export const mta = z
  .strictObject({
    sasl_socket: mtaSockets.meta({
      description:
        "Dovecot's auth protocol for the MTA's SMTP AUTH: Postfix's smtpd_sasl_path, Exim's server_socket. One path, or several " +
        "as a list; one that is for somebody else than the others says so:\n" +
        '  sasl_socket = ["/var/spool/postfix/private/dewey-auth", { path = "/run/dewey-pop3/exim-auth", group = "Debian-exim" }]',
      reason: "Both MTAs speak it; without an MTA nobody should ask.",
      example: '"/var/spool/postfix/private/dewey-auth"',
    }),
    socketmap_socket: mtaSockets.meta({
      description:
        "Postfix's socketmap, answered from the passwd file as it is at that moment: who exists (recipient), who may send as " +
        "whom (sender-login), where the mail is (mailbox) and whose (uid, gid). Locked accounts still receive mail.",
      reason: "Postfix then needs no reload and no map for what pop3-passwd changes.",
      example: '"/var/spool/postfix/private/dewey-map"',
    }),
    socket_user: userOrGroup.optional().meta({
      description: "Who may connect to the sockets that don't say so themselves.",
      reason: "Whoever may, can try passwords: the MTA and nobody else.",
      defaultText: "whoever started the server",
      example: '"postfix"',
    }),
    socket_group: userOrGroup.optional().meta({
      description: "Which group may connect to them.",
      reason: "Whoever may, can try passwords: the MTA's group and nobody else's.",
      defaultText: "that of whoever started the server",
      example: '"postfix"',
    }),
    socket_mode: octalMode.prefault("0660").meta({
      description: "The mode of these sockets.",
      reason: "User and group, and nobody else.",
    }),
    local_domains: z
      .array(
        z
          .string()
          .regex(/^[^\s@]+$/, 'expected a domain such as "example.org"')
          .toLowerCase()
          .meta({ form: "domain" }),
      )
      .default([])
      .meta({
        description:
          "The domains of accounts that have no domain in their names: mail for mrose@example.org is mrose's.",
        reason: "Without one mail comes only for accounts that are named as their addresses.",
        example: '["example.org"]',
      }),
    postfix_maps: postfixMaps.optional().meta({
      form: "table { folder, type, postmap }",
      description:
        "The same maps as files: mailboxes, uids, gids. Postfix's virtual(8) refuses a socketmap, and Exim reads them by lsearch. " +
        "Written anew within a second of each change of the passwd file, as auth_user.",
      reason: "Not every host needs them, and their folder has to be made first.",
      defaultText: "no maps",
      example: '{ folder = "/var/lib/dewey-pop3/postfix", type = "hash", postmap = ["/usr/sbin/postmap"] }',
    }),
  })
  .prefault({})
  .meta({ description: "What Postfix and Exim ask: who may log in, who receives, who sends as whom." });
