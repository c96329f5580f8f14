// Whose mail is never touched where it belongs to users of the host. Master asks before it starts a mailbox process, and the
// commands before they become the mail's owner: the same answer for both. Pure.
import type { Config } from "./schema.ts";

export type OwnerBounds = Pick<Config["mail"], "first_uid" | "last_uid" | "first_gid" | "last_gid">;

interface Ids {
  readonly uid: number;
  readonly gid: number;
}

/** Whoever's the mail is, and wherever that is written. */
export function rootFault({ uid, gid }: Ids): string | undefined {
  return uid === 0 || gid === 0 ? "mail is never touched as root, nor in root's group" : undefined;
}

/** @param reservedUids of our own users. @returns why not; undefined: it may be */
export function ownerFault(
  { uid, gid }: Ids,
  { first_uid, last_uid, first_gid, last_gid }: OwnerBounds,
  reservedUids: readonly number[],
): string | undefined {
  const root = rootFault({ uid, gid });
  if (root !== undefined) return root;
  if (uid < first_uid || uid > last_uid)
    return `uid ${uid} is outside mail.first_uid to mail.last_uid (${first_uid} to ${last_uid})`;
  if (gid < first_gid || gid > last_gid)
    return `gid ${gid} is outside mail.first_gid to mail.last_gid (${first_gid} to ${last_gid})`;
  if (reservedUids.includes(uid))
    return `uid ${uid} is that of one of the server's own users (server.…_user)`;
  return undefined;
}
