// A config.toml from Dovecot's configuration: what its POP3 did, we do; what has no counterpart is named, with its line.
// Pure. Used by `pop3-ctl import-config`.
import { parseDovecotLocation } from "../accounts/transfer/dovecot-location.ts";
import { mailLocation } from "../control/dovecot/dovecot-config.ts";
import { type DovecotSetting, isForPop3, pop3Settings } from "../control/dovecot/dovecot-settings.ts";
import { ConfigDraft } from "./config-draft.ts";
import { accountsFromDovecot } from "./dovecot-accounts.ts";
import { isSilent, WITHOUT_COUNTERPART } from "./dovecot-unneeded.ts";

export function fromDovecot(settings: readonly DovecotSetting[], hostName: string): ConfigDraft {
  const draft = new ConfigDraft();
  draft.set("server", "name", hostName);
  const holds = pop3Settings(settings);
  const value = (key: string): string | undefined => holds.get(key)?.value;
  const usesTls = tls(draft, settings, holds);
  listeners(draft, settings, holds, usesTls);
  logins(draft, holds);
  const staticHome = accountsFromDovecot(draft, settings);
  mail(draft, holds, value("mail_home") ?? staticHome);
  mtaSockets(draft, settings);
  draft.step(
    "keep the unique-ids that clients know: pop3-ctl import-uidl --all --dry-run, then without --dry-run",
  );
  draft.step("see that no client would download anything again: pop3-ctl rehearse --help");
  for (const setting of settings) {
    const { sections, key, place } = setting;
    const isMain = sections.length === 0 || (sections.length === 1 && isForPop3(sections[0]!));
    if (!isMain || TAKEN.has(key) || isSilent(key) || holds.get(key) !== setting) continue;
    draft.note(key, place, WITHOUT_COUNTERPART.get(key) ?? "has no counterpart");
  }
  return draft;
}

type Holds = ReadonlyMap<string, DovecotSetting>;

/** What is looked at here and in the files beside this one. */
const TAKEN: ReadonlySet<string> = new Set([
  ...["protocols", "listen", "haproxy_trusted_networks"],
  ...["ssl", "ssl_cert", "ssl_key", "ssl_server_cert_file", "ssl_server_key_file", "ssl_min_protocol"],
  ...["ssl_cipher_list", "ssl_ca", "ssl_verify_client_cert", "auth_ssl_require_client_cert"],
  ...["disable_plaintext_auth", "auth_allow_cleartext", "auth_mechanisms", "auth_failure_delay"],
  ...["auth_username_format", "mail_max_userip_connections", "mail_location", "mail_driver", "mail_path"],
  ...["mail_inbox_path", "mail_control_path", "mailbox_list_layout", "mail_home", "mail_uid", "mail_gid"],
  ...["first_valid_uid", "last_valid_uid", "first_valid_gid", "last_valid_gid", "pop3_no_flag_updates"],
  ...["mail_nfs_storage", "mail_plugins", "pop3_uidl_format", "pop3_save_uidl", "pop3_uidl_duplicates"],
  ...["pop3_reuse_xuidl", "pop3_lock_session", "pop3_fast_size_lookups", "pop3_client_workarounds"],
]);

/** @returns whether there is a certificate to serve */
function tls(draft: ConfigDraft, settings: readonly DovecotSetting[], holds: Holds): boolean {
  if (holds.get("ssl")?.value === "no") return false;
  const pathOf = ({ value }: DovecotSetting): string => value.replace(/^</, "").trim();
  // Those of local_name { } are for clients that ask for that name, as our further ones are for the names in them.
  const files = (...keys: string[]): DovecotSetting[] => {
    const main = keys.flatMap((key) => holds.get(key) ?? []).slice(0, 1);
    const named = settings.filter(
      ({ sections, key }) => sections.length === 1 && /^local_name /.test(sections[0]!) && keys.includes(key),
    );
    return [...main, ...named];
  };
  const certificates = files("ssl_cert", "ssl_server_cert_file");
  const keys = files("ssl_key", "ssl_server_key_file");
  if (certificates.length === 0) return false;
  const isWhole = [...certificates, ...keys].every((setting) => pathOf(setting).startsWith("/"));
  if (!isWhole || keys.length !== certificates.length) {
    const { key, place } = keys[0] ?? certificates[0]!;
    draft.note(
      key,
      place,
      "names no file: doveconf -P shows what doveconf -n hides; set tls.certificate and private_key",
    );
    return false;
  }
  const one = (paths: readonly string[]) => (paths.length === 1 ? paths[0]! : paths);
  draft.set("tls", "certificate", one(certificates.map(pathOf)));
  draft.set("tls", "private_key", one(keys.map(pathOf)));
  if (holds.get("ssl_min_protocol")?.value === "TLSv1.3") draft.set("tls", "min_version", "TLSv1.3");
  const ciphers = holds.get("ssl_cipher_list");
  if (ciphers !== undefined && ciphers.value !== "") draft.set("tls", "ciphers", ciphers.value);
  const authority = holds.get("ssl_ca");
  if (authority !== undefined && holds.get("ssl_verify_client_cert")?.value === "yes") {
    draft.set("tls", "client_ca", pathOf(authority));
    draft.note(
      "ssl_ca",
      authority.place,
      "is tls.client_ca: a client's certificate logs in by AUTH EXTERNAL alone",
    );
  }
  return true;
}

