// Names of users and groups as numbers, through the host's own getent(1), which knows every source that the host uses.
import { execFileSync } from "node:child_process";

export interface HostUser {
  readonly uid: number;
  readonly gid: number;
  /** An absolute path, where the host has one. */
  readonly home?: string | undefined;
}

/** A user's uid and primary group; a number that the host does not know stands for itself. Undefined: no such user. */
export function findUser(nameOrUid: string): HostUser | undefined {
  const [, , uid, gid, , home] = getent("passwd", nameOrUid) ?? [];
  if (uid !== undefined && gid !== undefined)
    return { uid: Number(uid), gid: Number(gid), home: home?.startsWith("/") ? home : undefined };
  return isNumber(nameOrUid) ? { uid: Number(nameOrUid), gid: Number(nameOrUid) } : undefined;
}

/** Asks each name once: a command that goes through all accounts asks for few names, again and again. */
export function remembered<T>(find: (name: string) => T): (name: string) => T {
  const known = new Map<string, T>();
  return (name) => {
    if (!known.has(name)) known.set(name, find(name));
    return known.get(name)!;
  };
}

/** A group's gid. Undefined: no such group. */
export function findGroup(nameOrGid: string): number | undefined {
  if (isNumber(nameOrGid)) return Number(nameOrGid);
  const gid = getent("group", nameOrGid)?.[2];
  return gid === undefined ? undefined : Number(gid);
}

/** For people to read; the number where the host has no name for it. */
export function groupName(gid: number): string {
  return getent("group", String(gid))?.[0] ?? String(gid);
}

function getent(database: "passwd" | "group", key: string): string[] | undefined {
  try {
    const line = execFileSync("getent", ["--", database, key], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    return line.trim().split(":");
  } catch {
    return undefined;
  }
}

function isNumber(text: string): boolean {
  return /^[0-9]{1,10}$/.test(text);
}
