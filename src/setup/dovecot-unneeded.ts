// Dovecot's settings that our config has nothing for: because it is always so here, because it is about another protocol, or
// because there is none. Pure. Used where its configuration is taken over.

/** What is said of them instead of "has no counterpart". */
export const WITHOUT_COUNTERPART: ReadonlyMap<string, string> = new Map([
  [
    "pop3_delete_type",
    "has no counterpart: what DELE has marked is removed at QUIT, mail.keep_deleted keeps it for a while",
  ],
  [
    "pop3_deleted_flag",
    "has no counterpart: what DELE has marked is removed at QUIT, mail.keep_deleted keeps it for a while",
  ],
  ["pop3_enable_last", "has no counterpart: RFC 1725 took LAST out of POP3"],
  ["pop3_logout_format", "has no counterpart: the log's line at a session's end says all of it"],
  ["login_greeting", "has no counterpart: the greeting has server.name"],
  [
    "login_trusted_networks",
    "has no counterpart: auth.plaintext_without_tls; server.proxy_networks for PROXY headers",
  ],
  ["auth_default_realm", "has no counterpart: accounts are named as clients log in"],
  [
    "auth_master_user_separator",
    "has no counterpart: nobody logs in as another; pop3-ctl mailbox reads their mail",
  ],
  [
    "auth_policy_server_url",
    "has no counterpart: guessing is slowed down by auth.failure_delay and its like",
  ],
  ["lock_method", "has no counterpart: mail.lock says how a maildrop is locked"],
  ["mail_privileged_group", "has no counterpart: a mailbox process has its user's gid alone"],
  ["mail_access_groups", "has no counterpart: a mailbox process has its user's gid alone"],
]);

/** Settings that nobody who moves POP3 here has to think of: inner workings, other protocols, what is always so here. */
export function isSilent(key: string): boolean {
  return SILENT.some((pattern) => pattern.test(key));
}

const SILENT: readonly RegExp[] = [
  /^(?:imap|imapc|lmtp|lda|sieve|managesieve|submission|doveadm|director|replication|fts|acl|quota|stats|metric|dict)_/,
  /^(?:log_|info_log|debug_log|syslog|mail_log|auth_verbose|auth_debug|mail_debug|verbose|login_log|deliver_log)/,
  /^(?:base_dir|state_dir|instance_name|libexec_dir|config_cache|default_|dovecot_|import_environment|shutdown_clients)/,
  /^(?:auth_cache|auth_worker|auth_socket|auth_verbose|last_login|hostname|postmaster|recipient_delimiter|rejection)/,
  /^(?:mail_cache|mail_fsync|mail_index|mail_attachment|mail_save|mail_prefetch|mail_plugin_dir|mmap_disable|dotlock_|maildir_)/,
  /^(?:mail_nfs_index|mail_full_filesystem|mail_server|mail_vsize|mail_temp|mail_chroot|mailbox_|namespace|valid_chroot)/,
  /^(?:ssl_dh|ssl_prefer|ssl_options|ssl_client|ssl_curve|ssl_crypto|ssl_require_crl|ssl_parameters|ssl_protocols)/,
  /^(?:protocol_|mbox_|mdbox_|sdbox_|dbox_|lazy_expunge|trash_|virtual_)/,
];
