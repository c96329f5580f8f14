// Whether the file systems that the Maildirs are on let the server write, and fit what the config says of locks and of other
// hosts.
import { readFileSync } from "node:fs";
import type { Account } from "../accounts/account.ts";
import type { Config } from "../config/schema.ts";
import { locateMail } from "../control/mailbox/mail-owner.ts";
import { type Finding, reporter } from "./finding.ts";

const report = reporter("storage");

/** @param server a process of the running server, which sees what systemd lets it see; undefined: none runs, or none is known */
export function checkStorage(
  config: Config,
  accounts: readonly Account[],
  server: number | undefined,
): readonly Finding[] {
  const maildirs = accounts.flatMap((account) => {
    const located = locateMail(config, account);
    return typeof located === "string" ? [] : [located.maildir];
  });
  let mounts: string;
  try {
    mounts = mountsSeenBy(server);
  } catch {
    return [report("note", "cannot read /proc/self/mountinfo: which file systems there are is not known")];
  }
  return storageFindings(maildirs, mounts, config.mail);
}

function mountsSeenBy(server: number | undefined): string {
  try {
    if (server !== undefined) return readFileSync(`/proc/${server}/mountinfo`, "latin1");
  } catch {
    // It has ended, or is not this user's to look at.
  }
  return readFileSync("/proc/self/mountinfo", "latin1");
}

/** @param mountinfo as proc(5) has it. Pure. */
export function storageFindings(
  maildirs: readonly string[],
  mountinfo: string,
  mail: Pick<Config["mail"], "lock" | "shared_storage">,
): readonly Finding[] {
  const mounts = parseMounts(mountinfo);
  /** By mount, of its Maildirs one. */
  const used = new Map(
    maildirs.flatMap((maildir) => {
      const mount = mountOf(maildir, mounts);
      return mount === undefined ? [] : [[mount, maildir]];
    }),
  );
  return [...used].flatMap(([mount, maildir]) => mountFindings(mount, maildir, mail));
}

interface Mount {
  readonly at: string;
  readonly type: string;
  readonly options: ReadonlySet<string>;
}

/** Those that other hosts may have, too. */
const SHARED =
  /^(?:nfs4?|ceph|cifs|smb3|lustre|gfs2|ocfs2|beegfs|gpfs|9p|virtiofs|fuse\.(?:glusterfs|ceph|sshfs|s3fs))$/;

function mountFindings(
  { at, type, options }: Mount,
  maildir: string,
  { lock, shared_storage }: Pick<Config["mail"], "lock" | "shared_storage">,
): Finding[] {
  const findings: Finding[] = [];
  const isNfs = /^nfs4?$/.test(type);
  const isShared = SHARED.test(type);
  const local = ["local_lock=flock", "local_lock=all", "nolock"].find((option) => options.has(option));
  if (options.has("ro")) {
    // The unit has ProtectSystem=strict: whatever is not named there is read-only, and so is what was not there at the start.
    const message = `${maildir} is on ${at}, which is read-only for the server: nobody can log in there`;
    const mend =
      "mount what is missing and systemctl restart dewey-pop3; for mail elsewhere than the unit has it: systemctl edit dewey-pop3, with ReadWritePaths= in [Service]";
    return [report("error", message, mend)];
  }
  if (isNfs && local !== undefined && lock === "flock") {
    const message = `${at} (${type}) is mounted with ${local}: mail.lock = "flock" holds within this host alone`;
    const mend = `mount it with local_lock=none and without nolock, or set mail.lock = "dotlock" on every host`;
    findings.push(report(shared_storage ? "error" : "warning", message, mend));
  }
  if (isNfs && options.has("soft")) {
    const message = `${at} (${type}) is mounted with soft: what the server is slow to take may be lost`;
    findings.push(report("warning", message, "mount it with hard"));
  }
  if (isShared && !shared_storage) {
    const message = `${at} is ${type}, and mail.shared_storage is false`;
    findings.push(report("note", message, "set it to true if other hosts serve or deliver this mail, too"));
  }
  if (!isShared && shared_storage) {
    const message = `${at} is ${type}, which other hosts reach only through this one, and mail.shared_storage is true`;
    findings.push(report("note", message, "leave it out where no other host serves this mail: it is slower"));
  }
  if (shared_storage && lock === "none") {
    const message = `mail.lock is "none" and mail.shared_storage true: two hosts may serve one maildrop at a time`;
    findings.push(
      report("warning", message, 'set mail.lock = "flock", or "dotlock" where the file system cannot lock'),
    );
  }
  return findings.length === 0 ? [report("ok", `${at} (${type}) fits mail.lock = "${lock}"`)] : findings;
}

/** Of mounts over one another the last one is seen. */
function parseMounts(mountinfo: string): Mount[] {
  return mountinfo.split("\n").flatMap((line) => {
    const [mount = "", file] = line.split(" - ");
    const [, , , , at, options] = mount.split(" ");
    const [type, , superOptions = ""] = file?.split(" ") ?? [];
    if (at === undefined || options === undefined || type === undefined) return [];
    return [{ at: unescaped(at), type, options: new Set(`${options},${superOptions}`.split(",")) }];
  });
}

function mountOf(path: string, mounts: readonly Mount[]): Mount | undefined {
  return mounts
    .filter(({ at }) => at === "/" || path === at || path.startsWith(`${at}/`))
    .reduce<Mount | undefined>(
      (best, each) => (best !== undefined && best.at.length > each.at.length ? best : each),
      undefined,
    );
}

/** Blanks in names stand as "\040" (proc(5)). */
function unescaped(text: string): string {
  return Buffer.from(
    text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
    "latin1",
  ).toString("utf8");
}