function listeners(
  draft: ConfigDraft,
  settings: readonly DovecotSetting[],
  holds: Holds,
  usesTls: boolean,
): void {
  const protocols = holds.get("protocols");
  if (protocols !== undefined && !/\bpop3s?\b/.test(protocols.value))
    draft.note("protocols", protocols.place, "has no pop3: this Dovecot has served none");
  const addresses = (text: string): string[] => {
    const all = text.split(/[\s,]+/).filter((address) => address !== "");
    // "*" is all of IPv4 there, and all of both here.
    return [...new Set(all.map((address) => (address === "::" || address === "[::]" ? "*" : address)))];
  };
  const ports = new Map<"listen" | "listen_tls" | "listen_proxy" | "listen_tls_proxy", string[]>();
  for (const [name, defaultPort] of [
    ["pop3", 110],
    ["pop3s", 995],
  ] as const) {
    const own = new Map(
      settings
        .filter(
          ({ sections: [service, listener] }) =>
            service === "service pop3-login" && listener === `inet_listener ${name}`,
        )
        .map((setting) => [setting.key, setting]),
    );
    const port = Number(own.get("port")?.value ?? defaultPort);
    const isTls = own.get("ssl") === undefined ? name === "pop3s" : own.get("ssl")!.value === "yes";
    if (port === 0 || (isTls && !usesTls)) continue;
    const isProxied = own.get("haproxy")?.value === "yes";
    const key = `listen${isTls ? "_tls" : ""}${isProxied ? "_proxy" : ""}` as const;
    const where = own.get("address") ?? own.get("listen") ?? holds.get("listen");
    for (const address of addresses(where?.value ?? "*")) {
      if (/^[0-9a-f.:*[\]]+$/i.test(address)) {
        const host = address.includes(":") && !address.startsWith("[") ? `[${address}]` : address;
        ports.set(key, [...(ports.get(key) ?? []), `${host}:${port}`]);
      } else draft.note(where!.key, where!.place, `${address} is a name: server.listen takes addresses`);
    }
  }
  for (const [key, value] of ports) draft.set("server", key, value);
  // Ours is on loopback where nothing is said.
  if (!ports.has("listen")) draft.set("server", "listen", []);
  const networks = holds.get("haproxy_trusted_networks");
  if (networks !== undefined)
    draft.set(
      "server",
      "proxy_networks",
      networks.value.split(/[\s,]+/).filter((network) => network !== ""),
    );
}

function logins(draft: ConfigDraft, holds: Holds): void {
  const allowsPlain =
    holds.get("disable_plaintext_auth")?.value === "no" || holds.get("auth_allow_cleartext")?.value === "yes";
  if (holds.get("ssl")?.value === "required") draft.set("auth", "plaintext_without_tls", "never");
  else if (allowsPlain) draft.set("auth", "plaintext_without_tls", "always");
  const mechanisms = holds.get("auth_mechanisms");
  const names =
    mechanisms?.value
      .toUpperCase()
      .split(/\s+/)
      .filter((name) => name !== "") ?? [];
  const ours = names.filter((name) => /^(?:PLAIN|LOGIN|SCRAM-SHA-(?:1|256)(?:-PLUS)?|EXTERNAL)$/.test(name));
  // PLAIN alone is Dovecot's default: clients use USER and PASS then.
  if (ours.length > 0 && names.join() !== "PLAIN") draft.set("auth", "mechanisms", ours);
  for (const name of names.filter((other) => !ours.includes(other)))
    draft.note(
      "auth_mechanisms",
      mechanisms!.place,
      `${name} has no counterpart: a client that insists on it cannot log in`,
    );
  const delay = holds.get("auth_failure_delay");
  if (delay !== undefined) setDuration(draft, "auth", "failure_delay", delay);
  const format = holds.get("auth_username_format");
  if (format !== undefined && !/^(?:%u|%Lu|%\{user(?: *\| *lower)?\}|)$/.test(format.value))
    draft.note(
      format.key,
      format.place,
      `${format.value} has no counterpart: accounts are named as clients log in`,
    );
  const most = holds.get("mail_max_userip_connections");
  if (most !== undefined && /^[1-9][0-9]{0,2}$/.test(most.value)) {
    draft.set("limits", "sessions_per_account", Number(most.value));
    draft.note(
      most.key,
      most.place,
      "is limits.sessions_per_account, which counts an account's sessions from everywhere",
    );
  }
}

