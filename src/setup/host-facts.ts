// What a host says about its mail, for `pop3-ctl setup`: its MTA, a POP3 server that is there already, certificates, who has
// the ports. Asks the programs themselves; changes nothing.
import { existsSync, readdirSync } from "node:fs";
import { parseDoveconf } from "../control/dovecot/dovecot-config.ts";
import { pop3Settings } from "../control/dovecot/dovecot-settings.ts";
import type { RunProgram } from "../doctor/check-mta.ts";
import { accountBlocks, passwdFileOf } from "./dovecot-accounts.ts";
import { readOrUndefined } from "./own-file.ts";

export interface HostFacts {
  readonly name: string;
  readonly postfix: PostfixFacts | undefined;
  readonly exim: EximFacts | undefined;
  readonly dovecot: DovecotFacts | undefined;
  readonly hasCourier: boolean;
  /** Of /etc/letsencrypt/live. */
  readonly certificateNames: readonly string[];
  /** Which of 110 and 995 somebody else than this server listens on. */
  readonly takenPorts: readonly number[];
  /** Whether the host has a user vmail. */
  readonly hasVmail: boolean;
  /** Of the folders that domains' mail is proposed to be in, those that are there: /var/mail/example.org. */
  readonly mailFolders: readonly string[];
  /** Whether there is a passwd file of ours. */
  readonly hasAccounts: boolean;
  /** Whether systemd opens Postfix's folder to us. */
  readonly hasDropIn: boolean;
}

export interface PostfixFacts {
  readonly queueFolder: string;
  readonly virtualDomains: readonly string[];
  readonly localDomains: readonly string[];
  /** Whether main.cf has our lines: SMTP AUTH asks our socket, virtual(8) reads our maps. */
  readonly hasLines: boolean;
  /** Of submission and submissions, those that are in master.cf, and whether as we have them. */
  readonly services: readonly { readonly name: string; readonly isOurs: boolean }[];
  /** "" where there is none. */
  readonly certificateFile: string;
}

export interface EximFacts {
  /** Debian's folder, where files of our own can be added. */
  readonly splitFolder: string | undefined;
  /** Whether Debian's Exim reads that folder, and not its one template. */
  readonly isSplit: boolean;
  /** Whether a file there switches TLS on. */
  readonly hasTls: boolean;
  /** The one file that Exim reads, where that is not what Debian puts together. */
  readonly configFile: string | undefined;
  /** Whose processes ask for SMTP AUTH. */
  readonly group: string;
  /** The domains that are local to Exim, without the host's own name. */
  readonly domains: readonly string[];
}

export interface DovecotFacts {
  /** As Dovecot writes it: "maildir:~/Maildir". */
  readonly mailLocation: string | undefined;
  readonly mailUid: string | undefined;
  readonly mailGid: string | undefined;
  /** A passwd-file of Dovecot's, which pop3-passwd imports. */
  readonly passwdFile: string | undefined;
  readonly servesPop3: boolean;
}

/** @param root the host's files are below it: "" for this host */
export async function lookAtHost(root: string, hostName: string, run: RunProgram): Promise<HostFacts> {
  const [postfix, exim, dovecot, listening, own, vmail] = await Promise.all([
    postfixFacts(root, run),
    eximFacts(root, hostName, run),
    dovecotFacts(root, run),
    run("ss", ["-Hltnp"]),
    run("systemctl", ["show", "--property=MainPID", "--value", "dewey-pop3"]),
    run("getent", ["passwd", "vmail"]),
  ]);
  return {
    name: hostName,
    postfix,
    exim,
    dovecot,
    hasCourier: existsSync(`${root}/etc/courier/pop3d`),
    certificateNames: certificateNames(`${root}/etc/letsencrypt/live`),
    takenPorts: portsOfOthers(listening ?? "", own?.trim() ?? ""),
    hasVmail: vmail !== undefined,
    mailFolders: [...(postfix?.virtualDomains ?? []), ...(exim?.domains ?? [])]
      .map((domain) => `/var/mail/${domain}`)
      .filter((folder) => existsSync(`${root}${folder}`)),
    hasAccounts: existsSync(`${root}/etc/dewey-pop3/passwd`),
    hasDropIn: existsSync(`${root}${DROP_IN}`),
  };
}

/** What lets systemd put sockets into Postfix's folder. */
export const DROP_IN = "/etc/systemd/system/dewey-pop3.service.d/postfix.conf";

/** @param listening as `ss -Hltnp` prints it. @param own our server's first process, which opened its sockets; "0": none runs */
export function portsOfOthers(listening: string, own: string): number[] {
  const others = listening.split("\n").filter((line) => !line.includes(`,pid=${own},`));
  return [110, 995].filter((port) => others.some((line) => new RegExp(`:${port}\\s`).test(line)));
}

