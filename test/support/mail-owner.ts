// Whose uid the tests' mail belongs to: as root `nobody` (a mail server refuses to deliver or serve as root), else
// whoever runs the tests.
import { readFileSync } from "node:fs";
import { userInfo } from "node:os";

export interface MailOwner {
  readonly user: string;
  readonly group: string;
  readonly uid: number;
  readonly gid: number;
}

export function runsAsRoot(): boolean {
  return process.getuid?.() === 0;
}

export function mailOwner(): MailOwner {
  const user = runsAsRoot() ? "nobody" : userInfo().username;
  const [, , uid, gid] = entry("/etc/passwd", (fields) => fields[0] === user);
  const [group] = entry("/etc/group", (fields) => fields[2] === gid);
  if (group === undefined) throw new Error(`group ${gid} of user ${user} is not in /etc/group`);
  return { user, group, uid: Number(uid), gid: Number(gid) };
}

function entry(file: string, fits: (fields: readonly string[]) => boolean): readonly string[] {
  const found = readFileSync(file, "utf8")
    .split("\n")
    .map((line) => line.split(":"))
    .find(fits);
  if (found === undefined) throw new Error(`no fitting entry in ${file}`);
  return found;
}
