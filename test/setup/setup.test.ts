import { describe, expect, it } from "vitest";
import { parseConfig } from "../../src/config/load.ts";
import { dovecotFactsOf, type HostFacts, portsOfOthers } from "../../src/setup/host-facts.ts";
import { markedText, stateOf } from "../../src/setup/own-file.ts";
import { dovecotMaildir, propose } from "../../src/setup/proposal.ts";

const bare: HostFacts = {
  name: "mail.example.org",
  postfix: undefined,
  exim: undefined,
  dovecot: undefined,
  hasCourier: false,
  certificateNames: [],
  takenPorts: [],
  hasVmail: false,
  mailFolders: [],
  hasAccounts: false,
  hasDropIn: false,
};
const postfix = {
  queueFolder: "/var/spool/postfix",
  virtualDomains: ["example.org"],
  localDomains: ["mail.example.org"],
  hasLines: false,
  services: [],
  certificateFile: "/etc/ssl/certs/ssl-cert-snakeoil.pem",
};
const file = "/etc/dewey-pop3/config.toml";
function proposed(facts: Partial<HostFacts>) {
  const { files, steps } = propose({ ...bare, ...facts }, file, (path) => `sample of ${path}\n`);
  const parsed = parseConfig(files[0]!.text, file);
  if (parsed.kind === "faulty") throw new Error(parsed.faults.map(({ message }) => message).join());
  return { files, steps: steps.join("\n"), config: parsed.config };
}

describe("propose", () => {
  it("serves loopback and system users where there is nothing else to go by", () => {
    const { config, files, steps } = proposed({});
    expect(config.server).toMatchObject({ listen: [{ host: "127.0.0.1", port: 110 }], listen_tls: [] });
    expect(config.mail.user).toBeUndefined();
    expect(config.accounts.source).toBe("system");
    expect(files.map(({ path }) => path)).toEqual([file]);
    expect(steps).toContain(
      "nobody but this host is served yet: get a certificate (certbot certonly -d mail.example.org)",
    );
  });

  it("takes the certificate for the host's name", () => {
    const { config } = proposed({ certificateNames: ["a.example.org", "mail.example.org"] });
    expect(config.tls?.certificate).toEqual(["/etc/letsencrypt/live/mail.example.org/fullchain.pem"]);
    expect(config.server.listen_tls).toEqual([{ host: "::", port: 995 }]);
  });

  it("stands beside Postfix, in files of its own", () => {
    const { config, files } = proposed({ postfix, hasVmail: true });
    expect(config.mta.sasl_socket).toEqual([{ path: "/var/spool/postfix/private/dewey-auth" }]);
    expect(config.mta.local_domains).toEqual(["mail.example.org"]);
    expect(config.mail).toMatchObject({ user: "vmail", maildir: "/var/mail/%d/%n/Maildir" });
    expect(files.map(({ path }) => path)).toEqual([
      file,
      "/etc/dewey-pop3/postfix-main.cf",
      "/etc/dewey-pop3/postfix-master.cf",
    ]);
  });

  it("says how to make the user that has all mail, and the folders of the domains, where that is left to do", () => {
    const user = "useradd --system --no-create-home --shell /usr/sbin/nologin vmail";
    const folders = "install -d -o vmail -g vmail /var/mail/example.org";
    expect(proposed({ postfix }).steps).toMatch(new RegExp(`${user}\n.*${folders}\n`));
    expect(proposed({ postfix, hasVmail: true }).steps).not.toContain(user);
    expect(proposed({}).steps).not.toContain("vmail");
    const dovecot = dovecotFactsOf("mail_location = maildir:/srv/mail/%d/%n\nmail_uid = mail\n");
    expect(proposed({ postfix, dovecot }).steps).not.toContain("vmail");
  });

  it("lists for Postfix what is left to do, a second time nothing that would be done twice", () => {
    const services = "cat /etc/dewey-pop3/postfix-master.cf >>/etc/postfix/master.cf";
    const first = proposed({ postfix, certificateNames: ["mail.example.org"] }).steps;
    expect(first).toContain("xargs -d '\\n' postconf -e\n");
    expect(first).toContain(
      "postconf -e smtpd_tls_cert_file=/etc/letsencrypt/live/mail.example.org/fullchain.pem smtpd_tls_key_file=",
    );
    expect(first).toContain(`${services}\n`);
    expect(first).not.toContain("postconf -MX");
    expect(first).toContain("dewey-pop3.service.d/postfix.conf && systemctl daemon-reload\n");

    const submission = { name: "submission", isOurs: true };
    const other = { name: "submissions", isOurs: false };
    expect(proposed({ postfix: { ...postfix, services: [submission, other] } }).steps).toMatch(
      /postconf -MX submission\/inet submissions\/inet\n.*cat .*postfix-master\.cf/,
    );

    const done = {
      ...postfix,
      hasLines: true,
      services: [submission, { ...other, isOurs: true }],
      certificateFile: "/etc/letsencrypt/live/mail.example.org/fullchain.pem",
    };
    const rest = {
      certificateNames: ["mail.example.org"],
      hasVmail: true,
      mailFolders: ["/var/mail/example.org"],
      hasAccounts: true,
      hasDropIn: true,
    };
    expect(proposed({ postfix: done, ...rest }).steps).toBe("systemctl restart dewey-pop3");
  });

  it("stands beside Exim, in Debian's split configuration where that is there", () => {
    const debian = {
      splitFolder: "/etc/exim4/conf.d",
      isSplit: true,
      hasTls: true,
      configFile: undefined,
      group: "Debian-exim",
      domains: ["example.org", "example.net"],
    };
    const split = proposed({ exim: debian });
    expect(split.config.mta.postfix_maps?.type).toBe("texthash");
    expect(split.files.map(({ path }) => path)).toContain("/etc/exim4/conf.d/auth/30_dewey");
    expect(split.config.mail.user).toBe("vmail");
    expect(split.steps).toContain("install -d -o vmail -g vmail /var/mail/example.org /var/mail/example.net");
    expect(split.steps).not.toContain("dc_use_split_config");
    expect(proposed({ exim: { ...debian, isSplit: false } }).steps).toContain("dc_use_split_config='true'");
    const tls = "echo 'MAIN_TLS_ENABLE = yes' >>/etc/exim4/conf.d/main/000_localmacros";
    expect(split.steps).not.toContain(tls);
    expect(proposed({ exim: { ...debian, hasTls: false } }).steps).toContain(tls);
    const whole = proposed({ exim: { ...debian, splitFolder: undefined } });
    expect(whole.files.map(({ path }) => path)).toContain("/etc/dewey-pop3/exim-authenticators");
  });

  it("stands beside an Exim that reads one file of another place, as another user", () => {
    const exim = {
      splitFolder: undefined,
      isSplit: false,
      hasTls: false,
      configFile: "/usr/exim/configure",
      group: "mail",
    };
    const { config, steps } = proposed({ exim: { ...exim, domains: ["example.org"] } });
    expect(config.mta.sasl_socket).toEqual([{ path: "/run/dewey-pop3/exim-auth", group: "mail" }]);
    expect(steps).toContain('in /usr/exim/configure: ".include /etc/dewey-pop3/exim-macros" before');
    expect(steps).not.toContain("name your domains");
  });

  it("takes over where Dovecot's mail is and whose, and says how its accounts come along", () => {
    const dovecot = dovecotFactsOf(
      "mail_location = maildir:/srv/mail/%d/%n\nmail_uid = mail\nmail_gid = mail\npassdb {\n  args = scheme=CRYPT username_format=%u /etc/dovecot/users\n  driver = passwd-file\n}\nprotocols = imap pop3\n",
    );
    const { config, steps } = proposed({ dovecot, takenPorts: [110] });
    expect(config.mail).toMatchObject({ maildir: "/srv/mail/%d/%n", user: "mail", group: "mail" });
    expect(steps).toContain("pop3-passwd import /etc/dovecot/users");
    expect(steps).toContain("pop3-ctl import-uidl --all");
    expect(steps).toContain("free port 110 (Dovecot: take pop3 out of its protocols)");
  });
});

