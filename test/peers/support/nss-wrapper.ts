// Shows programs users that the host does not have, by nss_wrapper(1): the host's own users stay as they are.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface ExtraUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

/**
 * Writes the host's users and these into `folder`.
 *
 * @param groups of names that the host has no group for
 * @returns the environment of a program that shall see them
 */
export function withUsers(
  folder: string,
  users: readonly ExtraUser[],
  groups: readonly { readonly name: string; readonly gid: number }[] = [],
): Readonly<Record<string, string>> {
  const passwd = join(folder, "passwd");
  const group = join(folder, "group");
  const userLines = users.map(({ name, uid, gid, home }) => `${name}:x:${uid}:${gid}::${home}:/bin/false\n`);
  const groupLines = groups.map(({ name, gid }) => `${name}:x:${gid}:\n`);
  writeFileSync(passwd, `${readFileSync("/etc/passwd", "utf8")}${userLines.join("")}`);
  writeFileSync(group, `${readFileSync("/etc/group", "utf8")}${groupLines.join("")}`);
  return { LD_PRELOAD: library(), NSS_WRAPPER_PASSWD: passwd, NSS_WRAPPER_GROUP: group };
}

function library(): string {
  const name = "libnss_wrapper.so";
  const folders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"];
  const found = folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
  if (found === undefined) throw new Error(`${name} is not there: run scripts/install-peers`);
  return found;
}