async function postfixFacts(root: string, run: RunProgram): Promise<PostfixFacts | undefined> {
  if (!existsSync(`${root}/etc/postfix/main.cf`)) return undefined;
  const ask = async (name: string): Promise<string> =>
    (await run("postconf", ["-c", `${root}/etc/postfix`, "-x", "-h", name]))?.trim() ?? "";
  const [queueFolder, virtual, local, saslPath, maps, certificateFile, services] = await Promise.all([
    ask("queue_directory"),
    ask("virtual_mailbox_domains"),
    ask("mydestination"),
    ask("smtpd_sasl_path"),
    ask("virtual_mailbox_maps"),
    ask("smtpd_tls_cert_file"),
    run("postconf", ["-c", `${root}/etc/postfix`, "-M"]),
  ]);
  const options = (await run("postconf", ["-c", `${root}/etc/postfix`, "-P"])) ?? "";
  return {
    queueFolder: queueFolder || "/var/spool/postfix",
    virtualDomains: domainsOf(virtual),
    localDomains: domainsOf(local).filter((domain) => !/^localhost(?:\.|$)/.test(domain)),
    hasLines:
      saslPath.endsWith("private/dewey-auth") && maps.includes("/var/lib/dewey-pop3/postfix/mailboxes"),
    services: ["submission", "submissions"]
      .filter((name) => new RegExp(`^${name}\\s+inet\\s`, "m").test(services ?? ""))
      .map((name) => {
        const ours = `${name}/inet/smtpd_sender_restrictions = reject_sender_login_mismatch`;
        return { name, isOurs: options.split("\n").includes(ours) };
      }),
    certificateFile,
  };
}

/** Only those that stand there themselves: a table's are the administrator's to name. */
function domainsOf(list: string): string[] {
  return list.split(/[\s,]+/).filter((word) => /^[a-z0-9-]+(?:\.[a-z0-9-]+)+$/i.test(word));
}

/** Debian's folder, or an Exim of the host that tells where its configuration is. */
export async function eximFacts(
  root: string,
  hostName: string,
  run: RunProgram,
): Promise<EximFacts | undefined> {
  // A program of this host says nothing about an image below a folder.
  const ask = async (name: string): Promise<string | undefined> =>
    root === ""
      ? ((await run("exim4", ["-bP", name])) ?? (await run("exim", ["-bP", name])))?.trim()
      : undefined;
  const configFile = await ask("configure_file");
  if (configFile === undefined && !existsSync(`${root}/etc/exim4`)) return undefined;
  const own = (domain: string): boolean => domain !== hostName && !domain.startsWith("localhost.");
  // Also where Debian's files are there, and an exim4.conf that is read instead of what update-exim4.conf makes of them.
  if (configFile !== undefined && configFile !== DEBIANS_CONFIG) {
    const [group, domains] = await Promise.all([ask("exim_group"), ask("+local_domains")]);
    return {
      splitFolder: undefined,
      isSplit: false,
      hasTls: false,
      configFile,
      group: listedIn(group) || DEBIANS_GROUP,
      domains: domainsOf(listedIn(domains).replaceAll(":", " ")).filter(own),
    };
  }
  const settings = readOrUndefined(`${root}/etc/exim4/update-exim4.conf.conf`) ?? "";
  const setting = (name: string): string => new RegExp(`^${name}='(.*)'$`, "m").exec(settings)?.[1] ?? "";
  return {
    splitFolder: existsSync(`${root}/etc/exim4/conf.d`) ? "/etc/exim4/conf.d" : undefined,
    isSplit: setting("dc_use_split_config") === "true",
    hasTls: filesOf(`${root}/etc/exim4/conf.d/main`).some((file) =>
      /^\s*MAIN_TLS_ENABLE\s*=/m.test(readOrUndefined(file) ?? ""),
    ),
    configFile: undefined,
    group: DEBIANS_GROUP,
    domains: domainsOf(setting("dc_other_hostnames").replaceAll(":", " ")).filter(own),
  };
}

function filesOf(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).map((name) => `${folder}/${name}`) : [];
}

/** What update-exim4.conf(8) writes. */
const DEBIANS_CONFIG = "/var/lib/exim4/config.autogenerated";
const DEBIANS_GROUP = "Debian-exim";

/** "exim_group = mail", "domainlist local_domains = @ : example.org" */
function listedIn(answer: string | undefined): string {
  return /^[^=]* = (.*)$/s.exec(answer ?? "")?.[1] ?? "";
}

async function dovecotFacts(root: string, run: RunProgram): Promise<DovecotFacts | undefined> {
  const file = `${root}/etc/dovecot/dovecot.conf`;
  if (!existsSync(file)) return undefined;
  return dovecotFactsOf((await run("doveconf", ["-n", "-c", file])) ?? "");
}

/** @param text as doveconf -n prints it */
export function dovecotFactsOf(text: string): DovecotFacts {
  const settings = parseDoveconf(text);
  const holds = pop3Settings(settings);
  const value = (name: string): string | undefined => holds.get(name)?.value;
  return {
    mailLocation: value("mail_location"),
    mailUid: value("mail_uid"),
    mailGid: value("mail_gid"),
    passwdFile: accountBlocks(settings)
      .filter(({ kind, driver }) => kind === "passdb" && driver === "passwd-file")
      .map(passwdFileOf)
      .find((path) => path !== undefined),
    servesPop3: /\bpop3\b/.test(value("protocols") ?? ""),
  };
}

function certificateNames(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => existsSync(`${folder}/${name}/fullchain.pem`))
      .sort();
  } catch {
    // No certbot, or not root.
    return [];
  }
}
