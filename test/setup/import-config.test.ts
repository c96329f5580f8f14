import { describe, expect, it } from "vitest";
import { parseConfig } from "../../src/config/load.ts";
import { parseDovecotSettings } from "../../src/control/dovecot/dovecot-settings.ts";
import type { ConfigDraft } from "../../src/setup/config-draft.ts";
import { fromCourier } from "../../src/setup/from-courier.ts";
import { fromDovecot } from "../../src/setup/from-dovecot.ts";

function proposed(draft: ConfigDraft) {
  const text = draft.toString();
  const parsed = parseConfig(text, "proposed");
  if (parsed.kind === "faulty")
    throw new Error(`${parsed.faults.map(({ message }) => message).join()}:\n${text}`);
  const notes = draft.notes.map(
    ({ place, setting, text: said }) => `${place?.file}:${place?.line} ${setting}: ${said}`,
  );
  return { text, config: parsed.config, notes, steps: draft.steps.join("\n") };
}

/** @param files by name, dovecot.conf first */
function dovecot(files: Readonly<Record<string, string>>) {
  const [[file, text] = ["", ""]] = Object.entries(files);
  const settings = parseDovecotSettings({ file, text }, (pattern) =>
    Object.entries(files)
      .filter(([name]) => name === pattern)
      .map(([name, included]) => ({ file: name, text: included })),
  );
  return proposed(fromDovecot(settings, "mail.example.org"));
}

describe("from Dovecot", () => {
  it("Debian's default: system users, mbox that is named with its line", () => {
    const { config, notes, steps } = dovecot({
      "dovecot.conf":
        "dict {\n}\n!include 10-mail.conf\n!include 10-auth.conf\n!include 10-ssl.conf\nprotocols = imap pop3\n",
      "10-mail.conf":
        "mail_location = mbox:~/mail:INBOX=/var/mail/%u\nnamespace inbox {\n  inbox = yes\n}\nmail_privileged_group = mail\nprotocol !indexer-worker {\n  #mail_vsize_bg_after_count = 0\n}\n",
      "10-auth.conf": "auth_mechanisms = plain\n!include auth-system.conf.ext\n",
      "auth-system.conf.ext": "passdb {\n  driver = pam\n  # args = \n}\nuserdb {\n  driver = passwd\n}\n",
      "10-ssl.conf":
        "ssl = yes\nssl_cert = </etc/dovecot/private/dovecot.pem\nssl_key = </etc/dovecot/private/dovecot.key\n",
    });
    expect(config.server).toMatchObject({
      name: "mail.example.org",
      listen: [{ host: "::", port: 110 }],
      listen_tls: [{ host: "::", port: 995 }],
    });
    expect(config.tls?.private_key).toEqual(["/etc/dovecot/private/dovecot.key"]);
    expect(config.accounts.source).toBe("system");
    expect(config.mail.maildir).toBe("~/Maildir");
    expect(config.auth.mechanisms).toBeUndefined();
    expect(notes).toEqual([
      expect.stringMatching(/^10-mail\.conf:1 mail_location: mbox:\S+ is mbox: convert it/),
      expect.stringMatching(/^10-mail\.conf:5 mail_privileged_group: has no counterpart/),
      expect.stringMatching(/^auth-system\.conf\.ext:2 passdb pam: is not asked/),
    ]);
    expect(steps).toContain("pop3-passwd import --passwd /etc/passwd --dated /etc/shadow");
  });

  it("virtual users in a passwd-file, listeners, limits, sockets for Postfix, several certificates", () => {
    const { config, notes, steps, text } = dovecot({
      "dovecot.conf": `protocols = imap pop3 lmtp
listen = 192.0.2.1, ::
mail_location = maildir:~/Maildir:INDEX=/var/index/%u
mail_plugins = $mail_plugins quota zlib
ssl = required
ssl_min_protocol = TLSv1.3
ssl_cert = </etc/ssl/a.pem
ssl_key = </etc/ssl/a.key
local_name b.example.org {
  ssl_cert = </etc/ssl/b.pem
  ssl_key = </etc/ssl/b.key
}
auth_mechanisms = plain login cram-md5 # old clients
auth_failure_delay = 3 secs
auth_default_realm = example.org
first_valid_uid = 500
pop3_uidl_format = %08Xv%08Xu
pop3_no_flag_updates = yes
pop3_logout_format = bye
mail_nfs_storage = yes
imap_idle_notify_interval = 2 mins
some_new_setting = 1
passdb {
  driver = passwd-file
  args = scheme=SHA512-CRYPT username_format=%u /etc/dovecot/users
}
passdb {
  driver = passwd-file
  deny = yes
  args = /etc/dovecot/denied
}
passdb {
  driver = sql
  args = /etc/dovecot/sql.conf
}
userdb {
  driver = static
  args = uid=vmail gid=mail home=/srv/mail/%d/%n
}
service auth {
  unix_listener auth-userdb {
    mode = 0600
  }
  unix_listener /var/spool/postfix/private/auth {
    mode = 0660
    user = postfix
    group = postfix
  }
}
service pop3-login {
  inet_listener pop3 {
    port = 0
  }
  inet_listener pop3s {
    port = 9950
    ssl = yes
    haproxy = yes
  }
}
haproxy_trusted_networks = 10.0.0.0/8 192.0.2.7
protocol imap {
  mail_max_userip_connections = 50
}
protocol pop3 {
  mail_max_userip_connections = 20
}
`,
    });
    expect(config.server).toMatchObject({
      listen: [],
      listen_tls: [],
      proxy_networks: ["10.0.0.0/8", "192.0.2.7"],
    });
    expect(text).toContain('listen_tls_proxy = ["192.0.2.1:9950", "*:9950"]');
    expect(config.tls).toMatchObject({
      certificate: ["/etc/ssl/a.pem", "/etc/ssl/b.pem"],
      private_key: ["/etc/ssl/a.key", "/etc/ssl/b.key"],
      min_version: "TLSv1.3",
    });
    expect(config.auth).toMatchObject({ plaintext_without_tls: "never", mechanisms: ["PLAIN", "LOGIN"] });
    expect(text).toContain('failure_delay = "3s"');
    expect(config.mail).toMatchObject({
      maildir: "/srv/mail/%d/%n/Maildir",
      user: "vmail",
      group: "mail",
      first_uid: 500,
      mark_seen: false,
      shared_storage: true,
    });
    expect(config.mta.sasl_socket).toEqual([{ path: "/var/spool/postfix/private/dewey-auth" }]);
    expect(config.mta).toMatchObject({ socket_user: "postfix", socket_group: "postfix" });
    expect(config.limits.sessions_per_account).toBe(20);
    expect(notes.map((note) => note.replace(/^dovecot\.conf:([0-9]+ [^:]+): .*/, "$1"))).toEqual([
      "4 mail_plugins",
      "13 auth_mechanisms",
      "15 auth_default_realm",
      "19 pop3_logout_format",
      "22 some_new_setting",
      "28 passdb passwd-file",
      "33 passdb sql",
      "45 unix_listener /var/spool/postfix/private/auth",
      "65 mail_max_userip_connections",
    ]);
    expect(steps).toContain("pop3-passwd import /etc/dovecot/users");
    expect(steps).not.toContain("denied");
  });

  it("2.4 and its names", () => {
    const { config, notes, steps } = dovecot({
      "dovecot.conf": `dovecot_config_version = 2.4.0
mail_driver = maildir
mail_path = ~/Maildir
ssl_server_cert_file = /etc/ssl/a.pem
ssl_server_key_file = /etc/ssl/a.key
auth_allow_cleartext = yes
passdb passwd-file {
  passwd_file_path = /etc/dovecot/users
}
userdb static {
  fields {
    uid = vmail
    gid = vmail
    home = /srv/%{user | domain}/%{user | username}
  }
}
`,
    });
    expect(config.tls?.certificate).toEqual(["/etc/ssl/a.pem"]);
    expect(config.auth.plaintext_without_tls).toBe("always");
    expect(config.mail).toMatchObject({ maildir: "/srv/%d/%n/Maildir", user: "vmail" });
    expect(steps).toContain("pop3-passwd import /etc/dovecot/users");
    expect(notes).toEqual([]);
  });

  it("what doveconf -n hides, and a home or a location that has no counterpart", () => {
    const { config, notes } = dovecot({
      "doveconf -n":
        "mail_home = /srv/%Ld/%Ln\nmail_location = maildir:%h/%2.256Nn/Maildir\nssl_cert = </etc/ssl/a.pem\nssl_key = # hidden, use -P to show it\n",
    });
    expect(config.tls).toBeUndefined();
    expect(config.server.listen_tls).toEqual([]);
    expect(notes).toEqual([
      expect.stringMatching(/^doveconf -n:2 mail_location: .* set it by hand/),
      expect.stringMatching(/^doveconf -n:4 ssl_key: names no file/),
    ]);
  });
});

