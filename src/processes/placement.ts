// Which mailbox process serves an account: always the same one, so that it holds the account's lock and snapshot. Pure.

/** Index of the account's process, 0 … count − 1 (FNV-1a over the name's UTF-16 code units). */
export function mailboxProcessOf(account: string, count: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < account.length; i++) {
    hash = Math.imul(hash ^ account.charCodeAt(i), 0x01000193);
  }
  return (hash >>> 0) % count;
}

/** The socket of a mailbox process, below the runtime directory. */
export function mailboxSocket(runtimeDir: string, index: number): string {
  return `${runtimeDir}/mailbox-${index}.sock`;
}

/** Where login processes reach auth, below the runtime directory. */
export function authSocket(runtimeDir: string): string {
  return `${runtimeDir}/auth-login.sock`;
}