describe("portsOfOthers", () => {
  /** As ss(8) prints them. */
  const line = (port: number, pid: number) =>
    `LISTEN 0 511 [::]:${port} [::]:* users:(("MainThread",pid=${pid},fd=24),("MainThread",pid=77,fd=9))`;
  it("names who has our ports, be it nobody but this server", () => {
    const listening = `${line(110, 4387)}\n${line(995, 612)}\n${line(9955, 613)}\n`;
    expect(portsOfOthers(listening, "4387")).toEqual([995]);
    expect(portsOfOthers(listening, "0")).toEqual([110, 995]);
    // Not as root: nobody's process is told.
    expect(portsOfOthers("LISTEN 0 511 [::]:110 [::]:*\n", "")).toEqual([110]);
  });
});

describe("a Dovecot with mbox", () => {
  it("is told of, and not guessed at", () => {
    const { config, steps } = proposed({ dovecot: dovecotFactsOf("mail_location = mbox:~/mail\n") });
    expect(config.mail.maildir).toBe("~/Maildir");
    expect(steps).toContain("Dovecot's mail (mbox:~/mail) is not where a Maildir could be read off");
  });
});

describe("dovecotMaildir", () => {
  it("understands Maildirs, and nothing that it would have to guess", () => {
    expect(dovecotMaildir("maildir:~/Maildir:INDEX=/var/index")).toBe("~/Maildir");
    expect(dovecotMaildir("maildir:%h/Maildir")).toBe("~/Maildir");
    expect(dovecotMaildir("maildir:/srv/%{domain}/%{username}")).toBe("/srv/%d/%n");
    expect(dovecotMaildir("mbox:~/mail")).toBeUndefined();
    expect(dovecotMaildir("maildir:/srv/%Ln")).toBeUndefined();
    expect(dovecotMaildir(undefined)).toBeUndefined();
  });
});

describe("setup's own files", () => {
  it("are known again as long as nobody changes them", () => {
    const text = "[server]\n";
    expect(stateOf(undefined, text, "setup")).toEqual({ kind: "absent" });
    expect(stateOf(markedText(text, "setup"), text, "setup")).toEqual({ kind: "ours", isSame: true });
    expect(stateOf(markedText("old\n", "setup"), text, "setup")).toEqual({ kind: "ours", isSame: false });
    expect(stateOf(`${markedText(text, "setup")}# mine\n`, text, "setup")).toEqual({ kind: "foreign" });
    expect(stateOf("[server]\n", text, "setup")).toEqual({ kind: "foreign" });
    expect(stateOf(markedText(text, "import-config"), text, "setup")).toEqual({ kind: "foreign" });
    expect(stateOf("# sample\n", text, "setup", "# sample\n")).toEqual({ kind: "ours", isSame: false });
  });
});