describe("from Courier", () => {
  const pop3d =
    'PORT=110\nADDRESS=0\nMAXDAEMONS=40\nMAXPERIP=4\nPOP3AUTH=""\nPOP3DSTART=YES\nMAILDIRPATH=Maildir\n';
  const ssl =
    "SSLPORT=995\nSSLADDRESS=192.0.2.1\nPOP3DSSLSTART=YES\nPOP3_TLS_REQUIRED=0\nTLS_CERTFILE=/etc/courier/pop3d.pem\n";

  it("Debian's default, and what it has no counterpart for", () => {
    const { config, notes, steps } = proposed(
      fromCourier(
        [
          { file: "pop3d", text: pop3d },
          { file: "pop3d-ssl", text: ssl },
          { file: "authdaemonrc", text: 'authmodulelist="authuserdb authmysql"\n' },
        ],
        "mail.example.org",
      ),
    );
    expect(config.server).toMatchObject({
      listen: [{ host: "::", port: 110 }],
      listen_tls: [{ host: "192.0.2.1", port: 995 }],
    });
    expect(config.tls).toMatchObject({
      certificate: ["/etc/courier/pop3d.pem"],
      private_key: ["/etc/courier/pop3d.pem"],
    });
    expect(config.mail.maildir).toBe("~/Maildir");
    expect(config.limits).toMatchObject({ sessions: 40, sessions_per_address: 4 });
    expect(steps).toContain("pop3-passwd import /etc/courier/userdb");
    expect(notes).toEqual([
      expect.stringMatching(/^authdaemonrc:1 authmodulelist: authmysql is not asked/),
      expect.stringMatching(/^pop3d:3 MAXDAEMONS: /),
    ]);
  });
});