/** "2 secs", "10 mins" */
function setDuration(
  draft: ConfigDraft,
  table: "auth",
  key: string,
  { value, ...setting }: DovecotSetting,
): void {
  const [, number, unit] = /^([0-9]+) *(m?s|secs?|mins?|[mh]|hours?)?[a-z]*$/.exec(value) ?? [];
  if (number === undefined) draft.note(setting.key, setting.place, `${value} is no duration`);
  else draft.set(table, key, `${number}${unit === "ms" ? "ms" : (unit ?? "s").charAt(0)}`);
}

function mail(draft: ConfigDraft, holds: Holds, home: string | undefined): void {
  const plain = new Map([...holds].map(([key, { value }]) => [key, value]));
  const { driver, maildir } = parseDovecotLocation(mailLocation(plain));
  const location = holds.get("mail_location") ?? holds.get("mail_path") ?? holds.get("mail_driver");
  if (maildir !== undefined) {
    const homeTemplate = home === undefined ? undefined : parseDovecotLocation(`maildir:${home}`).maildir;
    draft.set("mail", "maildir", homeTemplate === undefined ? maildir : maildir.replace(/^~/, homeTemplate));
  } else if (location !== undefined && location.value !== "") {
    draft.note(
      location.key,
      location.place,
      driver === "mbox"
        ? `${location.value} is mbox: convert it (etc/MOVING.md, "From mbox"), mail.maildir says where to`
        : driver === "maildir"
          ? `${location.value} has a variable that mail.maildir has not: set it by hand`
          : `${location.value} is no Maildir: convert it (doveadm sync), mail.maildir says where to`,
    );
  }
  for (const [key, ours] of [
    ["mail_uid", "user"],
    ["mail_gid", "group"],
  ] as const) {
    const id = holds.get(key)?.value;
    if (id !== undefined && id !== "") draft.set("mail", ours, id);
  }
  for (const edge of ["first_valid_uid", "last_valid_uid", "first_valid_gid", "last_valid_gid"]) {
    const id = holds.get(edge)?.value;
    if (id !== undefined && /^[1-9][0-9]*$/.test(id))
      draft.set("mail", edge.replace("valid_", ""), Number(id));
  }
  if (holds.get("pop3_no_flag_updates")?.value === "yes") draft.set("mail", "mark_seen", false);
  if (holds.get("mail_nfs_storage")?.value === "yes") draft.set("mail", "shared_storage", true);
  const plugins = holds.get("mail_plugins");
  for (const [pattern, text] of [
    [
      /\b(?:zlib|mail_compress)\b/,
      "compresses messages in place: they are served as they are stored; unpack them first",
    ],
    [/\bmail_crypt\b/, "encrypts messages in place: they are served as they are stored; decrypt them first"],
  ] as const) {
    if (plugins !== undefined && pattern.test(plugins.value)) draft.note("mail_plugins", plugins.place, text);
  }
}

/** Where Postfix and Exim ask Dovecot who may log in. */
function mtaSockets(draft: ConfigDraft, settings: readonly DovecotSetting[]): void {
  for (const { sections, place, block } of settings) {
    const [, path] = /^unix_listener (\/\S+)$/.exec(sections[1] ?? "") ?? [];
    if (sections[0] !== "service auth" || path === undefined || draft.has("mta", "sasl_socket")) continue;
    const own = settings.filter((setting) => setting.block === block);
    const value = (key: string): string | undefined => own.find((setting) => setting.key === key)?.value;
    // Of its own name: Dovecot's may still be in use, by its IMAP.
    const ours = path.replace(/[^/]+$/, "dewey-auth");
    draft.set("mta", "sasl_socket", ours);
    if (value("group")) draft.set("mta", "socket_group", value("group")!);
    if (value("user") && value("user") !== "root") draft.set("mta", "socket_user", value("user")!);
    draft.note(
      `unix_listener ${path}`,
      place,
      `is mta.sasl_socket ${ours}: name that in the MTA (smtpd_sasl_path)`,
    );
  }
}
