// Each account's Maildir, looked at by a process with its owner's uid: there, whole, open to the owner and to nobody else,
// on a file system with locks, and nothing left over in it.
import { spawn } from "node:child_process";
import { dirname } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import type { Account } from "../accounts/account.ts";
import { describeErrorCode } from "../accounts/file/file-error.ts";
import type { MailOwner } from "../accounts/mta/delivery.ts";
import type { Config } from "../config/schema.ts";
import { locateMail } from "../control/mailbox/mail-owner.ts";
import { type Finding, reporter } from "./finding.ts";
import type { MaildirFault, SeenMaildir } from "./maildir-worker.ts";

const report = reporter("maildirs");

/** Dotlocks that nobody has refreshed for so long are taken over (src/maildir/lock/dotlock.ts). */
const STALE_LOCK_MS = 5 * 60_000;
/** Of thousands of accounts with the same trouble, so many are named. */
const SHOWN = 10;

export async function checkMaildirs(
  config: Config,
  accounts: readonly Account[],
  nowMs: number,
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  const byOwner = new Map<string, Neighbours>();
  for (const account of accounts) {
    const located = locateMail(config, account);
    if (typeof located === "string") {
      const mend = `pop3-passwd set ${account.user} --home …, or mail.user, accounts.source of the config`;
      findings.push(report("error", located, mend));
      continue;
    }
    const { maildir, owner } = located;
    const key = owner === undefined ? "self" : `${owner.uid}:${owner.gid}`;
    const group = byOwner.get(key) ?? { owner, users: new Map<string, string>() };
    group.users.set(maildir, account.user);
    byOwner.set(key, group);
  }
  let sound = 0;
  for (const { owner: other, users } of byOwner.values()) {
    const owner = other ?? { uid: process.getuid!(), gid: process.getgid!() };
    const seen = await look(other, [...users.keys()]);
    if (typeof seen === "string") {
      findings.push(
        report("error", `cannot look at the Maildirs of uid ${owner.uid}: ${seen}`, "run it as root"),
      );
      continue;
    }
    for (const maildir of seen) {
      const user = users.get(maildir.path) ?? "";
      const found = maildirFindings(user, maildir, owner, config.mail.lock, nowMs);
      if (found.length === 0) sound++;
      findings.push(...found);
    }
  }
  return [...(sound > 0 ? [report("ok", `${sound} Maildirs are sound`)] : []), ...shortened(findings)];
}

/** Those whose mail has one owner. */
interface Neighbours {
  /** Undefined: whoever runs this. */
  readonly owner: MailOwner | undefined;
  /** By their Maildirs. */
  readonly users: Map<string, string>;
}

/** What was seen, as findings. Pure. */
export function maildirFindings(
  user: string,
  { path, fault, oldTmpFiles, lockChangedAtMs }: SeenMaildir,
  owner: MailOwner,
  lock: Config["mail"]["lock"],
  nowMs: number,
): readonly Finding[] {
  const findings: Finding[] = [];
  if (fault !== undefined) findings.push(faultFinding(user, path, fault, owner));
  if (oldTmpFiles > 0) {
    const message = `${user}: ${path}/tmp has ${oldTmpFiles} files of deliveries that never ended`;
    findings.push(report("note", message, "the next session removes them"));
  }
  if (lock === "dotlock" && lockChangedAtMs !== undefined && nowMs - lockChangedAtMs > STALE_LOCK_MS) {
    const message = `${user}: ${path} has a lock that its session no longer refreshes`;
    findings.push(report("note", message, "the next session takes it over"));
  }
  return findings;
}

function faultFinding(
  user: string,
  path: string,
  { kind, at, detail }: MaildirFault,
  owner: MailOwner,
): Finding {
  const who = `uid ${owner.uid}, gid ${owner.gid}`;
  switch (kind) {
    case "missing":
      return report(
        "note",
        `${user}: ${path} is not there yet`,
        "the first delivery makes it; until then the maildrop is empty",
      );
    case "not-makeable":
      return report(
        "error",
        `${user}: ${path} is not there, and the mail's owner (${who}) cannot make it in ${at} (${describeErrorCode(detail)})`,
        `mount the mail's file system, if it is missing; else install -d -o ${owner.uid} -g ${owner.gid} ${dirname(path)}`,
      );
    case "not-traversable":
      return report(
        "error",
        `${user}: ${at} lets the mail's owner (${who}) not through to ${path}`,
        `chmod o+x ${at}`,
      );
    case "no-folder":
      return report(
        "error",
        `${user}: ${at} is missing or no folder (${detail})`,
        `install -d -m 700 -o ${owner.uid} -g ${owner.gid} ${at}`,
      );
    case "not-accessible":
      return report(
        "error",
        `${user}: the mail's owner (${who}) may not read and write ${at} (${detail})`,
        `chown -R ${owner.uid}:${owner.gid} ${path} && chmod -R u+rwX ${path}`,
      );
    case "foreign":
      return report(
        "warning",
        `${user}: ${at} belongs to uid ${detail}, the mail to uid ${owner.uid}`,
        `chown -R ${owner.uid}:${owner.gid} ${path}`,
      );
    case "open-to-others":
      return report(
        "warning",
        `${user}: ${at} has mode ${detail}: others on this host get at the mail`,
        `chmod o-rwx ${at}`,
      );
    case "not-lockable":
      return report(
        "error",
        `${user}: the file system of ${at} cannot lock (${detail})`,
        'set mail.lock = "dotlock"',
      );
    default:
      return kind satisfies never;
  }
}

/** A text says why not. */
async function look(owner: MailOwner | undefined, paths: readonly string[]): Promise<SeenMaildir[] | string> {
  const worker = fileURLToPath(new URL("./maildir-worker.js", import.meta.url));
  // Node's spawn leaves no group of root's behind (setgroups(2)).
  const child = spawn(process.execPath, [worker], {
    cwd: "/",
    stdio: ["pipe", "pipe", "pipe"],
    ...(owner && { uid: owner.uid, gid: owner.gid }),
  });
  child.stdin.on("error", () => {});
  child.stdin.end(JSON.stringify(paths));
  try {
    const [said, complaint] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      new Promise((resolve, reject) => child.once("close", resolve).once("error", reject)),
    ]);
    return said === "" ? (complaint.trim().split("\n").at(-1) ?? "it said nothing") : JSON.parse(said);
  } catch (error) {
    return (error as Error).message;
  }
}

function shortened(findings: readonly Finding[]): readonly Finding[] {
  const shown = findings.slice(0, SHOWN);
  const rest = findings.slice(SHOWN);
  if (rest.length === 0) return shown;
  const level = rest.some((finding) => finding.level === "error") ? "error" : "warning";
  const isNoteOnly = rest.every((finding) => finding.level === "note");
  return [
    ...shown,
    report(isNoteOnly ? "note" : level, `and ${rest.length} more accounts`, "mend these first"),
  ];
}
