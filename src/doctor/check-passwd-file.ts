// The passwd file: whether auth can read it and nobody else, its bad lines, what pop3-passwd audit would say.
import { statSync } from "node:fs";
import type { Account } from "../accounts/account.ts";
import { auditAccounts } from "../accounts/audit.ts";
import { describeErrorCode, describeFileError } from "../accounts/file/file-error.ts";
import { PasswdFile, type PasswdFileEvent } from "../accounts/file/passwd-file.ts";
import { hashPolicyOf } from "../config/hash-policy.ts";
import type { Config } from "../config/schema.ts";
import { groupName, type HostUser } from "../host/user-database.ts";
import { type Finding, reporter } from "./finding.ts";

const report = reporter("accounts");

export interface CheckedAccounts {
  readonly findings: readonly Finding[];
  readonly accounts: readonly Account[];
}

/** Of each kind so many are told one by one. */
const SHOWN = 5;

/** @param auth who the auth process runs as; undefined: whoever runs this */
export async function checkPasswdFile(config: Config, auth: HostUser | undefined): Promise<CheckedAccounts> {
  const path = config.auth.passwd_file;
  const events: PasswdFileEvent[] = [];
  const file = new PasswdFile({ path, onEvent: (event) => events.push(event) });
  await file.refresh();
  const accounts = [...file.accounts.values()];
  const findings: Finding[] = [];
  for (const event of events) {
    switch (event.kind) {
      case "reloaded":
      case "unwatched":
        break;
      case "unreadable": {
        const mend =
          event.code === "ENOENT"
            ? `make the first account: pop3-passwd --file ${path} add USER`
            : `chown root:dewey-auth ${path} && chmod 640 ${path}, and run this as root`;
        findings.push(report("error", `cannot read ${path}: ${describeErrorCode(event.code)}`, mend));
        break;
      }
      case "invalid-line":
        findings.push(
          report("error", `${path}:${event.lineNumber} is skipped: ${event.reason}`, "edit the line"),
        );
        break;
      case "duplicate":
        findings.push(
          report(
            "warning",
            `${path}:${event.lineNumber} is skipped: ${event.user} stands in line ${event.firstLineNumber} already`,
            "remove one of the two lines",
          ),
        );
        break;
      default:
        event satisfies never;
    }
  }
  if (!file.isLoaded) return { findings, accounts };
  findings.push(...modeFindings(path, auth));
  const audit = auditAccounts(accounts, {
    policy: hashPolicyOf(config),
    maxMemoryKib: config.auth.verification_memory,
  });
  for (const { kind, line, user, reason } of audit.findings.slice(0, SHOWN)) {
    const level = kind === "unusable" ? "error" : "warning";
    findings.push(
      report(
        level,
        `${path}:${line} ${user}: ${reason}`,
        kind === "unusable" ? `pop3-passwd set ${user}` : "pop3-passwd audit, pop3-passwd rehash",
      ),
    );
  }
  const more = audit.findings.length - SHOWN;
  if (more > 0)
    findings.push(report("warning", `${more} more findings about passwords`, "pop3-passwd audit"));
  if (accounts.length === 0)
    findings.push(report("warning", `${path} has no account`, `pop3-passwd --file ${path} add USER`));
  if (findings.length === 0) {
    findings.push(
      report(
        "ok",
        `${path}: ${accounts.length === 1 ? "1 account" : `${accounts.length} accounts`}, ${audit.locked} locked, nothing weak`,
      ),
    );
  }
  return { findings, accounts };
}

/** Pure but for one stat(2): what auth may do is read off the mode. */
function modeFindings(path: string, auth: HostUser | undefined): Finding[] {
  const findings: Finding[] = [];
  try {
    const { mode, uid, gid } = statSync(path);
    const octal = (mode & 0o777).toString(8);
    if ((mode & 0o007) !== 0) {
      findings.push(
        report(
          "error",
          `${path} has mode ${octal}: every user of this host can take the hashes`,
          `chmod 640 ${path}`,
        ),
      );
    }
    if ((mode & 0o020) !== 0)
      findings.push(
        report("warning", `${path} has mode ${octal}: its group may change passwords`, `chmod 640 ${path}`),
      );
    if (auth !== undefined && !mayRead({ mode, uid, gid }, auth)) {
      findings.push(
        report(
          "error",
          `${path} has mode ${octal}, uid ${uid}, gid ${gid}: the auth process (uid ${auth.uid}, gid ${auth.gid}) cannot read it`,
          `chgrp ${groupName(auth.gid)} ${path} && chmod 640 ${path}`,
        ),
      );
    }
  } catch (error) {
    findings.push(report("error", `cannot look at ${path}: ${describeFileError(error)}`));
  }
  return findings;
}

/** As the kernel decides where no access list stands in the way: the first class that fits decides. */
export function mayRead(
  { mode, uid, gid }: { readonly mode: number; readonly uid: number; readonly gid: number },
  user: { readonly uid: number; readonly gid: number },
): boolean {
  if (user.uid === uid) return (mode & 0o400) !== 0;
  return (mode & (user.gid === gid ? 0o040 : 0o004)) !== 0;
}
