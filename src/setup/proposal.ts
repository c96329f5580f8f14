// What `pop3-ctl setup` proposes for a host: files of our own, and what is left to the administrator. Pure.
import { parseDovecotLocation } from "../accounts/transfer/dovecot-location.ts";
import { DROP_IN, type EximFacts, type HostFacts, type PostfixFacts } from "./host-facts.ts";

export interface Proposal {
  readonly files: readonly ProposedFile[];
  /** What nobody can decide or change but the administrator. */
  readonly steps: readonly string[];
}

export interface ProposedFile {
  readonly path: string;
  readonly text: string;
}

/** What etc/ of this program has for the MTAs, by path below it. */
export type ReadSample = (path: string) => string;

export function propose(facts: HostFacts, configFile: string, sample: ReadSample): Proposal {
  const steps: string[] = [...ownerSteps(facts)];
  const files = [{ path: configFile, text: configText(facts, steps) }, ...mtaFiles(facts, steps, sample)];
  if (facts.takenPorts.length > 0) {
    const who = facts.dovecot?.servesPop3
      ? "Dovecot: take pop3 out of its protocols"
      : "ss -ltnp tells whose";
    steps.push(`free port ${facts.takenPorts.join(" and ")} (${who}); until then this server cannot start`);
  }
  const location = facts.dovecot?.mailLocation;
  if (location !== undefined && dovecotMaildir(location) === undefined)
    steps.push(
      `Dovecot's mail (${location}) is not where a Maildir could be read off: set mail.maildir, or convert it`,
    );
  const passwd = facts.dovecot?.passwdFile;
  if (passwd !== undefined) steps.push(`take over Dovecot's accounts: pop3-passwd import ${passwd}`);
  else if (facts.hasCourier) steps.push("take over Courier's accounts: pop3-passwd import --help");
  else if (!facts.hasAccounts) steps.push("make accounts: pop3-passwd add USER");
  if (facts.dovecot !== undefined || facts.hasCourier)
    steps.push(
      "keep the unique-ids that clients know, before anybody logs in here: pop3-ctl import-uidl --all --dry-run",
    );
  steps.push("systemctl restart dewey-pop3");
  return { files, steps };
}

/** Of the mail that virtual(8) or Exim delivers as one user: that user, and folders that it may make Maildirs in. */
function ownerSteps({ dovecot, postfix, exim, hasVmail, mailFolders }: HostFacts): string[] {
  const domains = postfix?.virtualDomains ?? exim?.domains ?? [];
  if (dovecot?.mailUid !== undefined || (domains.length === 0 && !hasVmail)) return [];
  const folders = domains
    .map((domain) => `/var/mail/${domain}`)
    .filter((folder) => !mailFolders.includes(folder))
    .join(" ");
  return [
    ...(hasVmail
      ? []
      : ["make the mail's user: useradd --system --no-create-home --shell /usr/sbin/nologin vmail"]),
    ...(folders === "" || dovecotMaildir(dovecot?.mailLocation) !== undefined
      ? []
      : [`make its folders: install -d -o vmail -g vmail ${folders}`]),
  ];
}

function configText(facts: HostFacts, steps: string[]): string {
  const certificate = certificateOf(facts);
  const lines = ["[server]", `name = ${quoted(facts.name)}`];
  if (certificate === undefined) {
    lines.push(
      "# Loopback alone, so nobody from outside is served: there is no certificate in /etc/letsencrypt/live.",
      'listen = ["127.0.0.1:110"]',
    );
    steps.push(
      `nobody but this host is served yet: get a certificate (certbot certonly -d ${facts.name}), and run pop3-ctl setup again`,
    );
  } else {
    const folder = certificateFolder(certificate);
    lines.push('listen = ["*:110"]', 'listen_tls = ["*:995"]', "", "[tls]");
    lines.push(
      `certificate = ${quoted(`${folder}/fullchain.pem`)}`,
      `private_key = ${quoted(`${folder}/privkey.pem`)}`,
    );
  }
  lines.push("", ...mailLines(facts), ...mtaLines(facts));
  return `${lines.join("\n")}\n`;
}

/** Of certbot's certificates the one that clients expect. */
function certificateOf({ name, certificateNames }: HostFacts): string | undefined {
  return certificateNames.find((each) => each === name) ?? certificateNames.at(0);
}

function certificateFolder(certificate: string): string {
  return `/etc/letsencrypt/live/${certificate}`;
}

function mailLines({ dovecot, postfix, exim, hasVmail }: HostFacts): string[] {
  const location = dovecotMaildir(dovecot?.mailLocation);
  const isVirtual = (postfix?.virtualDomains ?? exim?.domains ?? []).length > 0;
  const owner = dovecot?.mailUid ?? (isVirtual || hasVmail ? "vmail" : undefined);
  const maildir = location ?? (owner === undefined ? "~/Maildir" : "/var/mail/%d/%n/Maildir");
  const origin = location === undefined ? "" : "  # as Dovecot's mail_location";
  const lines = ["[mail]", `maildir = ${quoted(maildir)}${origin}`];
  if (owner === undefined) {
    return [
      "# System users: each account's mail is the host's user's of the same name.",
      "[accounts]",
      'source = "system"',
      "",
      ...lines,
    ];
  }
  return [...lines, `user = ${quoted(owner)}`, `group = ${quoted(dovecot?.mailGid ?? owner)}`];
}

/** Undefined where it is none of ours, such as mbox or a variable that we don't know. */
export function dovecotMaildir(location: string | undefined): string | undefined {
  return location === undefined ? undefined : parseDovecotLocation(location).maildir;
}

