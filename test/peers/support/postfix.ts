// A Postfix of the test's own: configuration, queue and data in a temporary folder, SMTP on a free port of 127.0.0.1
// and nowhere else. It delivers in both of the ways that hosts use:
//   *@virtual.test   by virtual(8) into <mail>/<user>/Maildir/ (virtual_mailbox_base, virtual_mailbox_maps)
//   *@local.test     by local(8) into ~/Maildir/ (home_mailbox)
// local(8) asks the user database for its recipients. They are shown to this Postfix alone, by nss_wrapper(1), which
// master(8) passes on to its daemons; the host's own users stay as they are.
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "../../support/eventually.ts";
import { freePort } from "../../support/free-port.ts";
import { type MailOwner, runsAsRoot } from "../../support/mail-owner.ts";
import { runOrThrow, startProgram } from "../../support/program.ts";
import { acceptsConnections } from "./connect.ts";
import { type ExtraUser, withUsers } from "./nss-wrapper.ts";

export const virtualDomain = "virtual.test";
export const localDomain = "local.test";

export interface PostfixOptions {
  /** Who the delivered files belong to; the folder `mail` must be its. */
  readonly owner: MailOwner;
  /** Folder that holds the recipients' homes. */
  readonly mail: string;
  readonly virtualUsers: readonly string[];
  readonly localUsers: readonly string[];
  /** Makes it a Postfix of somebody else's configuration. */
  readonly additions?: PostfixAdditions;
}

export interface PostfixAdditions {
  /** Lines for main.cf, in place of the harness's own for the delivery into Maildirs. */
  readonly mainCf: string;
  readonly masterCf: string;
  /** Set by postconf(1) afterwards: what differs on this machine from what an administrator has. */
  readonly settings: Readonly<Record<string, string>>;
  /** Called before Postfix starts, when its folders are there. */
  prepared(folders: PostfixFolders): Promise<void>;
}

export interface PostfixFolders {
  readonly config: string;
  readonly queue: string;
}

export interface Postfix extends PostfixFolders {
  /** SMTP, on 127.0.0.1. */
  readonly port: number;
  log(): string;
  stop(): Promise<void>;
}

/** @throws Error when not run as root: master(8) gives its daemons their users */
export async function startPostfix(options: PostfixOptions): Promise<Postfix> {
  if (!runsAsRoot()) throw new Error("Postfix starts as root only: run these tests as root");
  const folder = mkdtempSync(join(tmpdir(), "dewey-postfix-"));
  try {
    chmodSync(folder, 0o755);
    const port = await freePort();
    const config = join(folder, "etc");
    for (const path of [config, join(folder, "queue")]) mkdirSync(path, { mode: 0o755 });
    mkdirSync(join(folder, "data"), { mode: 0o700 });
    await runOrThrow("chown", ["postfix", join(folder, "data")]);
    const env = withUsers(config, localUsersOf(options));
    const { additions } = options;
    const delivery = additions?.mainCf ?? deliveryLines(folder, options);
    writeFileSync(join(config, "main.cf"), `${mainCf(folder, env)}${delivery}`);
    writeFileSync(join(config, "master.cf"), `${masterCf(port)}${additions?.masterCf ?? ""}`);
    writeFileSync(join(config, "mailboxes"), mailboxMap(options.virtualUsers));
    const settings = Object.entries(additions?.settings ?? {}).map(([name, value]) => `${name}=${value}`);
    if (settings.length > 0) await runOrThrow("postconf", ["-c", config, "-e", ...settings]);
    // Makes the queue's folders with the owners that they must have; `master -d` stays in the foreground.
    await runOrThrow("postfix", ["-c", config, "check"]);
    await additions?.prepared({ config, queue: join(folder, "queue") });
    const program = await startProgram("/usr/lib/postfix/sbin/master", ["-c", config, "-d"]);
    const log = (): string => {
      const file = join(folder, "log");
      return existsSync(file) ? readFileSync(file, "utf8") : "";
    };
    try {
      await Promise.race([
        eventually("Postfix accepts connections", () => acceptsConnections(port), 30_000),
        program.ended.then(() => Promise.reject(new Error("Postfix ended at once"))),
      ]);
    } catch (error) {
      await program.stop("SIGKILL");
      throw new Error(`${(error as Error).message}; it had said:\n${program.output()}${log()}`);
    }
    return {
      port,
      config,
      queue: join(folder, "queue"),
      log,
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

function mainCf(folder: string, env: Readonly<Record<string, string>>): string {
  return `
compatibility_level = 3.6
queue_directory = ${folder}/queue
data_directory = ${folder}/data
mail_owner = postfix
setgid_group = postdrop
maillog_file = ${folder}/log
maillog_file_prefixes = ${folder}
# Otherwise a daemon inherits nothing that is not named here.
import_environment = MAIL_CONFIG ${Object.entries(env)
    .map(([name, value]) => `${name}=${value}`)
    .join(" ")}

inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.${localDomain}
mydestination = ${localDomain}
mynetworks =
relay_domains =
# A recipient in our domains or none: nothing ever leaves this machine.
smtpd_relay_restrictions = reject_unauth_destination
default_transport = error:this host delivers only to itself
relayhost =

alias_maps =
mailbox_size_limit = 0
virtual_mailbox_limit = 0
message_size_limit = 0

# What is sent arrives as it is: nothing is added for want of a header, nothing is converted.
local_header_rewrite_clients =
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
biff = no
`;
}

function deliveryLines(folder: string, { owner, mail }: PostfixOptions): string {
  return `
virtual_mailbox_domains = ${virtualDomain}
virtual_mailbox_base = ${mail}
virtual_mailbox_maps = texthash:${folder}/etc/mailboxes
virtual_uid_maps = static:${owner.uid}
virtual_gid_maps = static:${owner.gid}
home_mailbox = Maildir/
local_recipient_maps = unix:passwd.byname
`;
}

/** The services of Debian's own master.cf that local delivery needs; none chrooted, because the test's passwd file is outside. */
function masterCf(port: number): string {
  return `
127.0.0.1:${port} inet n - n - - smtpd
cleanup   unix  n - n -    0 cleanup
qmgr      unix  n - n 300  1 qmgr
rewrite   unix  - - n -    - trivial-rewrite
bounce    unix  - - n -    0 bounce
defer     unix  - - n -    0 bounce
trace     unix  - - n -    0 bounce
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n -    - proxymap
error     unix  - - n -    - error
retry     unix  - - n -    - error
local     unix  - n n -    - local
virtual   unix  - n n -    - virtual
anvil     unix  - - n -    1 anvil
tlsmgr    unix  - - n 1000? 1 tlsmgr
postlog   unix-dgram n - n - 1 postlogd
`;
}

function mailboxMap(users: readonly string[]): string {
  return users.map((user) => `${user}@${virtualDomain} ${user}/Maildir/\n`).join("");
}

function localUsersOf({ owner, mail, localUsers }: PostfixOptions): readonly ExtraUser[] {
  return localUsers.map((name) => ({ name, uid: owner.uid, gid: owner.gid, home: join(mail, name) }));
}
