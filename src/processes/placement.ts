// Which mailbox process serves an account: always the same one, so that it holds the account's lock and snapshot. Auth
// decides, seals it into the ticket and tells login; the name is the process's, and its socket's. Pure.

/** One of the processes for mail that has one owner, 0 … count − 1 (FNV-1a over the name's UTF-16 code units). */
export function sharedPlace(account: string, count: number): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < account.length; i++) {
    hash = Math.imul(hash ^ account.charCodeAt(i), 0x01000193);
  }
  return nthPlace((hash >>> 0) % count);
}

export function nthPlace(index: number): string {
  return `mailbox-${index}`;
}

/** The process for the mail of one user of the host. */
export function placeOf({ uid, gid }: { readonly uid: number; readonly gid: number }): string {
  return `mailbox-${uid}-${gid}`;
}

/** Of no other form are the names above: whoever is told one by another process checks it. */
export const PLACE = /^mailbox-[0-9]{1,10}(?:-[0-9]{1,10})?$/;

/** The socket of a mailbox process, below the runtime directory. */
export function mailboxSocket(runtimeDir: string, place: string): string {
  return `${runtimeDir}/${place}.sock`;
}

/** Where login processes reach auth, below the runtime directory. */
export function authSocket(runtimeDir: string): string {
  return `${runtimeDir}/auth-login.sock`;
}