function mtaLines({ postfix, exim }: HostFacts): string[] {
  if (postfix !== undefined) {
    const sockets = `${postfix.queueFolder}/private`;
    return [
      "",
      "[mta]",
      `sasl_socket = ${quoted(`${sockets}/dewey-auth`)}`,
      `socketmap_socket = ${quoted(`${sockets}/dewey-map`)}`,
      'socket_group = "postfix"',
      'postfix_maps = { folder = "/var/lib/dewey-pop3/postfix" }',
      ...(postfix.localDomains.length === 0
        ? []
        : [`local_domains = [${postfix.localDomains.map(quoted).join(", ")}]`]),
    ];
  }
  if (exim === undefined) return [];
  return [
    "",
    "[mta]",
    `sasl_socket = { path = "/run/dewey-pop3/exim-auth", group = ${quoted(exim.group)} }`,
    'postfix_maps = { folder = "/var/lib/dewey-pop3/postfix", type = "texthash" }',
  ];
}

/** Never main.cf or exim4.conf itself, which others wrote: files beside them, to be taken from. */
function mtaFiles(facts: HostFacts, steps: string[], sample: ReadSample): ProposedFile[] {
  const { postfix, exim } = facts;
  if (postfix !== undefined) {
    const domains = postfix.virtualDomains.join(", ") || "example.org";
    const main = sample("postfix/main.cf").replace(
      "virtual_mailbox_domains = example.org",
      `virtual_mailbox_domains = ${domains}`,
    );
    steps.push(...postfixSteps(postfix, facts));
    return [
      { path: "/etc/dewey-pop3/postfix-main.cf", text: main },
      { path: "/etc/dewey-pop3/postfix-master.cf", text: sample("postfix/master.cf") },
    ];
  }
  return exim === undefined ? [] : eximFiles(exim, steps, sample);
}

function postfixSteps({ hasLines, services, certificateFile }: PostfixFacts, facts: HostFacts): string[] {
  const steps: string[] = [];
  if (!hasLines)
    steps.push(
      "put the lines into Postfix's main.cf: grep '^[a-z]' /etc/dewey-pop3/postfix-main.cf | xargs -d '\\n' postconf -e",
    );
  const certificate = certificateOf(facts);
  if (certificate !== undefined && (certificateFile === "" || certificateFile.includes("snakeoil"))) {
    const folder = certificateFolder(certificate);
    steps.push(
      `give Postfix the certificate: postconf -e smtpd_tls_cert_file=${folder}/fullchain.pem smtpd_tls_key_file=${folder}/privkey.pem`,
    );
  }
  // What is appended a second time stands there twice, and Postfix takes neither.
  if (services.length < 2 || services.some(({ isOurs }) => !isOurs)) {
    const old = services.map(({ name }) => `${name}/inet`).join(" ");
    if (old !== "") steps.push(`take out of its master.cf what ours is put in place of: postconf -MX ${old}`);
    steps.push(
      "put the services into its master.cf: cat /etc/dewey-pop3/postfix-master.cf >>/etc/postfix/master.cf",
    );
  }
  if (!facts.hasDropIn)
    steps.push(
      `let systemd open Postfix's folder: install -D /usr/lib/dewey-pop3/etc/systemd/dewey-pop3-postfix.conf ${DROP_IN} && systemctl daemon-reload`,
    );
  if (steps.length > 0) steps.push("postfix reload");
  return steps;
}

function eximFiles(
  { splitFolder, isSplit, hasTls, configFile, domains }: EximFacts,
  steps: string[],
  sample: ReadSample,
): ProposedFile[] {
  const places = [
    ["macros", "main/00_dewey"],
    ["router", "router/450_dewey"],
    ["transport", "transport/30_dewey"],
    ["authenticators", "auth/30_dewey"],
  ] as const;
  if (splitFolder === undefined) {
    const file = configFile ?? "Exim's configuration";
    const include = (name: string): string => `.include /etc/dewey-pop3/exim-${name}`;
    if (domains.length === 0)
      steps.push(`name your domains in /etc/dewey-pop3/exim-macros, and in local_domains of ${file}`);
    steps.push(
      `have Exim read the files, in ${file}: "${include("macros")}" before the first "begin", and in their sections "${include("router")}" (behind aliases, before system users), "${include("transport")}" and "${include("authenticators")}"`,
      "SMTP AUTH is offered under TLS alone: set tls_certificate and tls_privatekey",
      `look at it, and have it read anew: exim -bV && kill -HUP "$(pgrep -o -x 'exim4?')"`,
    );
  } else {
    if (!isSplit)
      steps.push(
        `have Debian's Exim read ${splitFolder}: sed -i "s/^dc_use_split_config=.*/dc_use_split_config='true'/" /etc/exim4/update-exim4.conf.conf`,
      );
    if (domains.length === 0)
      steps.push(
        `name your domains in ${splitFolder}/main/00_dewey, and in dc_other_hostnames of /etc/exim4/update-exim4.conf.conf`,
      );
    if (!hasTls)
      steps.push(
        `SMTP AUTH is offered under TLS alone, with /etc/exim4/exim.crt and exim.key: echo 'MAIN_TLS_ENABLE = yes' >>${splitFolder}/main/000_localmacros`,
      );
    steps.push("update-exim4.conf && systemctl restart exim4");
  }
  return places.map(([name, place]) => ({
    path: splitFolder === undefined ? `/etc/dewey-pop3/exim-${name}` : `${splitFolder}/${place}`,
    text: sample(`exim/${name}`).replace(
      "DEWEY_DOMAINS = example.org",
      `DEWEY_DOMAINS = ${domains.join(" : ") || "example.org"}`,
    ),
  }));
}

function quoted(text: string): string {
  return JSON.stringify(text);
}
