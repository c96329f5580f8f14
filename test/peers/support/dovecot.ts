// A Dovecot of the test's own, POP3 only: configuration, sockets and state in a temporary folder, a free port of
// 127.0.0.1, the same passwd file as our server. Works as root, with Debian's users, and as an ordinary user.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MadeCertificate } from "../../../scripts/certificate.mjs";
import { type TestAccount, writePasswdFile } from "../../support/accounts.ts";
import { eventually } from "../../support/eventually.ts";
import { freePort } from "../../support/free-port.ts";
import { type MailOwner, runsAsRoot } from "../../support/mail-owner.ts";
import { startProgram } from "../../support/program.ts";
import { acceptsConnections } from "./connect.ts";

export interface DovecotOptions {
  readonly owner: MailOwner;
  /** Who may log in, when no passwd file is given. */
  readonly accounts?: readonly TestAccount[];
  /** A passwd file that exists, readable for Dovecot's own user. */
  readonly passwdFile?: string;
  /** With it, it also serves POP3S on `tlsPort`. */
  readonly certificate?: MadeCertificate;
  /** It also serves IMAP, on `imapPort`. */
  readonly imap?: boolean;
  /** Further lines of dovecot.conf. */
  readonly settings?: string;
}

export interface Dovecot {
  readonly port: number;
  readonly tlsPort: number;
  readonly imapPort: number;
  /** dovecot.conf */
  readonly configFile: string;
  /** The master process; the others are its children. */
  readonly pid: number;
  log(): string;
  stop(): Promise<void>;
}

export async function startDovecot(options: DovecotOptions): Promise<Dovecot> {
  const folder = mkdtempSync(join(tmpdir(), "dewey-dovecot-"));
  try {
    chmodSync(folder, 0o755);
    const port = await freePort();
    const tlsPort = await freePort();
    const imapPort = options.imap === true ? await freePort() : 0;
    const passwdFile = options.passwdFile ?? join(folder, "passwd");
    if (options.passwdFile === undefined) await writePasswdFile(passwdFile, options.accounts ?? []);
    const config = join(folder, "dovecot.conf");
    writeFileSync(config, dovecotConf(folder, { port, tlsPort, imapPort }, passwdFile, options));
    const program = await startProgram("/usr/sbin/dovecot", ["-F", "-c", config]);
    try {
      await Promise.race([
        eventually("Dovecot accepts connections", () => acceptsConnections(port), 30_000),
        program.ended.then(() => Promise.reject(new Error("Dovecot ended at once"))),
      ]);
    } catch (error) {
      await program.stop("SIGKILL");
      throw new Error(`${(error as Error).message}; it had said:\n${program.output()}`);
    }
    return {
      port,
      tlsPort,
      imapPort,
      configFile: config,
      pid: program.pid,
      log: () => program.output(),
      async stop() {
        try {
          await program.stop();
        } finally {
          rmSync(folder, { recursive: true, force: true });
        }
      },
    };
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

function dovecotConf(
  folder: string,
  { port, tlsPort, imapPort }: Pick<Dovecot, "port" | "tlsPort" | "imapPort">,
  passwdFile: string,
  { owner, settings, certificate }: DovecotOptions,
): string {
  return `
base_dir = ${folder}/run
state_dir = ${folder}/state
log_path = /dev/stderr
protocols = pop3${imapPort === 0 ? "" : " imap"}
listen = 127.0.0.1
${certificate === undefined ? "ssl = no" : tlsSettings(folder, certificate)}
disable_plaintext_auth = no
auth_mechanisms = plain login
mail_location = maildir:~/Maildir
# A message's unique-id is its Maildir base name, as with us.
pop3_uidl_format = %f
first_valid_uid = ${Math.min(owner.uid, 100)}
last_valid_uid = 0
passdb {
  driver = passwd-file
  args = ${passwdFile}
}
userdb {
  driver = passwd-file
  args = ${passwdFile}
}
service pop3-login {
  inet_listener pop3 {
    port = ${port}
  }
  inet_listener pop3s {
    port = ${certificate === undefined ? 0 : tlsPort}
    ssl = yes
  }
}
${imapPort === 0 ? "" : imapSettings(imapPort)}
# A wrong password is answered without delay: the tests compare answers, not patience.
auth_failure_delay = 0
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service stats {
  unix_listener stats-writer {
    mode = 0666
  }
}
${runsAsRoot() ? "" : withoutRoot(owner)}
${settings ?? ""}
`;
}

function imapSettings(port: number): string {
  return `service imap-login {
  inet_listener imap {
    port = ${port}
  }
  inet_listener imaps {
    port = 0
  }
}`;
}

function tlsSettings(folder: string, { certificate, privateKey }: MadeCertificate): string {
  writeFileSync(join(folder, "certificate.pem"), certificate);
  writeFileSync(join(folder, "private-key.pem"), privateKey, { mode: 0o600 });
  return `ssl = yes
ssl_cert = <${folder}/certificate.pem
ssl_key = <${folder}/private-key.pem`;
}

/** Everything under one uid, and no chroot, which only root may do. */
function withoutRoot(owner: MailOwner): string {
  return `
default_internal_user = ${owner.user}
default_login_user = ${owner.user}
default_internal_group = ${owner.group}
service anvil {
  chroot =
}
service pop3-login {
  chroot =
}
service stats {
  chroot =
}
`;
}
